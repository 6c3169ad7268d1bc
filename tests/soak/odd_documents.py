"""Documents of odd meaning: JSON that any reader accepts, and that few people would write.

Each function draws from a generator alone, so that a case is a function of its seed and number.
``odd_workspace`` begins with a sound workspace and gives it one to three twists; ``twist`` changes
values of any document, whatever it describes.
"""

from __future__ import annotations

import copy
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np

from strategies import Size, random_workspace

Document = dict[str, Any]
Rng = np.random.Generator

NAMES = (
    "é", "e\u0301", "\xb5", "\u03bc", "Å", "Å", "ﬁt", "fit", "ﷺ", "😀" * 3, "󠄀", "ϲ", "x²", "ß",
    "İ", "x y", "a/b", "a~1b", "~0", "x[0]", "x[1]", "staterror[0]", "stat[00]", "[red]x[/red]",
    "[/]", "[link=file:///etc/passwd]x[/link]", "$x_1$", "$x", "\\frac{", "$\\frac{$", "%s%n",
    "{0}", "=1+1", "-x", "--mu", "@x", "<b>x</b>", "&amp;", "'", '"', "`id`", "$(id)", "..",
    "../../x", "Z" * 3000, "NaN", "null", "mu", "lumi", "signal", "0", "1e5", "a=b", "a,b", "a:b",
    "x#y", " mu", "mu ", "total", "observed", "constructor", "__class__", "μ" * 40, "a|b", "a*b",
    "x?", "x;y", "~", "a\\", "a%2Fb", "1:2:3", "True", "\ue000", "\U0010ffff",
    # such as a reader refuses
    "x\u200by", "\ufeffx", "\u202eabc", "a\x00b", "a\x1b[31mred\x1b[0m", "a\tb", "a\nb", "a\rb",
    "\x7f", "\x9b2J", "", " ", "\u2028", "\ud800", "\udce9",
)  # fmt: skip
"""Names in several normal forms, with control characters, and like the grammar of something."""

NUMBERS = (
    0, 0.0, -0.0, 1, 1.0, -1.0, 0.5, 2, 3, -3, 10, 1e-3, 1e3, 1e-10, 1e10, 1e-30, 1e30, 5e-324,
    1e-308, 1e-300, 1e300, 1e308, 1.7976931348623157e308, -1e300, 2**53 + 1, 10**25, -(10**25),
    1e15, 1e-15, 0.1 + 0.2, 1e6, 1e-6, 100, 1e5, 2**63, 1e154, -1e200, 1e-162,
)  # fmt: skip

HUGE = (10**309, 10**400, -(10**400))
"""Integers that no floating-point number holds."""


def pick(rng: Rng, items: Any) -> Any:
    """One of the items."""
    return items[int(rng.integers(len(items)))]


def chance(rng: Rng, probability: float) -> bool:
    """Whether it happens."""
    return bool(rng.random() < probability)


def size(rng: Rng) -> float:
    """A positive number of any size, most often an ordinary one."""
    width = pick(rng, (1.0, 1.0, 3.0, 10.0, 100.0, 320.0))
    return float(10.0 ** np.clip(rng.normal(0.0, width), -320.0, 308.0))


# --- any document -----------------------------------------------------------------------------


def slots(document: Any) -> list[tuple[Any, Any]]:
    """Container and key of every value."""
    found: list[tuple[Any, Any]] = []
    stack = [document]
    while stack:
        container = stack.pop()
        items = container.items() if isinstance(container, dict) else enumerate(container)
        for key, value in items:
            found.append((container, key))
            if isinstance(value, dict | list):
                stack.append(value)
    return found


def twist(rng: Rng, document: Any, times: int = 1) -> Any:
    """A copy with some values changed; the text stays valid JSON."""
    made = copy.deepcopy(document)
    for _ in range(times):
        places = slots(made)
        if not places:
            return made
        container, key = pick(rng, places)
        container[key] = _changed(rng, container[key], places)
        if isinstance(container, dict) and chance(rng, 0.06):
            del container[key]
        elif isinstance(container, dict) and chance(rng, 0.04):
            container[pick(rng, NAMES)] = container.pop(key)
    return made


