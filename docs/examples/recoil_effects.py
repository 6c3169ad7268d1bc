"""What each effect does to the limits of the recoil searches, beside what was published.

    python docs/examples/recoil_effects.py fidelity-effects.json

The shipped cards have all effects on. Here they are switched off, and on again in turn, without
fitting anything to a limit; the last column is the committed workspace. Prints the tables of
docs/studies/fidelity-effects.md. Everything is simulated; *published* are numbers read by others
from figures of observed limits. ``--cards DIR`` writes the cards without any effect; nothing is
simulated then.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import yaml

from darkstats.inference.bayes import bayes_limits
from darkstats.model import Model, compile_workspace
from darkstats.searches.build import _signal_name, simulate
from darkstats.searches.card import SearchCard, read_card
from darkstats.searches.optimise import expected_poisson_limit
from darkstats.searches.output import patch_set_document, write_build
from darkstats.searches.plane import build_plane_scan
from darkstats.searches.plane_response import highest_higgs
from darkstats.searches.products import SimulatedSamples
from darkstats.searches.recoil_hunt import build_recoil_hunt
from darkstats.signals.benchmarks import benchmark
from darkstats.signals.vacuum_polarisation import dressing
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.production import default_cache
from darkstats.templates.histfactory import normfactor, normsys, parameter
from darkstats.workspace import Workspace

__all__ = [
    "EFFECTS", "SEARCHES", "card_with", "counting_limits", "median_counting_limits", "shape",
]  # fmt: skip

ROOT = Path(__file__).parents[2]

#: What the cards had before each effect: the one place of the old settings.
FLAT_MISSED = 3e-3
TAU_PAIRS_PB = {"mumu": 27.79, "emu": 56.96}
_FOLLOWED = ("recoil_pt_gev", "recoil_pt_lmax_gev", "recoil_pt_lmin_gev")
#: Lower bounds on the columns above, one set for all masses; None where the scan of cuts has them.
FIXED_BOUNDS: dict[str, tuple[float | None, ...]] = {
    "zprime_invisible_2018": (1.0, 0.7, 1.0),
    "zprime_invisible_2020": (1.0, None, None),
    "zprime_lfv_2018": (1.0, 1.0, 1.4),
}
_LIGHT = {"variable": "m_ll_gev", "below": 9.0}
PLANE_BOUNDS: list[dict[str, Any]] = [
    {"variable": "recoil_pt_gev", "above": 0.5},
    *(
        {"variable": variable, "above": bound, "where": _LIGHT}
        for variable, bound in zip(_FOLLOWED, (1.0, 0.7, 1.0), strict=True)
    ),
]
STEPPED = {
    "figure": "punzi",
    "masses_gev": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.2],
    "scan": {
        "recoil_pt_gev": [1.0, 1.4, 1.8, 2.2],
        "recoil_pt_lmax_gev": [0.4, 0.7, 1.0, 1.4, 1.8],
        "recoil_pt_lmin_gev": [0.6, 1.0, 1.4, 1.8, 2.2],
    },
}

#: g' of figure 3 of arXiv:1912.11276, BR = 1, observed, read by others; below 1.16 GeV it is flat.
ZPRIME_2018 = {0.5: 0.051, 1.16: 0.051, 1.64: 0.070, 2.29: 0.100, 3.02: 0.144, 3.3: 0.180,
               4.0: 0.278, 5.0: 0.52, 5.42: 0.723, 5.97: 0.994}  # fmt: skip
#: Ends of the published g' of 79.7/fb, arXiv:2212.03066.
ZPRIME_2020 = {0.15: 3e-3, 8.0: 1.0}
MASSES_2020 = (0.15, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 5.5, 6.0, 6.25, 6.5, 6.75, 7.0, 7.25, 7.5, 8.0)
#: eff x sigma of arXiv:1912.11276 in fb, flat, to be checked.
LFV = dict.fromkeys((1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0), 10.0)
#: (mass of A', mass of h'); published over the plane: 1.7 to 5.0 fb for 4.0 to 9.7 GeV.
PLANE = ((4.0, 0.5), (4.0, 2.0), (5.0, 1.0), (5.0, 3.0), (6.0, 1.0), (6.0, 3.0), (7.0, 0.5),
         (7.0, 2.0), (8.0, 0.5), (8.0, 2.0), (9.0, 0.5), (9.7, 0.2))  # fmt: skip

Card = dict[str, Any]


def _photons(card: Card) -> None:
    card["detector"]["veto_inefficiency"] = FLAT_MISSED


def _quiet(card: Card) -> None:
    card["detector"].pop("extra_energy_efficiency", None)


def _pions(card: Card) -> None:
    for background in card["backgrounds"]:
        if background["process"] == "tau_pairs":
            del background["settings"]["pion_misidentification"]
            background["cross_section_pb"] = TAU_PAIRS_PB[background["settings"]["decays"]]


def _cuts(card: Card) -> None:
    section = card[card["kind"]]
    section.pop("optimise", None)
    fixed = [cut for cut in section["cuts"] if cut["variable"] not in _FOLLOWED]
    if card["kind"] == "plane_scan":
        card["selection"].pop("helicity", None)
        section["cuts"] = fixed + PLANE_BOUNDS
        return
    bounds = zip(_FOLLOWED, FIXED_BOUNDS[card["name"]], strict=True)
    section["cuts"] = fixed + [{"variable": v, "above": b} for v, b in bounds if b is not None]
    if card["name"] == "zprime_invisible_2020":
        section["optimise"] = STEPPED


def _figure(card: Card) -> None:
    optimise = card[card["kind"]].get("optimise", {})
    if optimise.get("figure") == "fit":
        optimise["figure"] = "punzi"


def _emptiness(card: Card) -> None:
    card[card["kind"]].get("optimise", {}).pop("emptiness", None)


def _quoted(card: Card) -> None:
    if card["kind"] == "plane_scan":
        card["plane_scan"].pop("least_efficiency", None)


#: Effects in the order in which they are switched on: name, and what switches them off in a card.
EFFECTS: tuple[tuple[str, Callable[[Card], None]], ...] = (
    ("photons missed by energy", _photons),
    ("extra energy", _quiet),
    ("pions of tau pairs", _pions),
    ("cuts that follow the hypothesis", _cuts),
    ("cuts chosen by the fit", _figure),
    ("empty windows", _emptiness),
    ("quoted range", _quoted),
)
SEARCHES = ("zprime_invisible_2018", "zprime_invisible_2020", "dark_higgsstrahlung",
            "zprime_lfv_2018")  # fmt: skip
_LAST = "zprime_invisible_2020"  # whose last stage can be measured alone


def card_with(name: str, *, effects: int = len(EFFECTS), models: Path = ROOT / "models") -> Card:
    """The shipped card with the first effects on, and the others off."""
    card: Card = yaml.safe_load((models / f"{name}.yaml").read_text("utf-8"))
    for _, switch_off in EFFECTS[effects:]:
        switch_off(card)
    return card


def fewer_events(card: Card, share: float) -> Card:
    """The same with a share of the events; blocks, and so the events themselves, stay."""
    for part in [*card["backgrounds"], *([card["signal"]] if "signal" in card else [])]:
        part["events"]["full"] = max(1, round(share * part["events"]["full"]))
    return card


def _read(card: Card, folder: Path) -> SearchCard:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{card['name']}.yaml"
    path.write_text(yaml.safe_dump(card, sort_keys=False), "utf-8")
    return read_card(path)


def _counting_model(n: int, background: float, errors: Mapping[str, float]) -> Model:
    """One count with relative errors of signal and background; mu is the expected signal."""
    samples = [
        {
            "name": name,
            "data": [content],
            "modifiers": [*more, *([normsys(name, errors[name])] if errors.get(name) else [])],
        }
        for name, content, more in (
            ("signal", 1.0, [normfactor("mu")]),
            ("background", max(background, 1e-9), []),
        )
    ]
    largest = 100.0 + 20.0 * n
    return compile_workspace(
        Workspace.from_document(
            {
                "channels": [{"name": "window", "samples": samples}],
                "observations": [{"name": "window", "data": [float(n)]}],
                "measurements": [
                    {
                        "name": "count",
                        "config": {"poi": "mu", "parameters": [parameter("mu", 0.0, largest, 1.0)]},
                    }
                ],
                "version": "1.0.0",
            },
            f"a count of {n}",
        )
    )


def counting_limits(
    counts: Sequence[tuple[int, float]], *, cl: float, errors: Mapping[str, float]
) -> list[float]:
    """Bayesian limits on expected signal events, flat prior, of observed and expected counts.

    Parameters
    ----------
    counts
        Observed events and expected background of each.
    cl
        Credibility.
    errors
        Relative errors of ``signal`` and ``background``.
    """
    models = [_counting_model(n, background, errors) for n, background in counts]
    limits = []
    for found in bayes_limits(models, cl=cl, expected="none"):
        if found.observed is None:
            raise RuntimeError(f"a count has no certified limit: {found}")
        limits.append(found.observed)
    return limits


def _median_count(background: float) -> tuple[int, float]:
    """Lower of the two counts around the median, and how far the median is to the upper one.

    The distribution of whole counts is spread over their unit intervals, so that the median moves
    continuously with the background.
    """
    n, below, probability = 0, 0.0, math.exp(-background)
    while below + probability < 0.5:
        below += probability
        n += 1
        probability *= background / n
    place = n - 0.5 + (0.5 - below) / probability
    low = max(math.floor(place), 0)
    return low, max(place - low, 0.0)


def median_counting_limits(
    backgrounds: Sequence[float], *, cl: float, errors: Mapping[str, float]
) -> list[float]:
    """Limits of the median number of events without signal, between those of whole counts."""
    places = [_median_count(background) for background in backgrounds]
    counts = [
        (low + up, background)
        for (low, _), background in zip(places, backgrounds, strict=True)
        for up in (0, 1)
    ]
    limits = counting_limits(counts, cl=cl, errors=errors)
    return [
        (1.0 - share) * one + share * two
        for (_, share), one, two in zip(places, limits[::2], limits[1::2], strict=True)
    ]


def _errors(card: SearchCard) -> dict[str, float]:
    """Relative errors of signal and background, in quadrature."""
    groups = card.settings.systematics
    return {
        group: math.hypot(*groups.get(group, {"none": 0.0}).values())
        for group in ("signal", "background")
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One search with some effects on, as a build in a folder."""

    name: str
    card: SearchCard = field(repr=False)
    folder: Path

    @property
    def windows(self) -> Mapping[str, Mapping[str, Any]]:
        """Facts of the hypotheses, by name."""
        text = (self.folder / "background_only.meta.json").read_text("utf-8")
        found: Mapping[str, Mapping[str, Any]] = json.loads(text)["windows"]
        return found

    def limit_fb(self, facts: Mapping[str, Any]) -> float:
        """Median expected Bayesian limit of a counting window, fb."""
        background = float(facts["background_events"])
        (events,) = median_counting_limits([background], cl=self.card.cl, errors=_errors(self.card))
        efficiency = float(facts.get("efficiency", 1.0)) if self.card.signal is not None else 1.0
        return 1e3 * events / (self.card.luminosity_ipb * efficiency)


