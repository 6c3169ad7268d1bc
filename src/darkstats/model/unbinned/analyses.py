"""One analysis of an HS3 document as an unbinned model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from darkstats.errors import DocumentError, UnknownNameError
from darkstats.model.observation import Observation
from darkstats.model.unbinned.compilation import compile_channel
from darkstats.model.unbinned.declared import (
    constraint_of,
    own_data,
    parameter_of,
    require_countable,
)
from darkstats.model.unbinned.grid import grid_of
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.model.unbinned.names import Names
from darkstats.provenance import digest_of
from darkstats.workspace.hs3 import Hs3Analysis, Hs3Document
from darkstats.workspace.hs3.parts import is_combined

__all__ = ["compile_analysis", "compile_hs3"]


def compile_hs3(
    document: Hs3Document,
    analysis: str | None = None,
    *,
    poi: str | None = None,
    constants: Mapping[str, float] | None = None,
) -> UnbinnedModel:
    """Compile one analysis of an HS3 document.

    Parameters
    ----------
    document
        From :func:`darkstats.workspace.hs3.read_hs3`.
    analysis
        Its name; the first by default.
    poi
        Parameter of interest, where it is not that of the analysis.
    constants
        Values for parameters, which become constants: a mass, for example.

    Raises
    ------
    DocumentError
        The likelihood is not understood, or has no closed form.
    UnknownNameError
        There is no such analysis or parameter.
    """
    chosen = document.analysis(analysis)
    if is_combined(chosen):
        raise DocumentError(
            f"analysis {chosen.name!r} has HistFactory channels beside its events: there is one "
            "likelihood of both, and no spectrum of events", source=document.source,
            remedy="take the document of events alone",
        )  # fmt: skip
    return compile_analysis(document, chosen, poi=poi, constants=constants)


def compile_analysis(
    document: Hs3Document,
    chosen: Hs3Analysis,
    *,
    poi: str | None = None,
    constants: Mapping[str, float] | None = None,
    elsewhere: Collection[str] = (),
) -> UnbinnedModel:
    """Compile channels of an analysis; see :func:`compile_hs3`.

    Parameters
    ----------
    elsewhere
        Parameters that may act on nothing here: they do in another part of the likelihood.

    Raises
    ------
    DocumentError
        The likelihood is not understood, or has no closed form.
    UnknownNameError
        There is no such parameter.
    """
    given = dict(constants or {})
    known = {parameter.name: parameter for parameter in chosen.parameters}
    for name in given:
        if name not in known:
            raise UnknownNameError("parameter", name, tuple(known))
    names = Names(document, chosen, given)
    channels = tuple(compile_channel(document, names, channel) for channel in chosen.channels)
    constraints = {}
    for item in chosen.constraints:
        parameter, width, datum = constraint_of(item, names, known)
        if parameter in constraints:
            raise names.error(f"parameter {parameter!r} has two constraints")
        constraints[parameter] = (width, datum)
    acting: dict[str, list[str]] = {}
    for channel in channels:
        for component in channel.components:
            for variable in component.variables:
                acting.setdefault(names.floating[variable].name, []).append(channel.name)
    parameters = tuple(parameter_of(p, constraints.get(p.name), acting) for p in names.floating)
    useful = {*acting, *elsewhere}
    idle = [p.name for p in parameters if p.name not in useful and not p.constrained]
    if idle:
        raise names.error(
            f"parameters act on nothing: {', '.join(idle)}", "leave them out, or make them constant"
        )
    poi = chosen.poi if poi is None else poi
    index = None
    if poi is not None:
        index = next((n for n, p in enumerate(parameters) if p.name == poi), None)
        if index is None:
            raise UnknownNameError("parameter of interest", poi, tuple(p.name for p in parameters))
    inits = np.array([p.init for p in parameters])
    require_countable(channels, parameters, names)
    model = UnbinnedModel(
        digest=digest_of(
            {"document": document.digest, "analysis": chosen.name, "poi": poi, "constants": given}
        ),
        document_digest=document.digest,
        analysis=chosen.name,
        values=chosen.values,
        spectrum=document.spectrum_of(chosen.name),
        parameters=parameters,
        channels=channels,
        poi_index=index,
        observation=Observation(counts=np.zeros(len(channels)), auxdata=np.zeros(len(parameters))),
        grid=grid_of(channels, inits),
        event_channels=document.event_channels,
    )
    return replace(model, observation=model.observe(*own_data(model.channels, chosen, document)))
