"""Random workspaces that pyhf accepts, and ways to break them.

Three sources, one recipe:

* ``random_workspace(rng)``: a document from a NumPy generator, fast, for thousands of cases;
* ``workspaces()``: the same recipe as a Hypothesis strategy, keyed by a drawn seed, with sizes that
  shrink;
* ``corrupt(rng, document)``: JSON text of a document with one to three faults.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """Upper limits of what a random workspace holds."""

    channels: int = 3
    samples: int = 3
    bins: int = 4
    systematics: int = 3


# --- valid workspaces -----------------------------------------------------------------------


def random_workspace(rng: np.random.Generator, size: Size | None = None) -> Document:
    """Return a valid workspace: every modifier type, shared names, parameter settings.

    Yields are of order 1 to 200 events and data are close to them, so that densities stay finite
    in the neighbourhood of the initial values.
    """
    recipe = _Recipe(rng, size or Size())
    return recipe.build()


@st.composite
def workspaces(draw: st.DrawFn, *, max_size: Size | None = None) -> Document:
    """Hypothesis strategy of valid workspaces; small sizes come first when it shrinks."""
    most = max_size or Size()
    size = Size(
        channels=draw(st.integers(1, most.channels)),
        samples=draw(st.integers(1, most.samples)),
        bins=draw(st.integers(1, most.bins)),
        systematics=draw(st.integers(0, most.systematics)),
    )
    return random_workspace(np.random.default_rng(draw(st.integers(0, 2**32 - 1))), size)


class _Recipe:
    def __init__(self, rng: np.random.Generator, size: Size) -> None:
        self.rng, self.size = rng, size
        self.kinds: dict[str, str] = {}  # parameter name -> modifier type
        self.components: dict[str, int] = {}  # parameter name -> number of components

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def numbers(self, low: float, high: float, n: int) -> list[float]:
        return [float(v) for v in np.round(self.rng.uniform(low, high, n), 4)]

    def build(self) -> Document:
        rng, size = self.rng, self.size
        n_channels = int(rng.integers(1, size.channels + 1))
        names = [f"channel{i}" for i in range(n_channels)]
        rng.shuffle(names)  # pyhf sorts channels by name: their order must not matter
        same_bins = int(rng.integers(1, size.bins + 1)) if self.chance(0.5) else None
        bins = {name: same_bins or int(rng.integers(1, size.bins + 1)) for name in names}
        shared = self.shared_names()
        channels = [self.channel(name, bins[name], shared) for name in names]
        self.share_shapefactor(channels, bins)
        self.add_staterror(channels, bins)
        self.add_lumi(channels)
        has_poi = not self.chance(0.1)
        self.add_signal(channels)
        document = {
            "channels": channels,
            "observations": [{"name": name, "data": self.data(channels, name)} for name in names],
            "measurements": [
                self.measurement(f"measurement{i}", has_poi)
                for i in range(1 + int(self.chance(0.2)))
            ],
            "version": "1.0.0",
        }
        if self.chance(0.1):
            rng.shuffle(document["observations"])
        return document

    def shared_names(self) -> list[tuple[str, tuple[str, ...]]]:
        """Names that any sample may use, each with the modifier types it may have there."""
        found: list[tuple[str, tuple[str, ...]]] = []
        for index in range(int(self.rng.integers(0, self.size.systematics + 1))):
            kinds = [("normsys",), ("histosys",), ("normsys", "histosys"), ("normfactor",)]
            kind = kinds[int(self.rng.integers(len(kinds)))]
            found.append((f"{'_and_'.join(kind)}{index}", kind))
        return found

    def channel(self, name: str, bins: int, shared: list[tuple[str, tuple[str, ...]]]) -> Document:
        n_samples = int(self.rng.integers(1, self.size.samples + 1))
        return {
            "name": name,
            "samples": [
                self.sample(f"background{i}", name, bins, shared) for i in range(n_samples)
            ],
        }

    def sample(
        self, name: str, channel: str, bins: int, shared: list[tuple[str, tuple[str, ...]]]
    ) -> Document:
        data = self.numbers(2.0, 200.0, bins)
        if self.chance(0.15):
            data = [float(round(v)) for v in data]
        if bins > 1 and name != "background0" and self.chance(0.2):
            data[int(self.rng.integers(bins))] = 0.0
        modifiers = []
        for parameter, kinds in shared:
            modifiers += [self.modifier(parameter, k, data) for k in kinds if self.chance(0.6)]
        if self.chance(0.3):
            modifiers.append(self.shapesys(f"shapesys_{channel}_{name}", data))
        if self.chance(0.3):
            kind = str(self.rng.choice(["normsys", "histosys", "normfactor"]))
            modifiers.append(self.modifier(f"{kind}_{channel}_{name}", kind, data))
        self.rng.shuffle(modifiers)
        return {"name": name, "data": data, "modifiers": modifiers}

    def modifier(self, name: str, kind: str, data: list[float]) -> Document:
        self.kinds[name], self.components[name] = kind, 1
        rng = self.rng
        if kind == "normfactor":
            return {"name": name, "type": kind, "data": None}
        if kind == "normsys":
            low, high = float(rng.uniform(0.7, 0.99)), float(rng.uniform(1.01, 1.4))
            if self.chance(0.1):
                low, high = high, low
            if self.chance(0.1):
                low = high  # one-sided
            return {"name": name, "type": kind, "data": {"lo": round(low, 4), "hi": round(high, 4)}}
        scales = rng.uniform(-0.2, 0.2, (2, len(data)))
        if self.chance(0.8):
            scales = np.abs(scales) * [[-1.0], [1.0]]
        scale = scales.tolist()
        shift = 0.3 if self.chance(0.2) else 0.0  # templates that fill empty bins
        low_data = [max(round(v * (1 + s), 4), 0.0) for v, s in zip(data, scale[0], strict=True)]
        high_data = [round(v * (1 + s) + shift, 4) for v, s in zip(data, scale[1], strict=True)]
        return {"name": name, "type": kind, "data": {"lo_data": low_data, "hi_data": high_data}}

    def shapesys(self, name: str, data: list[float]) -> Document:
        self.kinds[name], self.components[name] = "shapesys", len(data)
        width = [round(v * float(self.rng.uniform(0.05, 0.4)), 4) for v in data]
        if len(width) > 1 and self.chance(0.2):
            width[int(self.rng.integers(len(width)))] = 0.0
        return {"name": name, "type": "shapesys", "data": width}

    def share_shapefactor(self, channels: list[Document], bins: dict[str, int]) -> None:
        if not self.chance(0.25):
            return
        first = channels[int(self.rng.integers(len(channels)))]
        n_bins = bins[first["name"]]
        self.kinds["shapefactor"], self.components["shapefactor"] = "shapefactor", n_bins
        for channel in channels:
            if channel is first or (bins[channel["name"]] == n_bins and self.chance(0.5)):
                sample = channel["samples"][int(self.rng.integers(len(channel["samples"])))]
                sample["modifiers"].append(
                    {"name": "shapefactor", "type": "shapefactor", "data": None}
                )

    def add_staterror(self, channels: list[Document], bins: dict[str, int]) -> None:
        """Bin-by-bin statistical uncertainties: one name per channel, or one across channels."""
        users = [channel for channel in channels if self.chance(0.5)]
        joint = len(users) > 1 and self.chance(0.2)
        common = (
            set.intersection(*({s["name"] for s in c["samples"]} for c in users)) if joint else None
        )
        for channel in users:
            name = "staterror_all" if joint else f"staterror_{channel['name']}"
            n_bins = bins[channel["name"]]
            chosen = [
                s
                for s in channel["samples"]
                if (s["name"] in common if common is not None else self.chance(0.7))
            ]
            for sample in chosen:
                width = [round(v * float(self.rng.uniform(0.02, 0.3)), 4) for v in sample["data"]]
                if n_bins > 1 and self.chance(0.1):
                    width[int(self.rng.integers(n_bins))] = 0.0
                sample["modifiers"].append({"name": name, "type": "staterror", "data": width})
            if chosen:
                self.kinds[name] = "staterror"
                self.components[name] = self.components.get(name, 0) + n_bins

    def add_lumi(self, channels: list[Document]) -> None:
        if not self.chance(0.3):
            return
        self.kinds["lumi"], self.components["lumi"] = "lumi", 1
        samples = [sample for channel in channels for sample in channel["samples"]]
        for sample in samples:
            if sample is samples[0] or self.chance(0.6):
                sample["modifiers"].append({"name": "lumi", "type": "lumi", "data": None})

    def add_signal(self, channels: list[Document]) -> None:
        self.kinds["mu"], self.components["mu"] = "normfactor", 1
        added = False
        for channel in channels:
            if added and self.chance(0.3):
                continue
            added = True
            n_bins = len(channel["samples"][0]["data"])
            data = self.numbers(0.5, 30.0, n_bins)
            if n_bins > 1 and self.chance(0.3):
                data[int(self.rng.integers(n_bins))] = 0.0
            modifiers = [{"name": "mu", "type": "normfactor", "data": None}]
            for name, kind in sorted(self.kinds.items()):
                if kind in {"normsys", "histosys"} and self.chance(0.3):
                    modifiers.append(self.modifier(name, kind, data))
            if self.chance(0.2):
                modifiers.append(self.shapesys(f"shapesys_{channel['name']}_signal", data))
            place = int(self.rng.integers(len(channel["samples"]) + 1))
            channel["samples"].insert(
                place, {"name": "signal", "data": data, "modifiers": modifiers}
            )

    def data(self, channels: list[Document], name: str) -> list[float]:
        channel = next(c for c in channels if c["name"] == name)
        background = [s["data"] for s in channel["samples"] if s["name"] != "signal"]
        signal = [s["data"] for s in channel["samples"] if s["name"] == "signal"]
        strength = float(self.rng.choice([0.0, 0.0, 0.5, 1.0]))
        rates = np.sum(background, axis=0) + strength * np.sum(signal or [[0.0]], axis=0)
        if self.chance(0.1):
            return [round(float(v), 3) for v in rates]  # Asimov data
        counts = self.rng.poisson(rates)
        return [int(n) for n in counts] if self.chance(0.5) else [float(n) for n in counts]

    def measurement(self, name: str, has_poi: bool) -> Document:
        parameters = []
        for parameter, kind in self.kinds.items():
            if kind == "lumi":
                parameters.append(self.luminosity())
            elif self.chance(0.25):
                parameters.append(self.settings(parameter, kind, self.components[parameter]))
        self.rng.shuffle(parameters)
        return {"name": name, "config": {"poi": "mu" if has_poi else "", "parameters": parameters}}

    def luminosity(self) -> Document:
        centre = round(float(self.rng.uniform(0.9, 1.1)), 3)
        config = {
            "name": "lumi",
            "auxdata": [centre],
            "sigmas": [round(float(self.rng.uniform(0.01, 0.05)), 4)],
            "inits": [centre],
            "bounds": [[round(centre * 0.7, 4), round(centre * 1.3, 4)]],
        }
        if self.chance(0.15):
            config["fixed"] = True
        return config

    def settings(self, name: str, kind: str, n: int) -> Document:
        config: Document = {"name": name}
        pull = kind in {"normsys", "histosys"}
        if self.chance(0.5):
            config["inits"] = self.numbers(-0.5, 0.5, n) if pull else self.numbers(0.8, 1.2, n)
        if self.chance(0.5):
            low, high = (-4.0, 4.0) if pull else (0.1, 5.0)
            if kind == "normfactor":
                low = -1.0 if name == "mu" and self.chance(0.3) else 0.0
                high = float(self.rng.choice([5.0, 20.0]))
            config["bounds"] = [[low, high] for _ in range(n)]
        if self.chance(0.2) and name != "mu":
            config["fixed"] = True
        elif self.chance(0.1):  # also where a component without yield is held by default
            config["fixed"] = False
        if pull and self.chance(0.2):
            config["auxdata"] = self.numbers(-0.3, 0.3, n)
        if kind in {"staterror", "shapesys"} and self.chance(0.1):
            config.update(self.constraint(kind, n))
        return config

    def constraint(self, kind: str, n: int) -> Document:
        """User-defined constraint of a bin-by-bin parameter."""
        if kind == "staterror":
            return {"auxdata": self.numbers(0.95, 1.05, n), "sigmas": self.numbers(0.05, 0.3, n)}
        factors = self.numbers(4.0, 200.0, n)
        return {"factors": factors, "auxdata": factors}


# --- broken documents -----------------------------------------------------------------------

_LITERALS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e309",
    "-1e309",
    "true",
    "null",
    '"12"',
    "1e308",
    "[]",
    "{}",
)
_MARK = "\ue000"  # a private character that stands for a literal until the text is written


def corrupt(rng: np.random.Generator, document: Document) -> bytes:
    """Return the JSON text of a document with one to three faults.

    Some faults are harmless by chance (a negative pull, a swapped name): the text may still be a
    valid workspace.
    """
    broken = copy.deepcopy(document)
    literals: list[str] = []
    text_faults: list[Any] = []
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.15:
            text_faults.append(_TEXT_FAULTS[int(rng.integers(len(_TEXT_FAULTS)))])
        else:
            fault = _FAULTS[int(rng.integers(len(_FAULTS)))]
            fault(rng, broken, literals)
    text = json.dumps(broken, ensure_ascii=bool(rng.integers(2)))
    for index, literal in enumerate(literals):
        for mark in (f"{_MARK}{index}{_MARK}", f"\\ue000{index}\\ue000"):
            text = text.replace(f'"{mark}"', literal)
    data = text.encode(errors="surrogatepass")
    for text_fault in text_faults:
        data = text_fault(rng, data)
    return data


def _pick(rng: np.random.Generator, items: list[Any]) -> Any:
    return items[int(rng.integers(len(items)))] if items else None


def _slots(document: Any, wanted: type | tuple[type, ...]) -> list[tuple[Any, Any]]:
    """Return (container, key) of every value of some type."""
    found: list[tuple[Any, Any]] = []
    stack = [document]
    while stack:
        container = stack.pop()
        if isinstance(container, dict):
            items = list(container.items())
        elif isinstance(container, list):
            items = list(enumerate(container))
        else:
            continue
        for key, value in items:
            if isinstance(value, wanted) and not isinstance(value, bool):
                found.append((container, key))
            if isinstance(value, dict | list):
                stack.append(value)
    return found


def _literal(text: str, literals: list[str]) -> str:
    literals.append(text)
    return f"{_MARK}{len(literals) - 1}{_MARK}"


def _bad_number(rng: np.random.Generator, document: Document, literals: list[str]) -> None:
    slot = _pick(rng, _slots(document, (int, float)))
    if slot:
        slot[0][slot[1]] = _literal(str(rng.choice(_LITERALS)), literals)


def _negate(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slot = _pick(rng, _slots(document, (int, float)))
    if slot:
        slot[0][slot[1]] = -slot[0][slot[1]] or -1.0


def _rescale(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slot = _pick(rng, _slots(document, (int, float)))
    if slot:
        slot[0][slot[1]] = float(rng.choice([0.0, 1e-300, 1e-30, 1e30, 1e300, 1e308]))


def _resize(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slot = _pick(rng, _slots(document, list))
    if slot:
        values = slot[0][slot[1]]
        if rng.random() < 0.5 and values:
            values.pop(int(rng.integers(len(values))))
        else:
            values.append(copy.deepcopy(_pick(rng, values)) if values else 1.0)


def _many_bins(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slot = _pick(rng, [s for s in _slots(document, list) if s[1] in {"data", "lo_data", "inits"}])
    if slot:
        slot[0][slot[1]] = [1.0] * (100_000 if rng.random() < 0.002 else 1000)


def _rename(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    names = [slot for slot in _slots(document, str) if slot[1] in {"name", "poi"}]
    slot, other = _pick(rng, names), _pick(rng, names)
    if slot:
        odd = ["", "\x00", "a\x1b[2J", "\u202e", "é" * 50, "x" * 5000, "\ud800", "a/b~c"]
        slot[0][slot[1]] = _pick(rng, odd) if rng.random() < 0.4 else other[0][other[1]]


def _retype(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slot = _pick(rng, [slot for slot in _slots(document, str) if slot[1] == "type"])
    if slot:
        kinds = ["histosys", "normsys", "shapesys", "staterror", "normfactor", "lumi", "overallsys"]
        slot[0][slot[1]] = _pick(rng, [*kinds, "shapefactor", "", "NormSys"])


def _repeat(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slot = _pick(
        rng, [s for s in _slots(document, list) if s[0][s[1]] and isinstance(s[0][s[1]][0], dict)]
    )
    if slot:
        values = slot[0][slot[1]]
        values.append(copy.deepcopy(_pick(rng, values)))


def _drop_key(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    keys = [s for s in _slots(document, (int, float, str, list, dict)) if isinstance(s[0], dict)]
    slot = _pick(rng, keys)
    if slot:
        del slot[0][slot[1]]


def _add_key(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slot = _pick(rng, list(_slots(document, dict)))
    target = slot[0][slot[1]] if slot else document
    target[_pick(rng, ["comment", "auxdata", "sigmas", "", "\u0000", "fixed"])] = [1.0]


def _wrong_type(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slot = _pick(rng, _slots(document, (int, float, str, list, dict, type(None))))
    if slot:
        odd = [None, True, False, 0, -1, "text", [], {}, [[1.0]], {"a": 1}, 10**400, [None], [True]]
        slot[0][slot[1]] = copy.deepcopy(_pick(rng, odd))


def _bounds(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    measurements = document.get("measurements")  # an earlier fault may have put anything here
    measurement = _pick(rng, measurements if isinstance(measurements, list) else [])
    try:
        parameters = measurement["config"]["parameters"]
        pair = _pick(rng, [[5.0, -5.0], [1.0, 1.0], [2.0, 3.0], [0.0, 0.0], [1.0], [0.0, 1.0, 2.0]])
        parameters.append({"name": "mu", "bounds": [pair], "inits": [1.0]})
    except (KeyError, TypeError, AttributeError):
        return


def _normsys(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slots = [s for s in _slots(document, (int, float)) if s[1] in {"lo", "hi"}]
    slot = _pick(rng, slots)
    if slot:
        slot[0][slot[1]] = _pick(rng, [0, 0.0, -1.0, -0.9, 1e-200, 1e200, 1e9])


def _deepen(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slot = _pick(rng, _slots(document, (int, float, str, list, dict)))
    if slot:
        for _ in range(int(rng.choice([1, 2, 60, 70, 400]))):
            slot[0][slot[1]] = [slot[0][slot[1]]]


def _empty(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slot = _pick(rng, _slots(document, (list, dict)))
    if slot:
        slot[0][slot[1]].clear()


def _zero_list(rng: np.random.Generator, document: Document, _literals: list[str]) -> None:
    slot = _pick(rng, [s for s in _slots(document, list) if s[1] in {"data", "lo_data", "hi_data"}])
    if slot:
        slot[0][slot[1]] = [0.0] * len(slot[0][slot[1]])


_FAULTS = (
    _bad_number, _bad_number, _negate, _rescale, _resize, _many_bins, _rename, _retype, _repeat,
    _drop_key, _add_key, _wrong_type, _bounds, _normsys, _deepen, _empty, _zero_list,
)  # fmt: skip


def _truncate(rng: np.random.Generator, data: bytes) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _flip(rng: np.random.Generator, data: bytes) -> bytes:
    if not data:
        return data
    place = int(rng.integers(len(data)))
    return data[:place] + bytes([int(rng.integers(256))]) + data[place + 1 :]


def _duplicate_key(rng: np.random.Generator, data: bytes) -> bytes:
    key = _pick(rng, [b'"data": ', b'"name": ', b'"channels": ', b'"lo": ', b'"poi": '])
    return data.replace(key, key + b"0, " + key, 1)


def _insert(rng: np.random.Generator, data: bytes) -> bytes:
    odd = [
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b",",
        b"}",
        b"]",
        b'"',
        b"[" * 2000,
        b"//",
        b"9" * 5000,
    ]
    place = int(rng.integers(len(data) + 1))
    return data[:place] + _pick(rng, odd) + data[place:]


_TEXT_FAULTS = (_truncate, _flip, _duplicate_key, _insert)
