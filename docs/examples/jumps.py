"""Steps of the expected limit between neighbouring hypotheses, in their statistical errors.

    python docs/examples/jumps.py models workspaces jumps.json [--search alp ...] [--cache DIR]

Statistical errors are those of the simulation, by a jackknife: the simulated rows that fill the
templates are put into groups at random, the search is built without one group at a time, with the
cuts that it has, and the spread of its limits gives the error of every step, with all that
neighbours share: events, smoothing, simulated signals. Errors are averaged over neighbours.

A *step* is the difference of the logarithms of the limits of two neighbours. It holds what the
limit truly does with the mass. A *jump* is the second difference, where a smooth course drops out;
one that is larger than three errors is called a *choice* if its hypotheses were fitted in different
ranges or orders, *apart* if their masses differ by more than a fifth, and a *kink* if a place of
the cuts, between which bounds are linear, lies among them. Limits are for the simulated spectrum
itself. The plane of dark Higgsstrahlung is not judged: its hypotheses stand on a grid of the
simulated signals, of which none can be left out. Everything is simulated.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import darkstats
from darkstats.searches.build import simulate
from darkstats.searches.bump_hunt import build_bump_hunt
from darkstats.searches.bump_settings import BumpHunt
from darkstats.searches.card import SearchCard, read_card
from darkstats.searches.fit_cuts import asimov_limit, share_of_information
from darkstats.searches.optimise import halves
from darkstats.searches.products import Patch, SearchProduct, SimulatedSamples
from darkstats.searches.recoil_hunt import build_recoil_hunt
from darkstats.searches.smooth_cuts import cut_of
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.production import default_cache
from darkstats.workspace import Workspace
from darkstats.workspace.patch import apply_patch

sys.path.insert(0, str(Path(__file__).parent))
import recoil_effects
from built_searches import add_effort

__all__ = [
    "JUDGED",
    "SEARCHES",
    "chains",
    "largest_of_correlated",
    "second_differences",
    "summarised",
]

SEARCHES = ("alp", *recoil_effects.SEARCHES)
#: Groups of rows, so many builds; fewer where hypotheses are many and builds large.
GROUPS = {"zprime_invisible_2020": 5}
#: Searches whose steps are judged.
JUDGED = tuple(name for name in SEARCHES if name != "dark_higgsstrahlung")
MOST = 3.0
_APART = 1.2  # last over first mass of a jump's hypotheses, above which they are no neighbours
_NEIGHBOURS = 3  # on either side, over which errors are averaged
_SEED = 20
_DRAWS = 20_000

Samples = Mapping[str, Mapping[Any, Candidates]]


def filling(card: SearchCard, cache: Path, *, quick: bool, workers: int) -> Samples:
    """The simulated rows that fill templates: half of them where the other half chose cuts."""
    samples = simulate(card, cache=cache, quick=quick, workers=workers)
    chosen = getattr(card.settings, "optimise", None) is not None
    if chosen:
        samples = {name: halves(sample)[1] for name, sample in samples.items()}
    masses = () if card.signal is None else card.signal.masses_gev
    return {
        "backgrounds": {b.name: samples[b.name] for b in card.backgrounds},
        "signals": {m: samples["_".join(["signal", *(f"{x:g}" for x in m)])] for m in masses},
    }


def without(samples: Samples, group: int, groups: int) -> SimulatedSamples:
    """The samples without one group of rows, whose weight the others carry."""
    found: dict[str, dict[Any, Candidates]] = {"backgrounds": {}, "signals": {}}
    for kind, some in samples.items():
        for number, (name, sample) in enumerate(some.items()):
            if group < 0:
                found[kind][name] = sample
                continue
            key = [_SEED, len(kind), number]
            member = np.random.default_rng(key).integers(0, groups, len(sample))
            kept = sample.select(member != group)
            found[kind][name] = replace(kept, weight_pb=kept.weight_pb * (groups / (groups - 1.0)))
    return SimulatedSamples(backgrounds=found["backgrounds"], signals=found["signals"])


def built(card: SearchCard, folder: Path, samples: SimulatedSamples) -> SearchProduct:
    """The search with the cuts of its workspace, for the expected spectrum."""
    hunt = replace(card.settings, asimov=True)
    rng = np.random.default_rng(1)
    if isinstance(hunt, BumpHunt):
        return build_bump_hunt(hunt, samples, rng=rng)
    sidecar = json.loads((folder / "background_only.meta.json").read_text("utf-8"))
    (cuts,) = {json.dumps(c["cuts"]) for c in sidecar["channels"].values()}
    hunt = replace(hunt, cuts=tuple(map(cut_of, json.loads(cuts))), optimise=None)
    return build_recoil_hunt(hunt, samples, rng=rng)


def limits_of(card: SearchCard, product: SearchProduct) -> dict[str, float]:
    """Expected limits by name: of fits (CLs), of counts Bayesian (median number of events)."""
    windows = product.sidecar["windows"]
    if getattr(card.settings, "layout", "") == "adjacent":
        errors = recoil_effects._errors(card)
        background = np.array([w["background_events"] for w in windows.values()])
        efficiency = np.array([w.get("efficiency", 1.0) for w in windows.values()])
        if card.signal is None:
            efficiency = np.ones_like(background)
        top = max(background.max(), 1.0) * 1.01
        grid = np.concatenate([[0.0], np.geomspace(1e-3, top, 60)])
        events = recoil_effects.median_counting_limits(grid.tolist(), cl=card.cl, errors=errors)
        found = np.interp(background, grid, events) / efficiency
        return dict(zip(windows, found.tolist(), strict=True))
    if getattr(card.settings, "layout", "") == "sliding":
        return {patch.name: fit_limit(patch) for patch in product.patches}
    limits = {}
    for patch in product.patches:
        document = apply_patch(product.workspace, list(patch.operations), source=patch.name)
        model = darkstats.compile_workspace(Workspace.from_document(document))
        limit = darkstats.upper_limit(
            model, model.observation, cl=card.cl, scan_points=0, probe=False
        )
        limits[patch.name] = float(limit.expected[2])
    return limits


def fit_limit(patch: Patch) -> float:
    """Expected limit of a fit of one channel, by the formula that chooses its cuts.

    With all errors of the model, those that move bins together among them. Fits of a jackknife
    fail where a bin has lost its only events; the formula does not.
    """
    (channel,) = patch.operations[0]["value"]
    signal, *rest = channel["samples"]
    content = np.array(signal["data"])
    background, variance = np.zeros((2, len(content)))
    moved: dict[str, np.ndarray] = {}
    for sample in rest:
        data = np.array(sample["data"])
        background += data
        for modifier in sample["modifiers"]:
            name, kind, ends = modifier["name"], modifier["type"], modifier["data"]
            if kind == "staterror":
                variance += np.square(ends)
                continue
            if kind == "normsys":
                shift = (ends["hi"] - ends["lo"]) * data
            elif kind == "histosys":
                shift = np.subtract(ends["hi_data"], ends["lo_data"])
            else:
                raise ValueError(f"{patch.name}: {name} of a background is a {kind}")
            moved[name] = moved.get(name, 0.0) + 0.5 * shift
    background = np.maximum(background, 1e-4)
    shifts = np.array(list(moved.values())).reshape(len(moved), len(content))
    left = share_of_information(content, background, variance, shifts)
    return asimov_limit(content, background) / math.sqrt(left)


def chains(windows: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Names of neighbours, in order: one chain a set of windows."""
    groups: dict[Any, list[tuple[float, str]]] = {}
    for name, window in windows.items():
        groups.setdefault(window.get("set"), []).append((window["mass_gev"], name))
    return [[name for _, name in sorted(some)] for _, some in sorted(groups.items(), key=str)]