def nearest(
    windows: Mapping[str, Mapping[str, Any]], masses: tuple[float, ...]
) -> tuple[str, Mapping[str, Any]] | None:
    """Name and facts of the nearest hypothesis; in the plane None where there is none near."""

    def away(item: tuple[str, Mapping[str, Any]]) -> float:
        if len(masses) == 1:
            return abs(float(item[1]["mass_gev"]) - masses[0])
        parts = zip(item[1]["centre"], (masses[0], masses[1] ** 2), item[1]["sigma"], strict=True)
        return math.hypot(*((a - b) / s for a, b, s in parts))

    found = min(windows.items(), key=away)
    return None if len(masses) == 2 and away(found) > 3.0 else found


def _build(card: SearchCard, samples: Mapping[str, Candidates], folder: Path) -> None:
    simulated = SimulatedSamples(
        backgrounds={b.name: samples[b.name] for b in card.backgrounds},
        signals={}
        if card.signal is None
        else {m: samples[_signal_name(m)] for m in card.signal.masses_gev},
    )
    rng = np.random.default_rng(1)
    settings = replace(card.settings, asimov=True)
    if card.kind == "plane_scan":
        product = build_plane_scan(settings, simulated, rng=rng)
    else:
        product = build_recoil_hunt(settings, simulated, rng=rng)
    patches = patch_set_document(product, description=card.title, hepdata=card.hepdata)
    write_build(folder, product, patches, {"name": card.name})


