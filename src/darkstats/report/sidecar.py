"""The sidecar ``NAME.meta.json`` beside ``NAME.json``: labels, units, edges, and what is simulated.

The workspace schema has no place for them. All keys are optional::

    {"schema": "darkstats.meta/1", "simulated": true, "title": "Bump hunt", "poi_label": "mu",
     "channels": {"SR": {"label": "Signal region", "axis": "m (GeV)", "edges": [0, 1, 2]}},
     "labels": {"m1": {"title": "m(chargino)", "unit": "GeV"}},
     "collision": {"sqrt_s_gev": 13000, "beams": "p p", "collaboration": "ATLAS",
                   "reaction": "P P --> CHARGINO NEUTRALINO"},
     "groups": {"jets": ["JES_*", "JER_*"]},
     "reference_cross_section_pb": 0.5, "benchmarks": ["lfv_efficiency"],
     "searched": {"production": "mumu", "final_state": "invisible"}}

``groups`` of nuisance parameters, by patterns of their names, are for impacts;
``labels`` are those of the patch set; ``collision`` is for exports, and no key of it is guessed.
The reference cross section is that of signal strength 1, the same for all hypotheses, and
``benchmarks`` say what it is of: a search whose efficiency is in it has ``lfv_efficiency``. Both,
what was ``searched`` (:class:`darkstats.signals.searched.Searched`), the label of the parameter of
interest, ``labels`` and the reaction are those of the search's own signal: a patch that puts
another one in its place (:mod:`darkstats.workspace.own_signals`) has none of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, OptionError, in_words
from darkstats.workspace.documents import parse_json
from darkstats.workspace.report import LARGEST_NUMBER

if TYPE_CHECKING:
    from darkstats.signals.searched import Searched
    from darkstats.workspace.json_values import JsonObject
    from darkstats.workspace.own_signals import OwnSignal

__all__ = [
    "CITATION_TEXTS",
    "COLLISION_TEXTS",
    "ChannelLabels",
    "Sidecar",
    "read_sidecar",
    "sidecar_of",
    "sidecar_path",
    "with_own_signal",
]

_SCHEMA = "darkstats.meta/1"
_LARGEST = 4 * 1024 * 1024
_LARGEST_LUMINOSITY_IPB = 1e15
_LARGEST_CROSS_SECTION_PB = 1e15
_LARGEST_ENERGY_GEV = 1e9  # beyond any accelerator: the unit is another one
#: What is said of a collision in words, besides ``sqrt_s_gev``.
COLLISION_TEXTS = ("beams", "collaboration", "reaction")
_REACTION = "reaction"
#: What is said of the citation of a bundle in words, besides ``authors``.
CITATION_TEXTS = ("doi", "url", "license", "version", "repository")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLabels:
    """Name to print, axis title with unit, and bin edges of a channel."""

    label: str | None = None
    axis: str | None = None
    edges: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What a figure needs to know beyond the workspace; empty where no sidecar exists."""

    simulated: bool | None = None
    title: str | None = None
    poi_label: str | None = None
    channels: Mapping[str, ChannelLabels] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    collision: Mapping[str, float | str] | None = None
    luminosity_ipb: float | None = None
    citation: Mapping[str, str | list[str]] | None = None
    reference_cross_section_pb: float | None = None
    benchmarks: tuple[str, ...] = ()
    searched: Searched | None = None
    source: str = ""

    @property
    def edges(self) -> Mapping[str, tuple[float, ...]]:
        """Bin edges by channel, of the channels that have them."""
        return {name: one.edges for name, one in self.channels.items() if one.edges is not None}

    def of_signal(self, own: OwnSignal) -> Sidecar:
        """The same search, where another signal stands in the place of its own."""
        collision = self.collision and {k: v for k, v in self.collision.items() if k != _REACTION}
        return replace(
            self, poi_label=None, labels={}, collision=collision or None, benchmarks=(),
            searched=None, reference_cross_section_pb=own.reference_cross_section_pb,
        )  # fmt: skip

    def require_edges(self, n_bins: Mapping[str, int]) -> None:
        """Raise unless every channel has one edge more than bins, by the names in ``n_bins``.

        Raises
        ------
        DocumentError
            Edges that do not fit would draw a figure of other bins; names the channel.
        """
        for name, labels in self.channels.items():
            found, wanted = len(labels.edges or ()), n_bins.get(name, 0) + 1
            if labels.edges is None or name not in n_bins or found == wanted:
                continue
            raise DocumentError(
                f"has {found} edges for the {n_bins[name]} bins of channel {name!r}",
                source=self.source,
                pointer=f"/channels/{name}/edges",
                remedy=f"give {wanted} edges, or leave them out",
            )