def second_differences(values: np.ndarray) -> np.ndarray:
    """Twice how far the middle one of three lies below its neighbours' mean. Shape [..., n - 2]."""
    return values[..., :-2] + values[..., 2:] - 2.0 * values[..., 1:-1]


def averaged(variance: np.ndarray) -> np.ndarray:
    """Variances averaged over neighbours. Shape [n]."""
    total = np.concatenate([[0.0], np.cumsum(variance)])
    low = np.maximum(np.arange(len(variance)) - _NEIGHBOURS, 0)
    high = np.minimum(np.arange(len(variance)) + _NEIGHBOURS + 1, len(variance))
    return (total[high] - total[low]) / (high - low)


def jackknife(values: np.ndarray) -> np.ndarray:
    """Variance of each column from builds without one group each. Shape [build, n] to [n]."""
    groups = len(values)
    return (groups - 1.0) / groups * ((values - values.mean(axis=0)) ** 2).sum(axis=0)


def largest_of_correlated(reached: float, n: int, correlations: Sequence[float]) -> float:
    """Probability that the largest of ``n`` correlated normal numbers reaches a value, two-sided.

    Parameters
    ----------
    reached
        The value, in standard deviations.
    n
        Numbers in one row.
    correlations
        Of those one, two, ... places apart; 0 beyond.
    """
    spectrum = np.zeros(2 * n)
    for away, value in enumerate([1.0, *correlations]):
        if away < n:
            spectrum[away] = value
            spectrum[-away] = value
    power = np.maximum(np.fft.rfft(spectrum).real, 0.0)
    rng = np.random.default_rng(_SEED)
    above = 0
    for _ in range(_DRAWS // 500):
        white = np.fft.rfft(rng.standard_normal((500, 2 * n)), axis=1)
        field = np.fft.irfft(white * np.sqrt(power), 2 * n, axis=1)[:, :n]
        above += int((np.abs(field).max(axis=1) >= reached).sum())
    return above / (_DRAWS // 500 * 500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """First or second differences of a search, and their errors. Shape [difference]."""

    values: np.ndarray
    errors: np.ndarray
    places: tuple[Any, ...]
    members: tuple[tuple[str, ...], ...]  # names of the hypotheses that each is made of
    correlations: tuple[float, ...]

    def above(self) -> list[int]:
        """Differences larger than three errors."""
        return np.flatnonzero(np.abs(self.values) > MOST * self.errors).tolist()

    def summary(self) -> dict[str, Any]:
        pulls = np.abs(self.values) / self.errors
        n, at = len(pulls), int(np.argmax(pulls))
        correlated = largest_of_correlated(float(pulls[at]), n, self.correlations)
        return {
            "n": n,
            "median_error": float(np.median(self.errors)),
            "largest": float(np.max(np.abs(self.values))),
            "largest_in_errors": float(pulls[at]),
            "at_gev": self.places[at],
            "above_3": int((pulls > MOST).sum()),
            "above_3_by_chance": n * math.erfc(MOST / math.sqrt(2.0)),
            "chance_of_the_largest": correlated,
        }


def _correlations(deviations: list[np.ndarray]) -> tuple[float, ...]:
    """Of differences one to four places apart, from the builds of the jackknife."""
    total = sum(float((d**2).sum()) for d in deviations)
    pairs = [
        sum(float((d[:, away:] * d[:, :-away]).sum()) for d in deviations if d.shape[1] > away)
        for away in range(1, 5)
    ]
    return tuple(float(np.clip(p / total, -0.9, 0.9)) for p in pairs)


def differences(
    names: Sequence[Sequence[str]],
    windows: Mapping[str, Mapping[str, Any]],
    whole: Mapping[str, float],
    parts: Sequence[Mapping[str, float]],
    *,
    second: bool,
) -> Differences:
    """Differences along all chains."""
    least = 3 if second else 2
    values, errors, places, members, deviations = [], [], [], [], []
    for chain in names:
        if len(chain) < least:
            continue
        middle = np.log([whole[name] for name in chain])
        others = np.log([[part[name] for name in chain] for part in parts])
        difference = second_differences if second else np.diff
        moved = difference(others)
        values.append(difference(middle))
        errors.append(np.sqrt(averaged(jackknife(moved))))
        deviations.append((moved - moved.mean(axis=0)) / errors[-1])
        inner = chain[1:-1] if second else chain[1:]
        members += list(zip(*(chain[k:] for k in range(least)), strict=False))
        places += [windows[name]["mass_gev"] for name in inner]
    return Differences(
        values=np.concatenate(values),
        errors=np.concatenate(errors),
        places=tuple(places),
        members=tuple(members),
        correlations=_correlations(deviations),
    )


def summarised(
    windows: Mapping[str, Mapping[str, Any]],
    whole: Mapping[str, float],
    parts: Sequence[Mapping[str, float]],
    nodes_gev: Sequence[float] = (),
) -> dict[str, Any]:
    """Record of one search.

    Parameters
    ----------
    windows
        Facts of the hypotheses, by name.
    whole, parts
        Limits by name: of all rows, and of the builds without one group each.
    nodes_gev
        Masses at which the bounds of cuts were chosen.
    """
    known = set(whole).intersection(*parts)
    names = [[name for name in chain if name in known] for chain in chains(windows)]
    jumps = differences(names, windows, whole, parts, second=True)
    large = [
        {
            "at_gev": jumps.places[k],
            "size": float(jumps.values[k]),
            "in_errors": float(jumps.values[k] / jumps.errors[k]),
            "what": _what(windows, jumps.members[k], nodes_gev),
        }
        for k in jumps.above()
    ]
    return {
        "hypotheses": len(windows),
        "compared": sum(map(len, names)),
        "builds": len(parts),
        "steps": differences(names, windows, whole, parts, second=False).summary(),
        "jumps": jumps.summary(),
        "large jumps": large,
    }


def _what(
    windows: Mapping[str, Mapping[str, Any]], members: Sequence[str], nodes_gev: Sequence[float]
) -> str:
    """What a large jump may be, by what changes within its hypotheses."""
    some = [windows[name] for name in members]
    if len({(w.get("order"), w.get("extent")) for w in some}) > 1:
        return "choice"
    masses = [w["mass_gev"] for w in some]
    if masses[-1] > _APART * masses[0]:
        return "apart"
    if any(masses[0] <= node <= masses[-1] for node in nodes_gev):
        return "kink"
    return "other"


def nodes_of(sidecar: Mapping[str, Any]) -> list[float]:
    """Masses between which the bounds of cuts are linear in the squared mass, GeV."""
    found = set()
    for channel in sidecar["channels"].values():
        for cut in channel.get("cuts", ()):
            if len(cut.get("along", ())) == 1:
                found |= {math.sqrt(max(node, 0.0)) for node in cut["nodes"][0]}
    return sorted(found)


def study(
    card: SearchCard, folder: Path, *, groups: int, cache: Path, quick: bool, workers: int
) -> dict[str, Any]:
    """Record of one search, from its card, its workspace and the simulated rows."""
    samples = filling(card, cache, quick=quick, workers=workers)
    found = []
    for group in range(-1, groups):
        product = built(card, folder, without(samples, group, groups))
        found.append(limits_of(card, product))
        print(f"{card.name}: {group + 2} of {groups + 1} builds", file=sys.stderr, flush=True)
    sidecar = json.loads((folder / "background_only.meta.json").read_text("utf-8"))
    return summarised(sidecar["windows"], found[0], found[1:], nodes_of(sidecar))


def table(record: Mapping[str, Mapping[str, Any]]) -> str:
    """The table of the page."""

    lines = [
        "| search | steps | error of a step, median | largest step | largest in errors | above 3 "
        "| jumps | error of a jump, median | largest in errors | at [GeV] | above 3 | by chance "
        "| chance of the largest | choices | apart | kinks |\n" + "|---" * 16 + "|"
    ]
    for name, row in record.items():
        step, jump = row["steps"], row["jumps"]
        what = [one["what"] for one in row["large jumps"]]
        lines.append(
            f"| {name} | {step['n']} | {100 * step['median_error']:.2g} % "
            f"| {100 * math.expm1(step['largest']):.3g} % | {step['largest_in_errors']:.1f} "
            f"| {step['above_3']} | {jump['n']} | {100 * jump['median_error']:.2g} % "
            f"| {jump['largest_in_errors']:.1f} | {jump['at_gev']:.3g} | {jump['above_3']} "
            f"| {jump['above_3_by_chance']:.1f} | {jump['chance_of_the_largest']:.2g} "
            f"| {what.count('choice')} | {what.count('apart')} | {what.count('kink')} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", type=Path)
    parser.add_argument("workspaces", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--search", nargs="*", choices=JUDGED, default=list(JUDGED))
    parser.add_argument("--groups", type=int, default=10)
    add_effort(parser)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    record: dict[str, Any] = {}
    if asked.output.is_file():  # searches that were asked for before stay
        record = json.loads(asked.output.read_text("utf-8"))
    for name in asked.search:
        record[name] = study(
            read_card(asked.models / f"{name}.yaml"),
            asked.workspaces / name,
            groups=min(asked.groups, GROUPS.get(name, asked.groups)),
            cache=asked.cache or default_cache(),
            quick=asked.quick,
            workers=asked.workers,
        )
        ordered = {key: record[key] for key in SEARCHES if key in record}
        asked.output.write_text(json.dumps(ordered, indent=1) + "\n", "utf-8")
    print(table({key: record[key] for key in SEARCHES if key in record}))


if __name__ == "__main__":
    main()
