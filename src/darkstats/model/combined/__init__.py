"""Binned and unbinned channels in one likelihood: HS3 analysis -> CombinedModel.

Use :func:`darkstats.model.combined.compilation.compile_likelihood` on a document of either kind, or
of both; the result goes wherever a model goes.
"""