_LABELS = ("none", *(label for label, _ in EFFECTS))


def _counts(name: str, models: Path) -> list[int]:
    """Numbers of effects at which the card of a search changes."""
    return [
        count
        for count in range(len(_LABELS))
        if not count
        or card_with(name, effects=count, models=models)
        != card_with(name, effects=count - 1, models=models)
    ]


def built_stage(
    name: str, *, models: Path = ROOT / "models", workspaces: Path = ROOT / "workspaces"
) -> Stage:
    """The stage with all effects: the built workspace."""
    card = read_card(models / f"{name}.yaml")
    return Stage(name=_LABELS[_counts(name, models)[-1]], card=card, folder=workspaces / name)


def stages(
    name: str,
    scratch: Path,
    *,
    share: float,
    cache: Path,
    workers: int,
    models: Path = ROOT / "models",
    workspaces: Path = ROOT / "workspaces",
) -> list[Stage]:
    """A search with the effects switched on in turn; the last is the built workspace.

    All is simulated with extra energy and the columns of the last cuts; extra energy is a common
    factor on all weights, so that what is without it is divided by the factor.
    """
    shipped = card_with(name, models=models)
    quiet = shipped["detector"]["extra_energy_efficiency"]
    counts = _counts(name, models)
    found = []
    for count in counts[:-1]:
        card = card_with(name, effects=count, models=models)
        without = "extra_energy_efficiency" not in card["detector"]
        card["detector"]["extra_energy_efficiency"] = quiet
        if card["kind"] == "plane_scan":
            card["selection"]["helicity"] = True
        folder = scratch / name / str(count)
        checked = _read(fewer_events(card, share), scratch)
        if not folder.is_dir():
            samples = simulate(checked, cache=cache, seed=1, workers=workers)
            if without:
                samples = {key: one.scaled(1.0 / quiet) for key, one in samples.items()}
            folder.parent.mkdir(parents=True, exist_ok=True)
            _build(checked, samples, folder)
        found.append(Stage(name=_LABELS[count], card=checked, folder=folder))
        print(f"{name}: {_LABELS[count]}", file=sys.stderr, flush=True)
    return [*found, built_stage(name, models=models, workspaces=workspaces)]