def sidecar_path(source: str) -> Path:
    """Return the path of the sidecar of a workspace file, whether there is one or not."""
    path = Path(source)
    stem = re.sub(r"\.(gz|xz|bz2)$", "", path.name).removesuffix(".json")
    return path.with_name(f"{stem}.meta.json")


def read_sidecar(source: str) -> Sidecar:
    """Return the sidecar of a workspace file, an empty one where there is none.

    Raises
    ------
    DocumentError
        The file exists and is no sidecar.
    """
    if source == "-":
        return Sidecar()
    beside = sidecar_path(source)
    if not beside.is_file():
        return Sidecar()
    try:
        if beside.stat().st_size > _LARGEST:
            raise DocumentError("is too large for labels", source=str(beside))
        data = beside.read_bytes()
    except OSError as error:
        raise DocumentError(f"cannot be read: {in_words(error)}", source=str(beside)) from error
    return sidecar_of(parse_json(data, source=str(beside)), str(beside))


def with_own_signal(document: JsonObject, own: OwnSignal) -> JsonObject:
    """The document of a sidecar, as :meth:`Sidecar.of_signal`."""
    of_search = {
        "poi_label", "labels", "reference_cross_section_pb", "collision", "benchmarks", "searched",
    }  # fmt: skip
    found = {key: value for key, value in document.items() if key not in of_search}
    collision = {k: v for k, v in (document.get("collision") or {}).items() if k != _REACTION}
    if collision:
        found["collision"] = collision
    if own.reference_cross_section_pb is not None:
        found["reference_cross_section_pb"] = own.reference_cross_section_pb
    return found


def sidecar_of(document: object, source: str) -> Sidecar:
    """Return the sidecar that a document is.

    Raises
    ------
    DocumentError
        It is none; names the place.
    """
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        raise DocumentError(
            f'is no sidecar: it has no "schema": "{_SCHEMA}"', source=source, remedy="add it"
        )
    channels = document.get("channels", {})
    if not isinstance(channels, dict):
        raise DocumentError("is no object", source=source, pointer="/channels")
    return Sidecar(
        simulated=_typed(document, "simulated", bool, source),
        title=_typed(document, "title", str, source),
        poi_label=_typed(document, "poi_label", str, source),
        channels={name: _channel(item, name, source) for name, item in channels.items()},
        labels=_labels(document.get("labels", {}), source),
        groups=_groups(document.get("groups", {}), source),
        collision=_collision(document.get("collision"), source),
        luminosity_ipb=_positive(
            document, "luminosity_ipb", source,
            what="luminosity", unit="1/pb", largest=_LARGEST_LUMINOSITY_IPB,
        ),
        citation=_citation(document.get("citation"), source),
        reference_cross_section_pb=_positive(
            document, "reference_cross_section_pb", source,
            what="cross section", unit="pb", largest=_LARGEST_CROSS_SECTION_PB,
        ),
        benchmarks=_benchmarks(document.get("benchmarks", []), source),
        searched=_searched(document.get("searched"), source),
        source=source,
    )  # fmt: skip


def _searched(item: object, source: str) -> Searched | None:
    """What the search looked for."""
    if item is None:
        return None
    from darkstats.signals.searched import searched_of

    try:
        return searched_of(item)
    except OptionError as error:
        raise DocumentError(
            str(error), source=source, pointer="/searched",
            remedy="leave it out where nothing says it",
        ) from None  # fmt: skip


def _benchmarks(items: object, source: str) -> tuple[str, ...]:
    """Names of benchmarks."""
    if not isinstance(items, list) or not all(isinstance(one, str) for one in items):
        raise DocumentError(
            "is no list of names", source=source, pointer="/benchmarks",
            remedy="name benchmarks of darkstats, or leave it out",
        )  # fmt: skip
    return tuple(items)


def _labels(items: object, source: str) -> dict[str, dict[str, str]]:
    """Title and unit of labels of the patch set."""
    if not isinstance(items, dict):
        raise DocumentError("is no object", source=source, pointer="/labels")
    for name, words in items.items():
        known = {"title", "unit"}
        if not isinstance(words, dict) or not known.issuperset(words):
            raise DocumentError(
                "is no object with title and unit alone", source=source, pointer=f"/labels/{name}",
                remedy='write {"title": "m(chargino)", "unit": "GeV"}',
            )  # fmt: skip
        for key, text in words.items():
            if not isinstance(text, str):
                raise DocumentError("is no text", source=source, pointer=f"/labels/{name}/{key}")
    return {name: dict(words) for name, words in items.items()}


