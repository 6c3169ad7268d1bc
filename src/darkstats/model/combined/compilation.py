"""HS3 analysis -> model of its events, of its bins, or of both together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import DocumentError
from darkstats.model.combined.evaluation import BinnedPart
from darkstats.model.combined.model import CombinedModel
from darkstats.model.compilation import compile_workspace
from darkstats.model.unbinned.analyses import compile_analysis
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.provenance import digest_of
from darkstats.workspace import Workspace
from darkstats.workspace.hs3.histfactory import histfactory_workspace, parameter_names
from darkstats.workspace.hs3.parts import events_part, histfactory_part, is_combined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.model.histfactory import HistFactoryModel
    from darkstats.model.parameters import Parameter
    from darkstats.workspace.hs3 import Hs3Document

__all__ = ["compile_likelihood"]

_WITHOUT_SIGNAL = ("poi-unknown", "poi-no-effect")


def compile_likelihood(
    document: Hs3Document, analysis: str | None = None, *, poi: str | None = None
) -> UnbinnedModel | CombinedModel:
    """Compile one analysis of an HS3 document: channels of events, HistFactory's beside or not.

    Parameters
    ----------
    document
        From :func:`darkstats.workspace.hs3.read_hs3`.
    analysis
        Its name; the first by default.
    poi
        Parameter of interest, where it is not that of the analysis.

    Raises
    ------
    DocumentError
        The likelihood is not understood, has no closed form, or has HistFactory channels alone.
    WorkspaceError
        The HistFactory channels are no valid workspace.
    UnknownNameError
        There is no such analysis or parameter.
    """
    chosen = document.analysis(analysis)
    if not is_combined(chosen):
        return compile_analysis(document, chosen, poi=poi)
    part = histfactory_part(document, chosen.name)
    names = parameter_names(part, chosen.name)
    known = {one.name for one in chosen.parameters}
    for name in names.values():
        if name not in known:
            raise DocumentError(
                f"parameter {name!r} of the HistFactory channels has no value in the parameter "
                f"points of {chosen.name!r}", source=document.source,
                remedy="add it there, and its range to the domain unless it is constant",
            )  # fmt: skip
    events_alone = events_part(document, chosen, set(names.values()))
    if not events_alone.channels:
        raise DocumentError(
            f"analysis {chosen.name!r} has HistFactory channels only, and others have channels of "
            "events", source=document.source,
            remedy="keep one kind of analysis in the document",
        )  # fmt: skip
    events = compile_analysis(document, events_alone, poi=poi, elsewhere=set(names.values()))
    workspace = Workspace.from_document(
        histfactory_workspace(part, chosen.name),
        document.source,
        accept=_WITHOUT_SIGNAL,
        usable=False,
    )
    model = compile_workspace(workspace, chosen.name, poi="")
    places = {one.name: n for n, one in enumerate(events.parameters)}
    binned = BinnedPart(
        model=model,
        places=np.array([places.get(names[one], -1) for one in model.parameter_names], dtype=int),
    )
    parameters = _shared(events.parameters, model, names)
    combined = CombinedModel(
        digest=digest_of(
            {"document": document.digest, "analysis": chosen.name, "poi": events.poi_name}
        ),
        document_digest=document.digest,
        analysis=chosen.name,
        values=chosen.values,
        parameters=parameters,
        poi_index=events.poi_index,
        events=events,
        binned=binned,
        observation=events.observation,
    )
    return replace(combined, observation=combined.observe(events.observation))


def _shared(
    parameters: tuple[Parameter, ...], model: HistFactoryModel, names: Mapping[str, str]
) -> tuple[Parameter, ...]:
    """Parameters of the whole: what the bins say of theirs, under the names of the document."""
    in_bins = {names[one.name]: one for one in model.parameters}
    found = []
    for one in parameters:
        beside = in_bins.get(one.name)
        if beside is None:
            found.append(one)
            continue
        channels = tuple(dict.fromkeys((*one.channels, *beside.channels)))
        found.append(
            replace(
                beside, name=one.name, init=one.init, lower=one.lower, upper=one.upper,
                channels=channels,
            )
        )  # fmt: skip
    return tuple(found)
