"""The page of the unbinned studies from their records: ``python docs/examples/unbinned_page.py``.

Reads ``docs/studies/unbinned.json`` (``docs/examples/unbinned_study.py``),
``docs/studies/unbinned-peers.json`` (``docs/examples/unbinned_peers.py``) and
``docs/studies/unbinned-speed.json`` (``tests/benchmarks/unbinned_speed.py``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STUDIES = Path(__file__).resolve().parents[1] / "studies"
TITLES = {
    "alp": "Axion-like particles, 95 % CL",
    "zprime_invisible_2018": "Invisible Z′, 90 % CL",
    "dark_higgsstrahlung": "Dark Higgsstrahlung, 90 % CL",
}
HEAD = """<!-- diataxis: explanation -->
# Binned against unbinned, and how fast

Everything on this page is simulated. It is made by

```console
python docs/examples/unbinned_study.py docs/studies/unbinned --toys 1000 --zfit
python docs/examples/unbinned_peers.py docs/studies/unbinned-peers
python -m tests.benchmarks.unbinned_speed --output docs/studies/unbinned-speed
python docs/examples/unbinned_page.py
```

## The same events, binned and unbinned

Each row is one mass hypothesis. Both limits are CLs, asymptotic, on the signal strength, and look at the same simulated
events: the pseudo-data of the search, filled into the bins of its workspace or fitted one by one. *Background* is what the
unbinned window expects. *Separation* is what the bins leave of the one between no signal and the binned expected limit:
binned over unbinned, twice the difference in NLL on the expectation without signal, nuisance parameters held. It grows with
the square of the signal strength where events are many, and linearly where there is hardly any background, so that the
ratio of expected limits should lie between this number and its root. *Shift* is the difference of the two observed limits
in units of the ±1σ band.
"""
AFTER = """
In the bump hunt, bins of half a resolution leave {alp} of the separation. In a window of the search for an invisible Z′
{background_z} background events are expected: both limits are nearly those of no event, and where in the window an event
would lie matters little ({z}). In the plane, the box that is fitted holds the ellipse and the ring that are counted, and
the shape of the signal and of the ridge at zero recoil mass in both; what is counted leaves {plane}. No ratio of limits
lies above the root of the separation, and at most {below:.3f} below the separation itself. (The two likelihoods also describe
the signal in two ways, as a fitted Crystal Ball and as a smoothed histogram.)
"""
COVERAGE = """
## Coverage

How often the true signal strength is accepted, in per cent, at half, once and twice the expected limit of the first
hypothesis of each search. Every toy has its own auxiliary data, fits and Asimov data; a failed toy counts as not
accepted. The columns "toys" take p-values from the distributions of other toys, and cover by construction: CLs at or above
its level, CLs+b at it. The other columns are asymptotic formulas, which hold for many events. Here the windows expect
{events} background events: asymptotic CLs of the two recoil searches covers {worst} at worst. `darkstats limit`
warns of such limits, and says what toys or the limit of no event give. With {toys} toys the binomial error is {error:.1f} % at
95 % and {other:.1f} % at 90 %, and a coverage that is truly {low:.0f} % instead of 95 % is found below 95 % − 3.5 errors with a
probability of {power:.2f}.
"""
PEERS = """
## Beside zfit, hepstats and HS3 files

One toy of the hypothesis at 0.998 GeV of the search for axion-like particles, {events} events with a signal strength of
{signal:g}, so that the best fit lies away from zero, where hepstats' test statistic is ours. Densities with little negative
signal are positive: all programs fit strengths above {least} for CLs+b.
"""
SPEED = """
## Speed