def _changed(rng: Rng, value: Any, places: list[tuple[Any, Any]]) -> Any:
    if chance(rng, 0.08):
        return pick(rng, (None, True, False, "", [], {}, 0, "x", [None], [[]], {"a": 1}))
    if isinstance(value, bool) or value is None:
        made = pick(rng, (True, False, None, 0, 1))
    elif value in HUGE or (isinstance(value, int | float) and chance(rng, 0.03)):
        made = pick(rng, HUGE)
    elif isinstance(value, int | float):
        odd = pick(rng, NUMBERS)
        made = pick(rng, (odd, odd, -value, value * 1e6, value * 1e-6, value + 1, float(value) / 3))
    elif isinstance(value, str):
        words = [c[k] for c, k in places if isinstance(c[k], str)]
        made = pick(rng, (pick(rng, NAMES), pick(rng, words), unicodedata.normalize("NFD", value)))
    elif isinstance(value, list):
        again = value + copy.deepcopy(value)
        made = pick(rng, ([], value[::-1], value[:1], value[:-1], again[:2000], [value]))
    elif value and chance(rng, 0.7):
        dropped = pick(rng, list(value))
        made = {k: v for k, v in value.items() if k != dropped}
    else:
        made = {**value, pick(rng, NAMES): 1}
    return made


# --- workspaces -------------------------------------------------------------------------------


def samples_of(document: Document) -> list[Document]:
    """All samples."""
    return [sample for channel in document["channels"] for sample in channel["samples"]]


def modifiers_of(document: Document) -> list[Document]:
    """All modifiers."""
    return [modifier for sample in samples_of(document) for modifier in sample["modifiers"]]


def _modifier(rng: Rng, name: str, kind: str, data: list[float]) -> Document:
    """A modifier of odd size that fits the sample."""
    n = len(data)
    value: Any = None
    if kind == "normsys":
        value = {
            "hi": pick(rng, (1.0, 1.1, 2.0, 1e-6, 1e6, 1.0 + 1e-14, 0.9, size(rng))),
            "lo": pick(rng, (1.0, 0.9, 0.5, 1e-6, 1e6, 1.0 - 1e-14, 1.1, size(rng))),
        }
    elif kind == "histosys":
        up = pick(rng, (1.0, 1.1, 0.0, 2.0, 1e6, 1.0 + 1e-15, -0.5))
        down = pick(rng, (1.0, 0.9, 0.0, 2.0, 1e-6, 1.0, 1.1))
        shift = pick(rng, (0.0, 0.0, 1.0, 1e-9, 1e9))
        value = {"hi_data": [x * up + shift for x in data], "lo_data": [x * down for x in data]}
    elif kind in {"shapesys", "staterror"}:
        scale = pick(rng, (0.1, 0.01, 1.0, 10.0, 1e-10, 1e-5, 1e5, 0.0, size(rng)))
        value = [abs(x) * scale if chance(rng, 0.9) else 0.0 for x in data] or [1.0] * n
    return {"name": name, "type": kind, "data": value}


def _share(rng: Rng, document: Document) -> None:
    """One name over channels, samples and kinds."""
    known = modifiers_of(document)
    name = pick(rng, known)["name"] if known else "shared"
    kinds: tuple[str, ...] = ("normsys", "histosys")
    if chance(rng, 0.3):
        kinds = (
            "normsys",
            "histosys",
            "normfactor",
            "shapesys",
            "staterror",
            "shapefactor",
            "lumi",
        )
    elif chance(rng, 0.5):
        kinds = (pick(rng, ("normfactor", "staterror", "shapefactor", "normsys")),)
    for sample in samples_of(document):
        if chance(rng, 0.5):
            sample["modifiers"].append(_modifier(rng, name, pick(rng, kinds), sample["data"]))


def _add(rng: Rng, document: Document) -> None:
    kinds = ("normsys", "histosys", "normfactor", "shapesys", "staterror", "shapefactor")
    for sample in samples_of(document):
        if chance(rng, 0.4):
            kind = pick(rng, kinds)
            name = f"{kind}_{int(rng.integers(4))}"
            sample["modifiers"].append(_modifier(rng, name, kind, sample["data"]))


def _empty(rng: Rng, document: Document) -> None:
    """Bins without expectation, in a sample, a channel or everywhere."""
    how = int(rng.integers(4))
    chosen = pick(rng, document["channels"])
    for channel in document["channels"]:
        if channel is not chosen and how != 3:
            continue
        cut = int(rng.integers(len(channel["samples"][0]["data"]))) if how else 0
        for sample in channel["samples"]:
            if how == 0 and chance(rng, 0.5):
                continue
            n = len(sample["data"])
            sample["data"] = [0.0] * n if how != 1 else [*sample["data"][:cut], *[0.0] * (n - cut)]


