"""The validation page, from the record of ``validation_report``; and what counts as right."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any

__all__ = ["TOLERANCES", "failures", "page"]

Json = dict[str, Any]

DOUBLE_WELL = "2bin_2channel_coupledhistosys"

#: Largest relative deviations allowed; the page gives the reason of each.
TOLERANCES = {
    "sbottom observed, stated": 1.5e-5,
    "sbottom expected, stated": 6e-5,
    "sbottom, converged": 1e-6,
    "validation, stated": 4e-4,
    "validation, converged": 1e-6,
    "closed forms": 1e-6,
    "Feldman-Cousins, grid": 0.0051,
    "Feldman-Cousins, published": 0.0101,
}

ROWS = ("observed", *(f"expected {n}" for n in ("−2σ", "−1σ", "median", "+1σ", "+2σ")))


def deviations(found: Json, other: str) -> list[float]:
    """Relative deviations of our six values from those of another column."""
    return [a / b - 1.0 for a, b in zip(found["ours"], found[other], strict=True)]


def _worst(values: list[float]) -> float:
    return max(abs(value) for value in values)


def failures(found: Json) -> list[str]:
    """One line for each number outside its tolerance; the stated double well apart, as declared."""
    wrong: list[str] = []

    def check(what: str, value: float, tolerance: str) -> None:
        if not abs(value) <= TOLERANCES[tolerance]:
            wrong.append(f"{what}: {value:.3g} is beyond {TOLERANCES[tolerance]:g} ({tolerance})")

    for name, point in found["sbottom"].items():
        stated = deviations(point, "stated")
        check(f"{name}, observed", stated[0], "sbottom observed, stated")
        check(f"{name}, expected", _worst(stated[1:]), "sbottom expected, stated")
        check(name, _worst(deviations(point, "converged")), "sbottom, converged")
    for name, point in found["validation"].items():
        if name != DOUBLE_WELL:
            check(name, _worst(deviations(point, "stated")), "validation, stated")
        check(name, _worst(deviations(point, "converged")), "validation, converged")
    smooth = found["double_well"]["smooth"]
    check(
        f"{DOUBLE_WELL}, default interpolation",
        _worst(deviations(smooth, "converged")),
        "validation, converged",
    )
    for row in found["closed_forms"]:
        check(row["what"], row["ours"] / row["exact"] - 1.0, "closed forms")
    for row in found["feldman_cousins"]:
        for other in ("grid", "published"):
            what = f"n = {row['n']}, b = {row['background']}"
            check(what, _gap(row, other), f"Feldman-Cousins, {other}")
    return wrong


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _number(value: float) -> str:
    return f"{value:.8g}"


def _deviation(value: float) -> str:
    return "0" if value == 0.0 else f"{value:+.1e}".replace("e-0", "e-").replace("e+0", "e+")


def _six(found: Json) -> list[str]:
    """Six rows: ours, the stated, the converged, and the deviations."""
    stated, converged = deviations(found, "stated"), deviations(found, "converged")
    tight = [b / a - 1.0 for a, b in zip(found["stated"], found["pyhf_tight"], strict=True)]
    rows = []
    for i, label in enumerate(ROWS):
        rows.append(
            [
                label,
                _number(found["ours"][i]),
                _number(found["stated"][i]),
                _deviation(stated[i]),
                _number(found["converged"][i]),
                _deviation(converged[i]),
                _deviation(tight[i]),
            ]
        )
    head = ["", "ours", "stated", "ours/stated − 1", "converged", "ours/converged − 1",
            "pyhf at 1e-12/stated − 1"]  # fmt: skip
    return _table(head, rows)


def _sbottom(points: Json) -> str:
    lines: list[str] = []
    for name, point in points.items():
        lines += [
            f"### {name}",
            "",
            f"{point['parameters']} parameters; q̃ = {point['q']:.7f}, on Asimov data "
            f"{point['q_asimov']:.7f}; 2 ln L left in the converged minima: "
            f"{point['edm_converged']:.0e}.",
            "",
            *_six(point),
        ]
    return "\n".join(lines)


def _validation(points: Json) -> str:
    rows = [
        [
            f"`{name}`",
            f"{point['statistic']}, mu = {point['mu']:g}",
            _number(point["ours"][0]),
            _number(point["stated"][0]),
            _deviation(deviations(point, "stated")[0]),
            _deviation(max(deviations(point, "stated")[1:], key=abs)),
            _deviation(max(deviations(point, "converged"), key=abs)),
        ]
        for name, point in points.items()
    ]
    head = ["workspace", "test", "observed, ours", "stated", "ours/stated − 1",
            "the same, worst expected", "ours/converged − 1, worst of six"]  # fmt: skip
    return "\n".join(_table(head, rows))


def _scan(scan: list[Any]) -> str:
    rows = []
    for mu, wells in scan:
        if round(10 * mu) % 2 == 0:
            sides = {alpha < 0.0: value for alpha, value in wells}
            cells = [f"{sides[s]:.4f}" if s in sides else "no minimum" for s in (True, False)]
            rows.append([f"{mu:.1f}", *cells])
    return "\n".join(_table(["mu", "alpha < 0", "alpha > 0"], rows))


def _programs(programs: Json) -> str:
    rows = []
    for label, program in programs.items():
        free, held = program["free"], program["held"]
        rows.append(
            [
                label,
                f"{free[0]:.4f}, {free[1]:+.4f}",
                f"{free[2]:.4f}",
                f"{held[1]:+.4f}",
                f"{held[2]:.4f}",
                f"{held[2] - free[2]:.4f}",
                f"{program['cls']:.6f}",
            ]
        )
    head = ["program", "free: mu, alpha", "−2 ln L", "mu = 1: alpha", "−2 ln L", "q", "CLs"]
    return "\n".join(_table(head, rows))


def _closed(found: list[Json]) -> str:
    rows = [
        [
            row["what"],
            f"{row['ours']:.12g}",
            f"{row['exact']:.12g}",
            _deviation(row["ours"] / row["exact"] - 1.0),
        ]
        for row in found
    ]
    return "\n".join(_table(["case", "ours", "exact", "ours/exact − 1"], rows))


def _gap(row: Json, other: str) -> float:
    return _worst([a - b for a, b in zip(row["ours"], row[other], strict=True)])


def _feldman_cousins(found: list[Json]) -> str:
    rows = [
        [
            str(row["n"]),
            f"{row['background']:g}",
            "{:.4f}, {:.4f}".format(*row["ours"]),
            "{:.3f}, {:.3f}".format(*row["grid"]),
            "{:.2f}, {:.2f}".format(*row["published"]),
        ]
        for row in found
    ]
    return "\n".join(_table(["n", "b", "ours", "grid", "published"], rows))


def _largest(points: Iterable[Json], other: str, first: int = 0) -> float:
    """Largest relative deviation among all values, or all from the second (the expected)."""
    return max(_worst(deviations(point, other)[first:]) for point in points)


def page(found: Json) -> str:
    """The page, in Markdown."""
    wrong = failures(found)
    sbottom, validation, well = found["sbottom"], found["validation"], found["double_well"]
    plain = [point for name, point in validation.items() if name != DOUBLE_WELL]
    example, double = sbottom["RegionA/1400_950_60"], validation[DOUBLE_WELL]
    warned = any("more than one minimum" in text for text in well["warnings"])
    intervals = found["feldman_cousins"]
    text = Template(Path(__file__).with_suffix(".md.in").read_text("utf-8")).substitute(
        versions=", ".join(f"{name} {text}" for name, text in sorted(found["versions"].items())),
        verdict="All numbers lie within their tolerances, with the one exception declared below."
        if not wrong
        else "\n".join(["Outside its tolerance:", "", *(f"* {line}" for line in wrong)]),
        sbottom_observed=f"{max(abs(deviations(p, 'stated')[0]) for p in sbottom.values()):.1e}",
        sbottom_expected=f"{_largest(sbottom.values(), 'stated', 1):.1e}",
        sbottom_converged=f"{_largest(sbottom.values(), 'converged'):.0e}",
        example_ours=f"{example['q_asimov']:.7f}",
        example_converged=f"{example['q_asimov_converged']:.7f}",
        sbottom_tables=_sbottom(sbottom),
        validation_stated=f"{_largest(plain, 'stated'):.1e}",
        validation_converged=f"{_largest(plain, 'converged'):.0e}",
        validation_table=_validation(validation),
        scan_table=_scan(well["scan"]),
        program_table=_programs(well["programs"]),
        well_ours=f"{double['ours'][0]:.6f}",
        well_note="and warns that the likelihood has more than one minimum"
        if warned
        else "without a warning",
        well_converged=f"{double['converged'][0]:.6f}",
        well_stated=f"{double['stated'][0]:.7f}",
        smooth_ours=f"{well['smooth']['ours'][0]:.6f}",
        smooth_note="The two agree."
        if abs(deviations(well["smooth"], "converged")[0]) < TOLERANCES["validation, converged"]
        else "**The two disagree**: all starts of a fit of ours ended in the same well.",
        smooth_converged=f"{well['smooth']['converged'][0]:.6f}",
        closed_worst=f"{max(abs(r['ours'] / r['exact'] - 1.0) for r in found['closed_forms']):.0e}",
        closed_table=_closed(found["closed_forms"]),
        grid_worst=f"{max(_gap(row, 'grid') for row in intervals):.4f}",
        published_worst=f"{max(_gap(row, 'published') for row in intervals):.4f}",
        feldman_cousins_table=_feldman_cousins(intervals),
    )
    return text.rstrip("\n") + "\n"
