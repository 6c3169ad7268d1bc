"""Limits and significances of an unbinned model at many masses; and toys of a whole spectrum.

The masses are the analyses of an HS3 document. One data set serves all of them: each analysis takes
the events in its own window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import NotCertifiedError, OptionError

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.fit import FitOptions
    from darkstats.inference.results import Significance, ToyOptions, UpperLimit
    from darkstats.model.unbinned.model import UnbinnedModel
    from darkstats.workspace.event_files import EventTable
    from darkstats.workspace.hs3 import Hs3Document

__all__ = ["UnbinnedPoint", "scan_masses", "spectrum_significances"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbinnedPoint:
    """One mass of a scan.

    Parameters
    ----------
    name, values
        Analysis, and its masses by label.
    limit, significance
        Results; None where no answer could be certified, and ``reason`` says why.
    notes
        What to know of the data: events outside the window.
    """

    name: str
    values: Mapping[str, float]
    limit: UpperLimit | None
    significance: Significance | None
    reason: str | None = None
    notes: tuple[str, ...] = field(default=())


def scan_masses(
    document: Hs3Document,
    events: EventTable | None,
    *,
    analyses: Sequence[str] | None = None,
    cl: float = 0.95,
    method: str = "cls",
    calculator: str = "asymptotic",
    toys: ToyOptions | None = None,
    options: FitOptions | None = None,
    progress: Callable[[int], object] | None = None,
) -> tuple[UnbinnedPoint, ...]:
    """Limit and local significance at each mass.

    Parameters
    ----------
    document
        An analysis for each mass.
    events
        Data, or None for expected values only: whoever calls this has decided about blinding.
    analyses
        Which ones; all by default.
    cl, method, calculator, toys, options
        As in :func:`darkstats.inference.upper_limit`.
    progress
        Told of each mass that is done.

    Returns
    -------
    tuple of UnbinnedPoint
        In the order of ``analyses``. A mass whose answer cannot be certified has none, with the
        reason: it never takes the others with it.

    Raises
    ------
    InputError
        The document, the events or an option cannot be used.
    """
    from darkstats.inference import significance, upper_limit
    from darkstats.model.unbinned.model import compile_hs3
    from darkstats.workflows.unbinned_inputs import observed_events

    if calculator not in {"asymptotic", "toys"}:
        raise OptionError(f"a scan needs a calculator, asymptotic or toys, not {calculator!r}")
    found = []
    blind = events is None
    for name in analyses or document.analysis_names:
        model = compile_hs3(document, name)
        observation, notes = model.observation, list[str]()
        if events is not None:
            observation, notes = observed_events(model, events, empty=True)
        limit = excess = reason = None
        try:
            limit = upper_limit(
                model,
                observation,
                cl=cl,
                method=method,
                calculator="toys" if calculator == "toys" else "asymptotic",
                toys=toys,
                scan_points=0,
                blind=blind,
                probe=False,
                options=options,
            )
            excess = significance(model, observation, blind=blind, options=options)
        except NotCertifiedError as error:
            reason = str(error)
        found.append(
            UnbinnedPoint(
                name=name,
                values=document.values_of(name),
                limit=limit,
                significance=excess,
                reason=reason,
                notes=tuple(notes),
            )
        )
        if progress is not None:
            progress(1)
    return tuple(found)


def spectrum_significances(
    models: Sequence[UnbinnedModel],
    spectra: Sequence[FloatArray],
    *,
    signed: bool = True,
    threads: int = 1,
) -> FloatArray:
    """Local significances at all masses on the same full-spectrum data sets.

    Windows overlap, so toys for each window would not be one random field: one data set is thrown
    for the whole spectrum, and every window takes its part of it.

    Parameters
    ----------
    models
        One for each mass, with one channel in one observable.
    spectra
        Events of each data set. One array [event] each.
    signed
        Negative for a deficit; else a deficit counts as 0.
    threads
        Threads of the fits; numbers do not depend on it.

    Returns
    -------
    FloatArray
        Square root of the likelihood ratio, with its sign. Shape [data set, mass]; NaN where a fit
        could not be certified: count them, and never take a maximum over them.

    Raises
    ------
    OptionError
        A model has several channels or observables.
    """
    from darkstats.fit import FitOptions, fit_batch
    from darkstats.model.unbinned.events import EventLanes
    from darkstats.model.unbinned.tables import lanes_from

    options = FitOptions(threads=threads)
    result = np.full((len(spectra), len(models)), np.nan)
    ordered = [np.sort(np.asarray(events, dtype=float)) for events in spectra]
    for column, model in enumerate(models):
        if len(model.channels) != 1 or len(model.channels[0].observables) != 1:
            raise OptionError(f"{model.analysis}: a spectrum has one channel and one observable")
        channel = model.channels[0]
        low, high = channel.ranges[0]
        ends = [np.searchsorted(events, [low, high], side="left") for events in ordered]
        counts = np.array([b - a for a, b in ends], dtype=np.int64)
        x = np.concatenate([e[a:b] for e, (a, b) in zip(ordered, ends, strict=True)])[None, :]
        data = EventLanes(channels=(lanes_from(channel, x, np.ones(x.shape[1]), counts, None),))
        auxdata = np.repeat(model.observation.auxdata[None, :], len(spectra), axis=0)
        start = np.array(model.inits)
        start[model.require_poi()] = 0.0
        lower = -_room(model) if signed else 0.0
        held = fit_batch(model, data, auxdata, start=start, poi_values=0.0, options=options)
        free = fit_batch(
            model,
            data,
            auxdata,
            start=held.parameters,
            poi_lower=lower,
            poi_upper=np.inf,
            options=options,
        )
        rise = np.maximum(held.twice_nll - free.twice_nll, 0.0)
        mu = free.parameters[:, model.require_poi()]
        z = np.sqrt(rise) * np.where(mu < 0.0, -1.0, 1.0)
        result[:, column] = np.where(held.converged & free.converged, z, np.nan)
    return result


def _room(model: UnbinnedModel) -> float:
    """How far below zero the signal strength may go: to where the density stays positive.

    Half of the background beneath the signal, in units of the signal, at the starting values.
    """
    background = np.array(model.inits)
    background[model.require_poi()] = 0.0
    unit = background.copy()
    unit[model.require_poi()] = 1.0
    b = model.expected_rates(background)
    s = model.expected_rates(unit) - b
    there = s > 1e-9 * s.max()
    return float(0.5 * np.min(b[there] / s[there]))