def _scale(rng: Rng, document: Document) -> None:
    """Tiny and huge yields."""
    factor = size(rng)
    everywhere = chance(rng, 0.3)
    only_signal = chance(rng, 0.3)
    for sample in samples_of(document):
        if everywhere or (only_signal == (sample["name"] == "signal") and chance(rng, 0.7)):
            sample["data"] = [_finite(x * factor) for x in sample["data"]]
            for modifier in sample["modifiers"]:
                _scale_data(modifier, factor)
    if everywhere and chance(rng, 0.7):
        for one in document["observations"]:
            one["data"] = [_finite(x * factor) for x in one["data"]]


def _scale_data(modifier: Document, factor: float) -> None:
    data = modifier["data"]
    if isinstance(data, list):
        modifier["data"] = [_finite(x * factor) for x in data]
    elif isinstance(data, dict) and "hi_data" in data:
        modifier["data"] = {k: [_finite(x * factor) for x in v] for k, v in data.items()}


def _finite(value: float) -> float:
    return float(np.clip(value, -1.7e308, 1.7e308))


def _one_bin(rng: Rng, document: Document) -> None:
    """A single odd bin."""
    sample = pick(rng, samples_of(document))
    if sample["data"]:
        k = int(rng.integers(len(sample["data"])))
        sample["data"][k] = pick(rng, (*NUMBERS, -0.1, -5.0, sample["data"][k] * 1e4))


def _observe(rng: Rng, document: Document) -> None:
    """Odd counts."""
    how = int(rng.integers(4))
    for one in document["observations"]:
        n = len(one["data"])
        if how == 0:
            one["data"] = [0] * n
        elif how == 1:
            one["data"] = [pick(rng, (0, 0.5, 1e-9, 1e9, 1e15, 3.7, 1e5, 10**18)) for _ in range(n)]
        elif how == 2:
            one["data"] = [x * pick(rng, (0, 1, 3, 10)) for x in one["data"]]
        elif n:
            one["data"][int(rng.integers(n))] = pick(rng, NUMBERS)


def _negative(rng: Rng, document: Document) -> None:
    """Templates that interfere."""
    sample = pick(rng, samples_of(document))
    sample["data"] = [-x * float(rng.uniform(0.0, 0.5)) for x in sample["data"]]


def _settings(rng: Rng, document: Document) -> None:
    """Overrides of parameters: starts, bounds, held, auxiliary data, widths."""
    config = pick(rng, document["measurements"])["config"]
    known = [m["name"] for m in modifiers_of(document)] or ["mu"]
    for _ in range(int(rng.integers(1, 4))):
        name = pick(rng, known) if chance(rng, 0.9) else pick(rng, NAMES)
        if chance(rng, 0.8):
            config["parameters"] = [p for p in config["parameters"] if p.get("name") != name]
        found = next((m for m in modifiers_of(document) if m["name"] == name), {})
        data, kind = found.get("data"), found.get("type")
        n = len(data) if isinstance(data, list) else 1
        whole = 1.0 if chance(rng, 0.1) else 0.0  # settings that the kind does not have, too
        one: Document = {"name": name}
        if chance(rng, 0.4):
            one["inits"] = [pick(rng, (0, 1, 1, 0.5, 2.0, 1e-9, 1e6, pick(rng, NUMBERS)))] * n
        if chance(rng, 0.5):
            pairs = ([0, 10], [-10, 10], [0, 0], [1, 1], [0, 1e-9], [-1e300, 1e300], [5, 10])
            pairs += ([-5, 5], [0, 1e10], [0.999, 1.001], [1e-300, 1e300], [-10, -5], [0, 1.0])
            one["bounds"] = [pick(rng, pairs)] * n
        if chance(rng, 0.3):
            one["fixed"] = pick(rng, (True, False, True))
        if chance(rng, 0.3 if kind in {"normsys", "histosys", "staterror", "lumi"} else whole):
            one["auxdata"] = [pick(rng, (0.0, 1.0, 5.0, -3.0, 1e6, 1e-6, pick(rng, NUMBERS)))] * n
        if chance(rng, 0.3 if kind in {"staterror", "lumi"} else whole):
            one["sigmas"] = [pick(rng, (1.0, 0.1, 1e-12, 1e12, 0.0, 1e-3, pick(rng, NUMBERS)))] * n
        if chance(rng, 0.3 if kind == "shapesys" else whole):
            one["factors"] = [pick(rng, (1.0, 100.0, 1e-12, 1e20, 0.0, pick(rng, NUMBERS)))] * n
        config["parameters"].append(one)


def _poi(rng: Rng, document: Document) -> None:
    """Another parameter of interest, of any kind or of none."""
    names = [m["name"] for m in modifiers_of(document)] or [""]
    for measurement in document["measurements"]:
        measurement["config"]["poi"] = pick(rng, (pick(rng, names), pick(rng, names), "", "nix"))


