"""Workspace -> simplified likelihood, and what is carried over into it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from darkstats.arrays import BoolArray, FloatArray
from darkstats.errors import NotCertifiedError, OptionError, UnknownNameError
from darkstats.fit import FitOptions, FitResult, fit
from darkstats.inference.simplified.document import document_of
from darkstats.inference.simplified.parabola import View, parabola_of, require_inside
from darkstats.inference.simplified.shape import (
    NEGLIGIBLE,
    Reduced,
    Shape,
    quadratic_of,
    reduced_of,
    shape_of,
    third_moments,
)
from darkstats.model import HistFactoryModel
from darkstats.model.base import few_places
from darkstats.shown import Shown
from darkstats.workspace import Workspace

__all__ = ["MOMENTS", "RESPONSES", "SimplifiedLikelihood", "simplify"]

RESPONSES = ("linear", "quadratic")
MOMENTS = ("fit", "toys")
_WIDE = 0.3  # relative error of an expected background, above which a Gaussian is doubtful


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SimplifiedLikelihood(Shown):
    """A simplified likelihood, and what is carried over into it.

    Parameters
    ----------
    workspace
        The document: valid HistFactory JSON.
    response, moments
        How the expected background follows its nuisance parameters, and where the covariance comes
        from: see :func:`simplify`.
    fit
        The background-only fit of the full likelihood.
    kept, left_out
        Channels of the document, and those whose counts stand in the covariance alone.
    places
        Channel and bin (from 0) of each kept bin.
    background
        Expected background of the kept bins without what they themselves say, in events. Shape
        [bin].
    covariance
        Its covariance, in squared events, without the free directions. Shape [bin, bin].
    third_moment, third_moment_reason, carried_third_moment
        Third central moments of the same, in cubed events, of the full likelihood and of the
        document, with plain parabolas; ``None`` with ``third_moment_reason``: for a linear
        response, or where parameters drawn from the parabola leave their ranges. Shape [bin].
    eigen, free, signal_only, bin_errors
        How many parameters are eigen-nuisances of the background, free directions of the
        background, further eigen-nuisances of the signal, and errors of single bins.
    parameters_before, parameters_after
        Free parameters of the full and of the simplified likelihood, the parameter of interest
        included.
    lost
        Largest standard deviation, in Poisson errors of a bin, of what was left out as negligible.
    """

    in_a_line: ClassVar = "response kept left_out parameters_before parameters_after warnings"

    workspace: Workspace
    response: str
    moments: str
    fit: FitResult
    kept: tuple[str, ...]
    left_out: tuple[str, ...]
    places: tuple[tuple[str, int], ...] = field(repr=False)
    background: FloatArray = field(repr=False)
    covariance: FloatArray = field(repr=False)
    third_moment: FloatArray | None = field(repr=False)
    third_moment_reason: str | None
    carried_third_moment: FloatArray | None = field(repr=False)
    eigen: int
    free: int
    signal_only: int
    bin_errors: int
    parameters_before: int
    parameters_after: int
    lost: float
    n_toys: int | None
    seed: int | None
    warnings: tuple[str, ...]


def simplify(
    workspace: Workspace,
    model: HistFactoryModel,
    *,
    keep: Collection[str] = (),
    response: str = "linear",
    moments: str = "fit",
    n_toys: int = 5000,
    seed: int = 0,
    options: FitOptions | None = None,
) -> SimplifiedLikelihood:
    r"""Return the simplified likelihood of a workspace.

    Parameters
    ----------
    workspace, model
        The workspace and its compiled model, with its observation. Samples on which the parameter
        of interest acts are the signal; all others together are the background.
    keep
        Channels whose bins stay, with their counts; all by default. The counts of other channels
        stand in the covariance, and the signal in them is lost.
    response
        ``"linear"``: each eigen-nuisance moves the background by :math:`\pm` one eigenvector,
        exactly so under every interpolation code. ``"quadratic"``: up and down are those of the
        full model, one standard deviation to each side, so that the diagonal quadratic terms are
        carried; mixed ones of two eigen-nuisances are not.
    moments
        ``"fit"``: the covariance is that of the parabola, through the slopes of the model;
        ``"toys"``: mean, covariance and quadratic terms are those of parameters drawn from it.
    n_toys, seed
        Points drawn for ``moments="toys"``, and for the third moments of a quadratic response.

    Raises
    ------
    OptionError
        There is no parameter of interest, or an option is out of range.
    UnknownNameError
        There is no channel of this name.
    NotCertifiedError
        The fit is not certified, a parameter rests at the end of its range, or the parabola is
        none: the message says which parameter and where.

    Notes
    -----
    CMS-NOTE-2017-001; Buckley et al., arXiv:1809.05548, whose expected events are
    :math:`a_i + b_i\theta_i + c_i\theta_i^2` in each bin, with correlated :math:`\theta_i`.
    HistFactory has functions of one parameter at a time: the correlated :math:`\theta_i` are
    rotated into eigen-nuisances, and the terms of two of them are lost. With
    :math:`H = E + K`, where :math:`K` is the curvature from the kept bins, the covariance of the
    kept bins is :math:`J E^{-1} J^T`; directions in which :math:`E` vanishes stay free factors.
    To first order in the response, background-only fits of the two likelihoods agree.
    """
    if response not in RESPONSES:
        raise UnknownNameError("response", response, RESPONSES)
    if moments not in MOMENTS:
        raise UnknownNameError("source of moments", moments, MOMENTS)
    if n_toys < 100:
        raise OptionError(f"moments need at least 100 toys, got {n_toys}")
    view = View.of(workspace, model, keep)
    best = fit(model, model.observation, poi_value=0.0, options=options)
    require_inside(best, model)
    parabola = parabola_of(view, best)
    centre = parabola.centre
    point = centre if response == "quadratic" else best.parameters
    shape = shape_of(view, parabola, point, moments=moments, n_toys=n_toys, seed=seed)
    reduced = reduced_of(shape)
    quadratic = None
    if response == "quadratic":
        quadratic = quadratic_of(view, parabola, shape, reduced, moments=moments)
    third = carried = None
    unknown = "a linear response has none" if response == "linear" else ""
    if quadratic is not None:
        third, carried, unknown = third_moments(
            view, parabola, reduced, quadratic, n_toys=n_toys, seed=seed
        )
    warnings = _warnings(view, shape, reduced)
    document = document_of(view, shape, reduced, quadratic)
    source = f"{workspace.source} (simplified)"
    n_free = reduced.free.shape[1] + shape.scaled.shape[1]
    bin_errors = int(((shape.bin_error > 0.0) | (shape.counted_error > 0.0)).sum())
    made = Workspace.from_document(document, source, usable=bool(view.signals))
    return SimplifiedLikelihood(
        workspace=made,
        response=response,
        moments=moments,
        fit=best,
        kept=tuple(view.kept),
        left_out=tuple(view.left_out),
        places=view.places,
        background=shape.background,
        covariance=reduced.covariance,
        third_moment=third,
        third_moment_reason=unknown or None,
        carried_third_moment=carried,
        eigen=reduced.background.shape[1],
        free=n_free,
        signal_only=reduced.signal_only.shape[-1],
        bin_errors=bin_errors,
        parameters_before=len(best.free) + 1,
        parameters_after=1
        + reduced.background.shape[1]
        + n_free
        + reduced.signal_only.shape[-1]
        + bin_errors,
        lost=reduced.lost,
        n_toys=n_toys if moments == "toys" or third is not None else None,
        seed=seed if moments == "toys" or third is not None else None,
        warnings=warnings,
    )


def _warnings(view: View, shape: Shape, reduced: Reduced) -> tuple[str, ...]:
    """Where a Gaussian is doubtful, or something is not carried."""
    found = []
    error = np.sqrt(np.diag(reduced.covariance))
    negative = (shape.background <= 0.0) & (shape.bin_error > 0.0)
    if negative.any():
        raise NotCertifiedError(
            f"{_named(view, negative)}: the response takes the background to zero or below at the "
            "centre of the constraints, where a relative error has no meaning; try the quadratic "
            "response, or leave the channel out"
        )
    wide = error > _WIDE * np.maximum(shape.background, 0.0)
    wide &= error > 0.0
    if wide.any():
        found.append(
            f"{int(wide.sum())} bin(s) have an error above {_WIDE:.0%} of the background, where a "
            f"Gaussian is doubtful: {_named(view, wide)}"
        )
    empty = wide & (view.observed() == 0.0)
    if empty.any():
        found.append(f"{int(empty.sum())} of these have no events: {_named(view, empty)}")
    if view.left_out:
        counts = np.asarray(view.model.observation.counts)
        zero = [
            channel.name
            for channel in view.model.channels
            if channel.name in view.left_out and (counts[channel.start : channel.stop] == 0.0).any()
        ]
        if zero:
            found.append(
                "bins without events have no parabola, and these channels, which stand in the "
                f"covariance alone, have some: {few_places(zero)}"
            )
    norm = float(np.linalg.norm(shape.signal)) or 1.0
    lost = np.linalg.norm(shape.signal_free, axis=0) / norm
    if len(lost) and lost.max() > NEGLIGIBLE:
        found.append(
            "the signal follows a free parameter of the background, by "
            f"{lost.max():.2g} of its size for a standard deviation: this is not carried"
        )
    return tuple(found)


def _named(view: View, chosen: BoolArray) -> str:
    places = [f"channel {view.places[b][0]!r}, bin {view.places[b][1]}" for b in
              np.flatnonzero(chosen)]  # fmt: skip
    return few_places(places)
