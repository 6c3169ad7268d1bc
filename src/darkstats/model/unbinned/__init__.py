"""Unbinned likelihoods: HS3 analysis -> UnbinnedModel, evaluated by compiled kernels.

Use :func:`compile_hs3` on a document read by :func:`darkstats.workspace.hs3.read_hs3`; the result
goes wherever a HistFactory model goes. Shapes with closed forms (Gaussian, Crystal Ball,
exponential, polynomials, templates) need no other package;
:mod:`darkstats.model.unbinned.zfit_model` builds the same likelihood in zfit, as referee and as
engine for other losses.
"""