def _groups(items: object, source: str) -> dict[str, tuple[str, ...]]:
    """Patterns of nuisance parameters by group."""
    if not isinstance(items, dict):
        raise DocumentError("is no object", source=source, pointer="/groups")
    for name, patterns in items.items():
        good = isinstance(patterns, list) and patterns and name
        if not good or not all(isinstance(one, str) and one for one in patterns):
            raise DocumentError(
                "is no list of patterns", source=source, pointer=f"/groups/{name}",
                remedy='write {"jets": ["JES_*", "JER_*"]}',
            )  # fmt: skip
    return {name: tuple(patterns) for name, patterns in items.items()}


def _collision(items: object, source: str) -> dict[str, float | str] | None:
    if items is None:
        return None
    place = "/collision"
    if not isinstance(items, dict):
        raise DocumentError("is no object", source=source, pointer=place)
    found: dict[str, float | str] = {}
    for key, value in items.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if key == "sqrt_s_gev" and number and 0.0 < value < _LARGEST_ENERGY_GEV:
            found[key] = float(value)
        elif key in COLLISION_TEXTS and isinstance(value, str) and value:
            found[key] = value
        else:
            raise DocumentError(
                f"has {key!r}: {str(value)[:40]!r}", source=source, pointer=place,
                remedy="write sqrt_s_gev as a number in GeV, beams, collaboration and reaction as "
                "text",
            )  # fmt: skip
    return found


def _positive(
    document: JsonObject, key: str, source: str, *, what: str, unit: str, largest: float
) -> float | None:
    """A size of the search that is a number above zero, in the unit of its key."""
    value = document.get(key)
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and 0.0 < value < largest:
        return float(value)
    raise DocumentError(
        f"is no {what} above zero", source=source, pointer=f"/{key}",
        remedy=f"write it as a number, in {unit}",
    )  # fmt: skip


def _citation(items: object, source: str) -> dict[str, str | list[str]] | None:
    if items is None:
        return None
    place = "/citation"
    if not isinstance(items, dict):
        raise DocumentError("is no object", source=source, pointer=place)
    for key, value in items.items():
        words = value if key == "authors" and isinstance(value, list) and value else [value]
        known = key == "authors" if words is value else key in CITATION_TEXTS
        if not known or not all(isinstance(word, str) and word.strip() for word in words):
            raise DocumentError(
                f"has {key!r}: {str(value)[:40]!r}", source=source, pointer=place,
                remedy=f"write authors as a list of names, and {', '.join(CITATION_TEXTS)} as text",
            )  # fmt: skip
    return dict(items)


def _typed(document: JsonObject, key: str, kind: type, source: str) -> Any:  # noqa: ANN401 -- of `kind`
    value = document.get(key)
    if value is not None and not isinstance(value, kind):
        raise DocumentError(f"is no {kind.__name__}", source=source, pointer=f"/{key}")
    return value


def _is_axis(key: str, value: object) -> bool:
    """Whether a key of a channel holds edges of a further axis, such as ``theta_edges_deg``."""
    return key != "edges" and "edges" in key.split("_") and isinstance(value, list)


def _channel(item: object, name: str, source: str) -> ChannelLabels:
    if not isinstance(item, dict):
        raise DocumentError("is no object", source=source, pointer=f"/channels/{name}")
    edges = item.get("edges")
    if edges is not None:
        good = isinstance(edges, list) and all(type(edge) in (int, float) for edge in edges)
        if not good or any(b <= a for a, b in pairwise(edges)):
            raise DocumentError(
                "are no rising numbers", source=source, pointer=f"/channels/{name}/edges"
            )
        if any(abs(edge) > LARGEST_NUMBER for edge in edges):
            raise DocumentError(
                f"are not all within {LARGEST_NUMBER:g}",
                source=source,
                pointer=f"/channels/{name}/edges",
                remedy="give the edges that the bins have: no axis reaches beyond",
            )
    if any(_is_axis(key, item[key]) for key in item):
        edges = None  # those of one axis of several: they are not the edges of the bins
    return ChannelLabels(
        label=_typed(item, "label", str, source),
        axis=_typed(item, "axis", str, source),
        edges=None if edges is None else tuple(float(edge) for edge in edges),
    )