def shape(ratios: list[float]) -> float:
    """Root mean square of the logarithms of ratios about their mean: the error of the shape."""
    return float(np.std(np.log(ratios)))


def largest_jump(stage: Stage) -> float:
    """Largest second difference of the logarithm of the expected limit, in its statistical errors.

    Of neighbouring counting windows of one set; a limit that changes smoothly has second
    differences of the size of its error.
    """
    assert stage.card.signal is not None
    rows = stage.card.signal.events.full
    if getattr(stage.card.settings, "optimise", None) is not None:
        rows //= 2  # the half that fills
    found = 0.0
    for kind in ("nominal", "shifted"):
        windows = [w for w in stage.windows.values() if w["set"] == kind]
        windows.sort(key=lambda w: w["mass_gev"])
        content, error, efficiency = (
            np.array([float(w[key]) for w in windows])
            for key in ("background_events", "background_statistical_error", "efficiency")
        )
        limit, higher = (
            np.array([expected_poisson_limit(float(b)) for b in part])
            for part in (content, content + error)
        )
        value = np.log(limit / efficiency)
        variance = np.log(higher / limit) ** 2 + 1.0 / (rows * efficiency)
        second = value[:-2] + value[2:] - 2.0 * value[1:-1]
        spread = np.sqrt(variance[:-2] + variance[2:] + 4.0 * variance[1:-1])
        found = max(found, float(np.max(np.abs(second) / spread)))
    return found


def _example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs/examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "efficiency": facts.get("efficiency"),
        "background": facts["background_events"],
        "by_process": facts["background_by_process"],
    }


def _ratios(
    found: list[Stage], published: Mapping[float, float], of: Callable[[float, float], float]
) -> list[dict[str, Any]]:
    """What a limit in fb at a mass gives, over the published, stage by stage."""
    rows: list[dict[str, Any]] = [{"mass_gev": m, "published": p} for m, p in published.items()]
    for stage in found:
        windows = stage.windows
        for row in rows:
            at = nearest(windows, (row["mass_gev"],))
            assert at is not None
            value = of(float(at[1]["mass_gev"]), stage.limit_fb(at[1]))
            row[stage.name] = value / row["published"]
            row["last"] = _facts(at[1])
    for row in rows:
        row.update(row.pop("last"))
    return rows


