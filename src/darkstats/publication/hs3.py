"""The likelihood of a bundle as HS3: written, and compared with the workspace beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from darkstats.errors import InputError
from darkstats.model import HistFactoryModel
from darkstats.model.hs3_writing import hs3_document
from darkstats.publication.documents import Documents
from darkstats.publication.findings import DIFFERS, MALFORMED, Problem
from darkstats.publication.hypotheses import WITHOUT_SIGNAL, compiled
from darkstats.report.sidecar import sidecar_of
from darkstats.workspace import Workspace
from darkstats.workspace.archives import unpacked
from darkstats.workspace.documents import parse_json
from darkstats.workspace.hs3.document import HS3_VERSION, Hs3Document, render_hs3
from darkstats.workspace.hs3.histfactory import histfactory_workspace

__all__ = ["HS3_VERSION", "compare_hs3", "hs3_file", "hs3_name"]

_CLOSE = 1e-9  # relative; what is written has all digits
_MOST_PROBLEMS = 5


def hs3_name(documents: Documents) -> str:
    """Name of the file in a bundle: ``background_only.hs3.json``."""
    stem = documents.workspace_file.removesuffix(".gz").removesuffix(".json")
    return f"{stem}.hs3.json"


def hs3_file(documents: Documents, title: str) -> bytes:
    """Return the workspace of a bundle as an HS3 document, one item a line.

    Parameters
    ----------
    documents
        What the bundle is about; of its signals, those that the workspace has.
    title
        Of the search, for the metadata.

    Raises
    ------
    InputError
        A measurement makes no model.
    """
    stated = documents.sidecar
    edges = sidecar_of(dict(stated), documents.workspace_file).edges if stated else {}
    return render_hs3(hs3_document(documents.workspace, edges=edges, description=title)).encode()


def compare_hs3(data: bytes, name: str, documents: Documents) -> list[Problem]:
    """Where an HS3 document says another likelihood than the workspace; few places.

    Data, parameters with starts, ranges and constraints, and rates at two points are compared, for
    each measurement.
    """
    try:
        document = Hs3Document.from_document(parse_json(unpacked(data, name), source=name), name)
        problems = [
            Problem(kind=DIFFERS, place=f"{name}, analysis {measurement}", text=text)
            for measurement in documents.workspace.measurement_names
            for text in _differences(document, documents, measurement)
        ]
    except InputError as error:
        text = str(error).removeprefix(f"{name}: ")
        return [Problem(kind=MALFORMED, place=name, text=text)]
    rest = len(problems) - _MOST_PROBLEMS
    if rest > 0:
        more = Problem(kind=DIFFERS, place=name, text=f"and {rest} more differences")
        return [*problems[:_MOST_PROBLEMS], more]
    return problems


def _differences(document: Hs3Document, documents: Documents, measurement: str) -> Iterator[str]:
    found = Workspace.from_document(
        histfactory_workspace(document, measurement), document.source,
        accept=WITHOUT_SIGNAL, usable=False,
    )  # fmt: skip
    stated, model = compiled(found, measurement), compiled(documents.workspace, measurement)
    if stated.bins_by_channel != model.bins_by_channel:
        yield "has other channels or bins than the workspace"
        return
    if stated.parameter_names != model.parameter_names:
        lost = sorted(set(model.parameter_names) ^ set(stated.parameter_names))[:3]
        yield f"has other parameters than the workspace: {', '.join(lost) or 'another order'}"
        return
    if stated.poi_name != model.poi_name:
        yield f"has the parameter of interest {stated.poi_name}, the workspace {model.poi_name}"
    for one, other in zip(stated.parameters, model.parameters, strict=True):
        for key in ("constraint", "fixed", "init", "lower", "upper", "auxdata", "width"):
            said, wanted = getattr(one, key), getattr(other, key)
            if not _same(said, wanted):
                yield f"{key} of {one.name} is {said}, {wanted} in the workspace"
    counts = (stated.observation.counts, model.observation.counts)
    yield from _apart(model, "observed events", *counts)
    for words, point in _points(model):
        rates = stated.expected_rates(point), model.expected_rates(point)
        yield from _apart(model, f"expected events at {words}", *rates)


def _same(said: object, wanted: object) -> bool:
    if isinstance(said, float) and isinstance(wanted, float):
        return math.isclose(said, wanted, rel_tol=_CLOSE)
    return said == wanted


def _points(model: HistFactoryModel) -> Iterator[tuple[str, Any]]:
    """The start, and a point at which every parameter is moved, each by another step."""
    start = model.inits
    yield "the start", start
    steps = 0.9 * np.sin(1.0 + np.arange(model.n_parameters))
    low = np.array([parameter.lower for parameter in model.parameters])
    high = np.array([parameter.upper for parameter in model.parameters])
    yield "a point off it", np.clip(start + steps, low, high)


def _apart(model: HistFactoryModel, what: str, stated: Any, wanted: Any) -> Iterator[str]:  # noqa: ANN401 -- arrays [bin]
    stated, wanted = np.asarray(stated), np.asarray(wanted)
    bad = np.flatnonzero(~(np.abs(stated - wanted) <= _CLOSE * np.maximum(np.abs(wanted), 1e-300)))
    if len(bad):
        b = int(bad[0])
        channel = next(one for one in model.channels if one.start <= b < one.stop)
        yield (
            f"{what}, bin {b - channel.start} of channel {channel.name!r}: {stated[b]:.6g}, "
            f"{wanted[b]:.6g} in the workspace"
            + (f" ({len(bad)} bins differ)" if len(bad) > 1 else "")
        )
