"""Sidecars of workspaces that are made of others: what still holds of them.

A combination, a part of a workspace or one under other names has channels, axes and edges of those
it was made of, and is as simulated as they are. Only what holds of the new one is carried.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.report.sidecar import read_sidecar, with_own_signal
from darkstats.signals.searched import searched_of
from darkstats.workspace.documents import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.workspace.json_values import JsonObject
    from darkstats.workspace.own_signals import OwnSignal
    from darkstats.workspace.spec import Workspace

__all__ = ["carried", "joined", "other_signals", "sidecar_document"]

_OF_A_COMBINATION = ("poi_label", "collision", "reference_cross_section_pb", "searched")


def sidecar_document(source: str, own: OwnSignal | None = None) -> JsonObject:
    """Return the sidecar of a workspace file as it is written, empty where there is none.

    ``own`` is what a patch has said of a signal in the place of that of the search.

    Raises
    ------
    DocumentError
        The file exists and is no sidecar.
    """
    found = read_sidecar(source)
    if not found.source:
        return {}
    document: JsonObject = parse_json(Path(found.source).read_bytes(), source=found.source)
    return document if own is None else with_own_signal(document, own)


def carried(
    sidecar: JsonObject,
    workspace: Workspace,
    *,
    channels: Mapping[str, str] | None = None,
    modifiers: Mapping[str, str] | None = None,
) -> JsonObject:
    """Return what a sidecar says of a workspace that was made of its own.

    Parameters
    ----------
    sidecar
        A sidecar, empty where there is none.
    workspace
        What was made. Labels of channels that it does not have, or with other bins, are left out.
    channels, modifiers
        New names, by old ones; groups of nuisance parameters name those as well.
    """
    if not sidecar:
        return {}
    new, pulls = channels or {}, modifiers or {}
    bins = {one["name"]: len(one["data"]) for one in workspace.document["observations"]}
    labels = {new.get(name, name): words for name, words in sidecar.get("channels", {}).items()}
    kept = {
        name: words
        for name, words in labels.items()
        if name in bins and len(words.get("edges") or [0] * (bins[name] + 1)) == bins[name] + 1
    }
    groups = {
        name: [pulls.get(pattern, pattern) for pattern in patterns]
        for name, patterns in sidecar.get("groups", {}).items()
    }
    found = {key: value for key, value in sidecar.items() if key not in {"channels", "groups"}}
    return found | {key: v for key, v in (("channels", kept), ("groups", groups)) if v}


def other_signals(
    left: JsonObject, right: JsonObject, *, scales: Mapping[str, float]
) -> tuple[str, ...]:
    """Return what a reader has to know where signal strength 1 is not alike in two sidecars.

    Parameters
    ----------
    left, right, scales
        As :func:`joined` takes them.
    """
    words = []
    sizes = [
        (one.get("reference_cross_section_pb"), scales.get(side, 1.0), side)
        for one, side in ((left, "left"), (right, "right"))
    ]
    stated = [size * scale for size, scale, _ in sizes if size is not None]
    if len(stated) > 1 and not math.isclose(stated[0], stated[1], rel_tol=1e-9):
        words.append(
            f"signal strength 1 is {stated[0]:g} pb in the left workspace and {stated[1]:g} pb in "
            "the right one, and one parameter multiplies both: where it shall mean one cross "
            'section, say "signal_scale" in a --map'
        )
    found = [one.get("searched") for one in (left, right)]
    if all(found) and found[0] != found[1]:
        said = " and ".join(searched_of(one).words for one in found)
        words.append(
            f"the workspaces are of other searches, {said}: one signal strength of both is that "
            "of a model which makes both"
        )
    return tuple(words)


def joined(
    left: JsonObject, right: JsonObject, workspace: Workspace, *, scales: Mapping[str, float]
) -> JsonObject:
    """Return what two sidecars say of the combination of their workspaces.

    Parameters
    ----------
    left, right
        The sidecars, empty where there are none.
    workspace
        The combination.
    scales
        Factors of the signals, by side: those of their reference cross sections as well.

    Returns
    -------
    dict
        Simulated if both say so, and data if both are; channels and groups of both, the
        left one first; the title of both; and what both say alike. Empty where nothing is left.
    """
    sides = [dict(one) for one in (left, right)]
    for one, side in zip(sides, ("left", "right"), strict=True):
        if "reference_cross_section_pb" in one:
            one["reference_cross_section_pb"] *= scales.get(side, 1.0)
    found: dict[str, Any] = {}
    for key in ("simulated", *_OF_A_COMBINATION):
        ours, theirs = (one.get(key) for one in sides)
        if ours is not None and ours == theirs:
            found[key] = ours
    # A sum of which one part has the efficiency in it is no cross section, either.
    benchmarks = [name for one in sides for name in one.get("benchmarks", ())]
    if benchmarks:
        found["benchmarks"] = list(dict.fromkeys(benchmarks))
    titles = [str(one["title"]) for one in sides if one.get("title")]
    if titles:
        found["title"] = " + ".join(dict.fromkeys(titles))
    for key in ("channels", "groups"):
        both = {**sides[1].get(key, {}), **sides[0].get(key, {})}
        if both:
            found[key] = both
    return carried({"schema": "darkstats.meta/1", **found}, workspace) if found else {}