def zprime_2018(found: list[Stage]) -> list[dict[str, Any]]:
    """g' at the published masses, stage by stage."""
    to_coupling = benchmark("lmu_ltau_invisible").to_coupling
    rows = _ratios(found, ZPRIME_2018, lambda m, fb: to_coupling((m,), 1e-3 * fb))
    for row in rows:
        row["with vacuum polarisation"] = row[found[-1].name] / math.sqrt(dressing())
    return rows


def zprime_2020(found: list[Stage]) -> list[dict[str, Any]]:
    """g' of fits, CLs, over the masses; published are its ends."""
    expected = _example("recoil_fidelity").expected
    to_coupling = benchmark("lmu_ltau_invisible").to_coupling
    rows: list[dict[str, Any]] = [
        {"mass_gev": mass, "published": ZPRIME_2020.get(mass)} for mass in MASSES_2020
    ]
    for stage in found:
        windows = stage.windows
        for row in rows:
            at = nearest(windows, (row["mass_gev"],))
            assert at is not None
            limit_pb = expected(stage.folder, at[0])[0]
            row[stage.name] = to_coupling((float(at[1]["mass_gev"]),), limit_pb)
            row["last"] = _facts(at[1])
        print(f"limits: {stage.name}", file=sys.stderr, flush=True)
    for row in rows:
        row.update(row.pop("last"))
        row["with vacuum polarisation"] = row[found[-1].name] / math.sqrt(dressing())
    return rows


def with_last(study: dict[str, Any], *, models: Path, workspaces: Path) -> None:
    """Put the limits with all effects of ``zprime_invisible_2020`` into a record; others stay."""
    new = zprime_2020([built_stage(_LAST, models=models, workspaces=workspaces)])
    rows = study[_LAST]["rows"]
    study[_LAST]["rows"] = [old | row for old, row in zip(rows, new, strict=True)]


def lfv(found: list[Stage]) -> list[dict[str, Any]]:
    """Efficiency times cross section, Bayesian, over the published."""
    return _ratios(found, LFV, lambda _, fb: fb)