Toys of about a thousand events, all free parameters fitted, methods interleaved in one run on {processors} shared
processors; a ratio is the median over rounds of the ratios to zfit with Minuit (one loss, data put in, zfit's
gradient). Models and toys are made for it, and are none of the searches; it is of 2026-11-26. The minima of all methods
are evaluated by zfit's own loss. *Engine* is the batched Newton method over zfit's loss in one traced graph, *kernels*
are the compiled closed forms. Both stand at certification level 1.
"""


def searches(study: dict[str, Any]) -> list[str]:
    """The tables of limits."""
    lines = []
    for search, title in TITLES.items():
        found = study["searches"][search]
        agreement = found.get("zfit_difference_nll")
        lines += [
            "",
            f"### {title}",
            "",
            *(
                [
                    "At minima of a toy of each hypothesis, zfit's own loss differs from the "
                    f"kernels' by at most {agreement:.0e} in NLL.",
                    "",
                ]
                if agreement is not None
                else []
            ),
            "| masses (GeV) | events | background | expected, unbinned | expected, binned | ratio "
            "| separation | observed, unbinned | observed, binned | shift |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        # Records sort their keys: the heavy boson comes first in print.
        rows = [(sorted(row["values"].values(), reverse=True), row) for row in found["rows"]]
        for values, row in sorted(rows, key=lambda pair: pair[0]):
            masses = ", ".join(f"{value:.4g}" for value in values)
            lines.append(
                f"| {masses} | {row['events']} | {_events(row['background'])} | {row['unbinned']['expected'][2]:.4g} "
                f"| {row['binned']['expected'][2]:.4g} | {row['ratio_expected']:.3f} "
                f"| {row['ratio_separation']:.3f} | {row['unbinned']['observed']:.4g} "
                f"| {row['binned']['observed']:.4g} | {row['difference_in_band_widths']:+.2f} |"
            )
    return lines


def lost(study: dict[str, Any]) -> dict[str, Any]:
    """What the text says of the tables: ranges, and how far ratios leave their bracket."""
    rows = {name: study["searches"][name]["rows"] for name in TITLES}
    parts = {
        name: _rising([row["ratio_separation"] for row in rows[search]], ".3f")
        for name, search in zip(("alp", "z", "plane"), TITLES, strict=True)
    }
    every = [row for found in rows.values() for row in found]
    return {
        **parts,
        "background_z": _rising(
            [row["background"] for row in rows["zprime_invisible_2018"]], ".1g"
        ),
        "below": max(row["ratio_separation"] - row["ratio_expected"] for row in every),
    }


def few_events(study: dict[str, Any]) -> dict[str, str]:
    """Background of the hypotheses of the coverage, and the least of asymptotic CLs."""
    found, events, least = study["coverage"], [], []
    for search in TITLES:
        (row,) = (
            row for row in study["searches"][search]["rows"] if row["name"] == found[search]["name"]
        )
        events.append(_events(row["background"]))
        if row["background"] < 5.0:
            cells = found[search]["unbinned"] + found[search]["binned"]
            least.append(min(one["CLs"] for one in cells))
    return {
        "events": f"{', '.join(events[:-1])} and {events[-1]}",
        "worst": " and ".join(f"{100.0 * one:.1f} %" for one in least),
    }


def coverage(study: dict[str, Any]) -> list[str]:
    """The table of coverage."""
    lines = [
        "| search | likelihood | true strength | CLs | CLs+b | CLs toys | CLs+b toys | failed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for search in TITLES:
        for kind in ("unbinned", "binned"):
            for one in study["coverage"][search][kind]:
                shares = " | ".join(
                    f"{100.0 * one[name]:.1f}"
                    for name in ("CLs", "CLs+b", "CLs toys", "CLs+b toys")
                )
                lines.append(
                    f"| {search}, {100 * one['cl']:.0f} % | {kind} | {one['mu']:.4g} | {shares} "
                    f"| {one['failed']} |"
                )
    return lines


def peers(found: dict[str, Any]) -> list[str]:
    """The comparison with other programs."""
    limit, hepstats, toys = found["limit"], found["hepstats"], found["toys"]
    worst = max(
        abs(theirs / ours - 1.0)
        for theirs, ours in zip(hepstats["clsb"], hepstats["clsb_ours"], strict=True)
    )
    other = f"{toys['hepstats']:.3f} ± {toys['hepstats_error']:.3f}"
    own = f"{toys['ours']:.4f} ± {toys['ours_error']:.4f}"
    return [
        "| quantity | darkstats | peer | difference |",
        "|---|---|---|---|",
        f"| CLs limit, 95 %, zfit's loss under our limit finder | {limit['kernels']:.6g} "
        f"| {limit['zfit_loss']:.6g} | {abs(limit['zfit_loss'] / limit['kernels'] - 1.0):.0e} |",
        f"| CLs+b limit, 95 %, asymptotic, hepstats with Minuit | {hepstats['limit_ours']:.5g} "
        f"| {hepstats['limit']:.5g} | {abs(hepstats['limit'] / hepstats['limit_ours'] - 1.0):.0e} |",
        f"| its p-values at 0.85 to 1.15 of the limit | {_span(hepstats['clsb_ours'])} "
        f"| {_span(hepstats['clsb'])} | at most {worst:.0e} |",
        f"| p-value from toys at 0.95 of the limit, {toys['ours_toys']:,} and "
        f"{toys['hepstats_toys']} toys | {own} | {other} "
        f"| {abs(toys['hepstats'] - toys['ours']) / toys['hepstats_error']:.1f} errors |",
        f"| NLL after writing and reading HS3, {found['round_trip']['models']:,} models | – | – "
        f"| at most {found['round_trip']['largest_nll']:.1g} |",
    ]


def _span(values: list[float]) -> str:
    return f"{max(values):.4f} to {min(values):.4f}"


def _events(number: float) -> str:
    return f"{number:.0f}" if number >= 10.0 else f"{number:.2g}"


def _rising(values: list[float], how: str) -> str:
    return f"{min(values):{how}} to {max(values):{how}}"


def speed(study: dict[str, Any]) -> list[str]:
    """The table of rates, and the lines on memory."""
    lines = [
        "| model | floating | zfit + Minuit, fits/s | engine, fits/s | kernels, fits/s "
        "| Minuit above the kernels' minimum (NLL) | engine minus kernels (NLL) "
        "| certified: engine, kernels |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in study["models"]:
        rates, ratio, good = row["rates_per_s"], row["ratio"], row["certified"]
        low, high = row["minuit_above_kernels"]
        lines.append(
            f"| {row['model']} | {row['parameters']} | {rates['minuit']:.2f} "
            f"| {rates['engine']:.0f} (× {ratio['engine']:.0f}) "
            f"| {rates['kernels']:.0f} (× {ratio['kernels']:.0f}) "
            f"| {low:.0e} to {high:.0e} | {row['engine_minus_kernels']:.0e} "
            f"| {good['engine']:.4f}, {good['kernels']:.4f} |"
        )
    lines.append("")
    lines += [
        f"{row['toys']:,} toys of a thousand events, thrown and fitted twice: peak memory "
        f"{row['peak_mb']:.0f} MB, {row['failed']} failed.  "
        for row in study["memory"]
    ]
    return lines


def page() -> str:
    """The whole page."""
    from statistics import NormalDist

    study = json.loads((STUDIES / "unbinned.json").read_text("utf-8"))
    other = json.loads((STUDIES / "unbinned-peers.json").read_text("utf-8"))
    rates = json.loads((STUDIES / "unbinned-speed.json").read_text("utf-8"))
    toys = study["coverage"]["alp"]["unbinned"][0]["toys"]
    error = (0.95 * 0.05 / toys) ** 0.5
    power = NormalDist().cdf((0.95 - 3.5 * error - 0.92) / (0.92 * 0.08 / toys) ** 0.5)
    parts = [
        HEAD.rstrip("\n"),
        *searches(study),
        AFTER.format(**lost(study)).rstrip("\n"),
        COVERAGE.format(
            toys=toys,
            error=100.0 * error,
            other=100.0 * (0.9 * 0.1 / toys) ** 0.5,
            low=92.0,
            power=power,
            **few_events(study),
        ).rstrip("\n"),
        "",
        *coverage(study),
        PEERS.format(
            events=other["events"],
            signal=other["signal_strength"],
            least=f"{other['least_strength']:g}".replace("-", "−"),
        ).rstrip("\n"),
        "",
        *peers(other),
        SPEED.format(processors=rates["processors"]).rstrip("\n"),
        "",
        *speed(rates),
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    (STUDIES / "unbinned.md").write_text(page(), "utf-8")
