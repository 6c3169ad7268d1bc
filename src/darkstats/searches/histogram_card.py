"""A card that names histograms of one's own: from files to a workspace, patches and a sidecar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray, frozen_floats
from darkstats.errors import UnknownNameError
from darkstats.searches.card_file import Entry, read_card_file
from darkstats.searches.event_card import OF_EVENTS, EventHistograms
from darkstats.searches.histogram_doubts import doubted_errors, doubted_units, outside_words
from darkstats.searches.histogram_files import OwnHistogram, read_histogram
from darkstats.searches.signal_interpolation import interpolated_signals
from darkstats.searches.signal_interpolation import words_of as words_of_interpolation
from darkstats.searches.variation_card import STEPS, bins_of, declared_steps, words_of
from darkstats.workspace import Finding, PatchSet, Workspace, apply_patch, pyhf_digest
from darkstats.workspace.loose_patches import PLACEHOLDER

__all__ = ["MADE_OF", "BuiltTemplates", "build_templates", "is_cabinetry"]

#: Key of a sidecar: which card it was made of, and what was done with the histograms.
MADE_OF = "templates"

_TOP = ("channels",)
_ALSO = (
    "name", "poi", "file", "tree", "signals", "labels", "parameters", "luminosity", "simulated",
    "title", "collision", "interpolate",
)  # fmt: skip
_SAMPLE = ("histogram", "counts", "file", "stat", "free", "yields", "variations", "scale", "lumi")
_CHANNEL = ("data", "axis", "label", "variable", "edges", "selection")
_ROUNDING = 1e-9
_LUMI = "lumi"  # as the workspace schema asks
_OF_CABINETRY = {"General", "Regions", "Samples"}

Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltTemplates:
    """What a card of histograms makes.

    Parameters
    ----------
    workspace
        The workspace: with its signal, or background only where ``patchset`` has the signals.
    patchset
        One patch for each signal; None without signals.
    sidecar
        Labels, edges and what is simulated.
    notes
        What a reader should know: events outside histograms, variations that were mirrored.
    events
        What went into each histogram that was filled from events, by its place in the card.
    steps
        Steps on variations that the card declares, each with what it changed.
    interpolation
        How signals between the simulated ones were made, and what validates them.
    warnings
        Of the lint of the workspace, with the last signal on it where there are several.
    """

    workspace: Workspace = field(repr=False)
    patchset: Item | None = field(repr=False)
    sidecar: Item = field(repr=False)
    notes: tuple[str, ...]
    events: tuple[Item, ...] = field(default=(), repr=False)
    steps: tuple[Item, ...] = field(default=(), repr=False)
    interpolation: Item | None = field(default=None, repr=False)
    warnings: tuple[Finding, ...] = field(default=(), repr=False)


def is_cabinetry(entry: Entry) -> bool:
    """Whether a card is a configuration of cabinetry."""
    return isinstance(entry.value, dict) and set(entry.value) >= _OF_CABINETRY


def build_templates(path: Path) -> BuiltTemplates:
    """Make workspace, patch set and sidecar of the histograms that a card names.

    Raises
    ------
    CardError
        Something in the card cannot be used: with line and key.
    DocumentError
        A file cannot be read, or a histogram in it is none.
    WorkspaceError
        What they make is no valid workspace.
    PatchError
        A signal has a name that no patch may have, or two have the same name or values.
    """
    card = read_card_file(path)
    card.keys(required=_TOP, optional=_ALSO)
    return _Builder(card, path.parent).built()


class _Builder:
    """Reads a card once; keeps what was noticed on the way."""

    def __init__(self, card: Entry, folder: Path) -> None:
        self.card, self.folder = card, folder
        self.poi = card["poi"].text() if "poi" in card else "mu"
        self.notes: list[str] = []
        self.outside: list[tuple[str, float]] = []
        self.steps: list[Item] = []
        self.interpolation: Item | None = None
        self.edges: dict[str, FloatArray | None] = {}
        self.sizes: dict[str, int] = {}
        self.events = EventHistograms(card, folder)

    def built(self) -> BuiltTemplates:
        channels, observations = [], []
        for name, entry in self.card["channels"].mapping().items():
            entry.keys(required=("samples",), optional=_CHANNEL)
            samples = [
                self.sample(name, one, item) for one, item in entry["samples"].mapping().items()
            ]
            if not samples:
                entry.fail("has no samples")
            channels.append({"name": name, "samples": samples})
            observations.append({"name": name, "data": self.data(name, entry, samples)})
        document: Item = {
            "version": "1.0.0",
            "channels": channels,
            "observations": observations,
            "measurements": [
                {
                    "name": self.card["name"].text() if "name" in self.card else "measurement",
                    "config": {"poi": self.poi, "parameters": self.parameters()},
                }
            ],
        }
        signals = self.signals(document)
        accept = ("poi-unknown", "poi-no-effect") if signals else ()
        workspace = Workspace.from_document(
            document, self.card.source, accept=accept, usable=not signals
        )
        warnings = workspace.warnings
        for one in signals["patches"] if signals else ():  # each has to make a workspace
            label = f"{self.card.source}: signal {one['metadata']['name']}"
            patched = apply_patch(document, one["patch"], source=label)
            warnings = Workspace.from_document(patched, label).warnings
        return BuiltTemplates(
            workspace=workspace,
            patchset=signals,
            sidecar=self.sidecar(),
            notes=tuple(
                dict.fromkeys(
                    [
                        *self.notes,
                        *outside_words(dict(self.outside)),
                        *doubted_units(self.card, self.edges),
                    ]
                )
            ),
            events=self.events.told,
            steps=tuple(self.steps),
            interpolation=self.interpolation,
            warnings=tuple(warnings),
        )

    # ------------------------------------------------------------------------- histograms

    def histogram(self, channel: str, entry: Entry, *of: Entry) -> OwnHistogram:
        """A histogram: of events, by name of a file, or counts that stand in the card.

        ``of`` is what it belongs to, the nearest first.
        """
        if entry in self.events:
            found = self.events[entry]
            empty = np.flatnonzero(found.errors == 0.0)  # none where there are no errors
            if len(empty) and not of:
                self.notes.append(
                    f"{entry.key}: no simulated event in {bins_of(empty.tolist())}; what is "
                    "expected there is taken for exactly zero"
                )
        elif isinstance(entry.value, list) or (isinstance(entry.value, dict) and "counts" in entry):
            items = entry if isinstance(entry.value, list) else entry["counts"]
            values = frozen_floats([one.number() for one in items])
            found = OwnHistogram(values=values, errors=None, edges=None, place=entry.key)
        else:
            name = entry.text() if isinstance(entry.value, str) else entry["histogram"].text()
            try:
                found = read_histogram(self.folder / self.file(entry, *of), name)
            except UnknownNameError as error:
                entry.fail(str(error))
            if (doubt := doubted_errors(found)) is not None:
                self.notes.append(doubt)
        size = self.sizes.setdefault(channel, len(found.values))
        if len(found.values) != size:
            entry.fail(
                f"has {len(found.values)} bins, and channel {channel!r} has {size}: {found.place}"
            )
        known = self.edges.get(channel)
        if found.edges is not None:
            if known is not None and not np.allclose(known, found.edges, rtol=1e-9, atol=0.0):
                entry.fail(f"{found.place} has other edges than the channel's first histogram")
            self.edges[channel] = found.edges
        least = _ROUNDING * float(np.abs(found.values).sum())  # of sums of weights
        if abs(found.outside) > least and not (of and entry in self.events):
            self.outside.append((found.place, found.outside))
        return found

    def file(self, *places: Entry) -> str:
        """The file of a histogram: its own, that of what it belongs to, or that of the card."""
        entry = places[0]
        named = [
            place["file"]
            for place in (*places, self.card)
            if isinstance(place.value, dict) and "file" in place
        ]
        if not named:
            entry.fail("names no file", "add 'file' here, or at the top of the card")
        return named[0].text()

    # ---------------------------------------------------------------------------- samples

    def sample(self, channel: str, name: str, entry: Entry) -> Item:
        if not isinstance(entry.value, (list, str)):
            entry.keys(optional=(*_SAMPLE, *OF_EVENTS))
            if entry not in self.events:
                for key in OF_EVENTS:
                    if key in entry:
                        entry[key].fail(
                            "goes with events", "give the channel 'variable' and 'edges'"
                        )
        nominal = self.histogram(channel, entry)
        parts = entry.mapping() if isinstance(entry.value, dict) else {}
        scale = parts["scale"].number(above=0.0) if "scale" in parts else 1.0
        values = scale * nominal.values
        modifiers: list[Item] = []
        if "free" in parts:
            modifiers.append({"name": parts["free"].text(), "type": "normfactor", "data": None})
        if "lumi" in parts and parts["lumi"].flag():
            if "luminosity" not in self.card:
                parts["lumi"].fail("the card has no 'luminosity'", "add value_ifb, relative_error")
            modifiers.append({"name": _LUMI, "type": "lumi", "data": None})
        if "yields" in parts:
            modifiers += [self.flat(key, one) for key, one in parts["yields"].mapping().items()]
        if "variations" in parts:
            for key, one in parts["variations"].mapping().items():
                modifiers.append(
                    self.varied(channel, key, one, of=entry, nominal=values, scale=scale)
                )
        kind = parts["stat"].text(choices=("shared", "own", "none")) if "stat" in parts else None
        if kind != "none" and nominal.errors is not None and np.any(nominal.errors > 0.0):
            modifiers.append(self.stat(channel, name, kind, scale * nominal.errors))
        elif kind in {"shared", "own"}:
            parts["stat"].fail(f"{nominal.place} has no errors", "drop 'stat', or add the errors")
        return {"name": name, "data": values.tolist(), "modifiers": modifiers}

    def stat(self, channel: str, name: str, kind: str | None, errors: FloatArray) -> Item:
        if kind == "own":
            return {"name": f"{name}_stat_{channel}", "type": "shapesys", "data": errors.tolist()}
        return {"name": f"staterror_{channel}", "type": "staterror", "data": errors.tolist()}

    def flat(self, key: str, entry: Entry) -> Item:
        """A relative error, or low and high factors, or a luminosity."""
        if isinstance(entry.value, list):
            low, high = (one.number(above=0.0) for one in self.pair(entry))
        else:
            error = entry.number(above=0.0)
            if error >= 1.0:
                entry.fail(
                    f"a relative error of {error:g} takes the whole yield away",
                    "write 0.05 for 5 %, or [low, high] as factors such as [0.5, 2.0]",
                )
            low, high = 1.0 - error, 1.0 + error
        if key == _LUMI:
            entry.fail(
                "is the name of the luminosity",
                "write 'lumi: true' beside 'yields', and the error once, under 'luminosity'",
            )
        return {"name": key, "type": "normsys", "data": {"lo": low, "hi": high}}

    def pair(self, entry: Entry) -> Sequence[Entry]:
        items = entry.items()
        if len(items) != 2:
            entry.fail(f"has {len(items)} entries", "write [low, high] as factors")
        return items

    def varied(
        self,
        channel: str,
        key: str,
        entry: Entry,
        *,
        of: Entry,
        nominal: FloatArray,
        scale: float,
    ) -> Item:
        """Histograms at plus and minus one standard deviation."""
        entry.keys(optional=("up", "down", "file", *STEPS))
        given = {
            side: scale * self.histogram(channel, entry[side], entry, of).values
            for side in ("up", "down")
            if side in entry
        }
        sides, steps = declared_steps(entry, nominal, given)
        self.steps += steps
        self.notes += map(words_of, steps)
        data = {"hi_data": sides["up"].tolist(), "lo_data": sides["down"].tolist()}
        return {"name": key, "type": "histosys", "data": data}

    # ------------------------------------------------------------------------ data, signals

    def data(self, channel: str, entry: Entry, samples: Sequence[Mapping[str, Any]]) -> list[float]:
        """Observed counts; without any, the sum of what is no signal, which the notes say."""
        if "data" in entry:
            found = self.histogram(channel, entry["data"])
            if np.any(found.values < 0.0):
                entry["data"].fail("has a negative count")
            return list(found.values.tolist())
        self.notes.append(f"channel {channel}: no data are named; the expected background is used")
        total = np.zeros(self.sizes[channel])
        for one in samples:
            if all(modifier["name"] != self.poi for modifier in one["modifiers"]):
                total = total + np.asarray(one["data"])
        return list(total.tolist())

    def signals(self, document: Mapping[str, Any]) -> Item | None:
        if "signals" not in self.card:
            if "interpolate" in self.card:
                self.card["interpolate"].fail("there are no 'signals' to interpolate between")
            return None
        labels = [one.text() for one in self.card["labels"]] if "labels" in self.card else ["name"]
        order = [channel["name"] for channel in document["channels"]]
        patches = []
        for name, entry in self.card["signals"].mapping().items():
            entry.keys(required=("channels",), optional=("values",))
            values: list[Any] = [name]
            if "values" in entry:
                values = [
                    one.value if isinstance(one.value, str) else one.number()
                    for one in entry["values"]
                ]
            if len(values) != len(labels):
                entry.fail(f"has {len(values)} values, and there are {len(labels)} labels")
            operations = []
            for channel, item in entry["channels"].mapping().items():
                if channel not in order:
                    item.fail(f"there is no channel {channel!r}", f"there are {', '.join(order)}")
                sample = self.sample(channel, "signal", item)
                sample["modifiers"].insert(
                    0, {"name": self.poi, "type": "normfactor", "data": None}
                )
                path = f"/channels/{order.index(channel)}/samples/-"
                operations.append({"op": "add", "path": path, "value": sample})
            patches.append({"metadata": {"name": name, "values": values}, "patch": operations})
        if "interpolate" in self.card:
            edges = {name: self.edges.get(name) for name in order}
            patches, self.interpolation = interpolated_signals(
                self.card["interpolate"], patches, labels, order, edges
            )
            self.notes.append(words_of_interpolation(self.interpolation))
        made: Item = {
            "version": "1.0.0",
            "metadata": {
                "name": self.card["name"].text() if "name" in self.card else "signals",
                "description": self.card["title"].text() if "title" in self.card else "signals",
                "labels": labels,
                "digests": {"sha256": pyhf_digest(document)},
                "references": {"hepdata": PLACEHOLDER},
            },
            "patches": patches,
        }
        PatchSet.from_document(made, self.card.source)  # names, values, no two alike
        return made

    # ----------------------------------------------------------------------- what is beside

    def parameters(self) -> list[Item]:
        found: list[Item] = []
        if "luminosity" in self.card:
            entry = self.card["luminosity"]
            entry.keys(required=("value_ifb", "relative_error"))
            error = entry["relative_error"].number(above=0.0, high=1.0)
            found.append(
                {
                    "name": _LUMI,
                    "auxdata": [1.0],
                    "sigmas": [error],
                    "inits": [1.0],
                    "bounds": [[max(0.0, 1.0 - 10.0 * error), 1.0 + 10.0 * error]],
                }
            )
        if "parameters" in self.card:
            for name, entry in self.card["parameters"].mapping().items():
                entry.keys(optional=("init", "bounds", "fixed"))
                item: Item = {"name": name}
                if "init" in entry:
                    item["inits"] = [entry["init"].number()]
                if "bounds" in entry:
                    item["bounds"] = [[one.number() for one in self.pair(entry["bounds"])]]
                if "fixed" in entry:
                    item["fixed"] = entry["fixed"].flag()
                found.append(item)
        return found

    def sidecar(self) -> Item:
        channels: dict[str, Item] = {}
        for name, entry in self.card["channels"].mapping().items():
            words: Item = {key: entry[key].text() for key in ("label", "axis") if key in entry}
            edges = self.edges.get(name)
            if edges is not None:
                words["edges"] = edges.tolist()
            channels[name] = words
        found: Item = {"schema": "darkstats.meta/1", "channels": channels}
        if "simulated" in self.card:
            found["simulated"] = self.card["simulated"].flag()
        elif not any("data" in entry for entry in self.card["channels"].mapping().values()):
            found["simulated"] = True  # the expected background in the place of data
        if "title" in self.card:
            found["title"] = self.card["title"].text()
        if "luminosity" in self.card:
            value_ifb = self.card["luminosity"]["value_ifb"].number(above=0.0)
            found["luminosity_ipb"] = 1e3 * value_ifb
        if "collision" in self.card:
            found["collision"] = self.card["collision"].plain()
        made: Item = {"card": Path(self.card.source).name}
        if self.steps:
            made["steps"] = [_without_contents(one) for one in self.steps]
        if self.interpolation is not None:
            checks = [_without_contents(one) for one in self.interpolation["leave_one_out"]]
            made["interpolation"] = self.interpolation | {"leave_one_out": checks}
        return found | {MADE_OF: made}


def _without_contents(told: Item) -> Item:
    """What is said of a step, without the contents of histograms."""
    return {key: one for key, one in told.items() if not isinstance(one, list)}