def dark_higgs(found: list[Stage]) -> dict[str, Any]:
    """Limits at points, over the published plane, and the composition of the background."""
    rows: list[dict[str, Any]] = [{"mass_gev": list(masses)} for masses in PLANE]
    overall = []
    for stage in found:
        windows = stage.windows
        for row, masses in zip(rows, PLANE, strict=True):
            at = nearest(windows, masses)
            row[stage.name] = None if at is None else stage.limit_fb(at[1])
            if at is not None:
                row["last"] = _facts(at[1])
        inside = [w for w in windows.values() if 4.0 <= w["mass_gev"][0] <= 9.7]
        limits = _plane_limits(stage, inside)
        overall.append(
            {
                "effects": stage.name,
                "hypotheses": len(inside),
                "limits_fb": np.quantile(limits, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist(),
                "within_published": float(np.mean((limits >= 1.7) & (limits <= 5.0))),
                "composition": _composition(inside, 1.0),
                "composition, light": _composition(inside, 0.5),
            }
        )
    for row in rows:
        row.update(row.pop("last"))
    return {"points": rows, "overall": overall}


def _plane_limits(stage: Stage, windows: list[Mapping[str, Any]]) -> np.ndarray:
    """Limits of many windows, interpolated in the background."""
    errors = _errors(stage.card)
    background = np.array([w["background_events"] for w in windows])
    efficiency = np.array([w["efficiency"] for w in windows])
    grid = np.concatenate([[0.0], np.geomspace(1e-3, max(background.max(), 1.0) * 1.01, 60)])
    events = median_counting_limits(grid.tolist(), cl=stage.card.cl, errors=errors)
    return 1e3 * np.interp(background, grid, events) / (stage.card.luminosity_ipb * efficiency)


def _composition(windows: list[Mapping[str, Any]], most: float) -> dict[str, float]:
    """Shares of the processes in the windows up to a fraction of the highest mass of h', per cent.

    Windows overlap alike everywhere, in steps of the resolutions: their sum counts every place of
    the plane equally often.
    """
    total: dict[str, float] = {}
    for window in windows:
        mass, higgs = window["mass_gev"]
        if higgs <= most * highest_higgs(mass):
            for name, content in window["background_by_process"].items():
                total[name] = total.get(name, 0.0) + content
    everything = sum(total.values())
    return {name: 100.0 * content / everything for name, content in sorted(total.items())}


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {part:.2g}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(f"{part:.3g}" for part in value)
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as Markdown."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    lines += ["| " + " | ".join(_cell(row.get(name)) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def summary(rows: list[dict[str, Any]], stage: str) -> dict[str, float]:
    """Median, extremes and shape of ratios to the published."""
    ratios = [float(row[stage]) for row in rows]
    return {
        "median": float(np.median(ratios)), "least": min(ratios), "largest": max(ratios),
        "rms of shape": shape(ratios),
    }  # fmt: skip


def page(study: dict[str, Any]) -> str:
    """The page: the template with the tables of the record."""
    shares = {f"{100 * part['share_of_events']:.3g} %" for part in study.values()}
    text = (Path(__file__).parent / "recoil_effects.md.in").read_text("utf-8")
    text = text.replace("@share@", " or ".join(sorted(shares)))
    for name, part in study.items():
        for key, rows in part.items():
            if key == "summary":
                filled = table([{"effects": stage, **numbers} for stage, numbers in rows.items()])
            elif isinstance(rows, list):
                filled = table(rows)
            else:
                continue
            text = text.replace(f"@{name} {key}@", filled)
    return re.sub(r"^@.*@$", "Not measured.", text, flags=re.MULTILINE)


def measured(name: str, found: list[Stage]) -> dict[str, Any]:
    """What the record has of a search."""
    if name == "dark_higgsstrahlung":
        return dark_higgs(found)
    rows = {
        "zprime_invisible_2018": zprime_2018,
        "zprime_invisible_2020": zprime_2020,
        "zprime_lfv_2018": lfv,
    }[name](found)
    if name == "zprime_invisible_2020":
        return {"rows": rows}
    numbers = {stage.name: summary(rows, stage.name) for stage in found}
    if name == "zprime_invisible_2018":
        for stage in found:
            numbers[stage.name]["largest jump"] = largest_jump(stage)
    return {"rows": rows, "summary": numbers}


def main() -> None:
    """Make the study, the page, or the cards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, nargs="?")
    parser.add_argument("--search", nargs="*", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    parser.add_argument("--workspaces", type=Path, default=ROOT / "workspaces")
    parser.add_argument("--share", type=float, default=0.25, help="of the events of the cards")
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--scratch", type=Path, help="folder of builds; those that are there stay")
    parser.add_argument("--page", type=Path, help="write the page here")
    parser.add_argument(
        "--last",
        action="store_true",
        help="only the limits with all effects, of zprime_invisible_2020; the others stay",
    )
    parser.add_argument("--cards", type=Path, help="write the cards without effects here")
    asked = parser.parse_args()
    if asked.cards is not None:
        asked.cards.mkdir(parents=True, exist_ok=True)
        for name in asked.search:
            text = yaml.safe_dump(card_with(name, effects=0, models=asked.models), sort_keys=False)
            (asked.cards / f"{name}.yaml").write_text(text, "utf-8")
        return
    if asked.scratch is None:
        asked.scratch = Path(tempfile.mkdtemp())
    study: dict[str, Any] = {}
    if asked.output.is_file():  # searches that were asked for before stay
        study = json.loads(asked.output.read_text("utf-8"))
    if asked.last:
        if asked.search != [_LAST] or _LAST not in study:
            parser.error(f"--last goes with --search {_LAST} and a record that has it")
        with_last(study, models=asked.models, workspaces=asked.workspaces)
    for name in [] if asked.last else asked.search:
        found = stages(
            name, asked.scratch, share=asked.share, cache=asked.cache, workers=asked.workers,
            models=asked.models, workspaces=asked.workspaces,
        )  # fmt: skip
        study[name] = {**measured(name, found), "share_of_events": asked.share}
        asked.output.write_text(json.dumps(study, indent=1) + "\n", "utf-8")
    asked.output.write_text(json.dumps(study, indent=1) + "\n", "utf-8")
    if asked.page is not None:
        asked.page.write_text(page(study), "utf-8")
    else:
        print(page(study))


if __name__ == "__main__":
    main()