def _degenerate(rng: Rng, document: Document) -> None:
    """Parameters that do the same, or nothing, or everything."""
    how = int(rng.integers(5))
    for channel in document["channels"]:
        if how == 0:  # the same sample twice, each with a factor of its own
            twin = copy.deepcopy(pick(rng, channel["samples"]))
            twin["name"] += "_twin"
            twin["modifiers"].append({"name": "twin", "type": "normfactor", "data": None})
            channel["samples"].append(twin)
            continue
        for sample in channel["samples"]:
            if how == 1:  # the same factor on all
                sample["modifiers"].append({"name": "mu", "type": "normfactor", "data": None})
            elif how == 2:  # a product of many
                sample["modifiers"] += [
                    {"name": f"k{i}", "type": "normfactor", "data": None} for i in range(3)
                ]
            elif how == 3:
                sample["modifiers"].append(_modifier(rng, "same", "normsys", sample["data"]))
                sample["modifiers"].append({**sample["modifiers"][-1], "name": "same too"})
            else:
                sample["modifiers"] = [m for m in sample["modifiers"] if m["name"] == "mu"]


def _names(rng: Rng, document: Document) -> None:
    """Names replaced, most often everywhere alike."""
    words = sorted({c[k] for c, k in slots(document) if k in {"name", "poi"}})
    pool = NAMES[:-15] if chance(rng, 0.85) else NAMES
    change = {w: pick(rng, pool) for w in words if w != "lumi" and chance(rng, 0.5)}
    if chance(rng, 0.7):  # no two alike
        used: set[str] = set()
        for old, new in list(change.items()):
            change[old] = new if new not in used else new + old
            used.add(change[old])
    consistent = chance(rng, 0.8)
    for container, key in slots(document):
        if key in {"name", "poi"} and (consistent or chance(rng, 0.8)):
            container[key] = change.get(container[key], container[key])


def _measurements(rng: Rng, document: Document) -> None:
    first = document["measurements"][0]
    twin = copy.deepcopy(first)
    twin["name"] = pick(rng, (first["name"], "second", pick(rng, NAMES)))
    document["measurements"] = pick(rng, ([first, twin], [first, twin], [], [twin] * 3))


TWISTS: tuple[Callable[[Rng, Document], None], ...] = (
    _share, _share, _add, _add, _empty, _scale, _scale, _one_bin, _observe, _observe, _negative,
    _settings, _settings, _settings, _poi, _degenerate, _degenerate, _names, _names,
    _measurements,
)  # fmt: skip


def odd_workspace(rng: Rng) -> Document:
    """A workspace with one to three twists; one in five hundred is large."""
    document = big(rng) if chance(rng, 0.002) else _small(rng)
    for _ in range(int(pick(rng, (1, 1, 1, 2, 2, 3)))):
        if not document["measurements"]:
            break
        pick(rng, TWISTS)(rng, document)
    if chance(rng, 0.005):
        container, key = pick(rng, [(c, k) for c, k in slots(document) if type(c[k]) is float])
        container[key] = pick(rng, HUGE)
    return document


def _small(rng: Rng) -> Document:
    bounds = pick(rng, (Size(1, 1, 1, 1), Size(1, 2, 2, 2), Size(2, 2, 3, 2), Size(3, 3, 5, 4)))
    return random_workspace(rng, bounds)


def big(rng: Rng) -> Document:
    """Up to 2,000 bins and up to 500 parameters."""
    bins = int(pick(rng, (1, 20, 200, 1000, 2000)))
    n_systematics = int(pick(rng, (0, 20, 100, 500)))
    gammas = chance(rng, 0.3)
    background = np.round(rng.uniform(1.0, 100.0, bins), 3)
    signal = np.round(rng.uniform(0.0, 5.0, bins), 3)
    systematics = [
        {
            "name": f"s{i}",
            "type": "normsys",
            "data": {"hi": 1.0 + 0.01 * (i % 30 + 1), "lo": 1.0 - 0.01 * (i % 30 + 1)},
        }
        for i in range(n_systematics)
    ]
    statistical = {"name": "stat", "type": "staterror", "data": (0.1 * background).tolist()}
    return {
        "version": "1.0.0",
        "channels": [
            {
                "name": "c",
                "samples": [
                    {
                        "name": "signal",
                        "data": signal.tolist(),
                        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
                    },
                    {
                        "name": "bkg",
                        "data": background.tolist(),
                        "modifiers": systematics + ([statistical] if gammas else []),
                    },
                ],
            }
        ],
        "observations": [{"name": "c", "data": rng.poisson(background).tolist()}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
