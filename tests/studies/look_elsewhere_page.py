"""The study of the look-elsewhere methods as a page of the documentation."""

from __future__ import annotations

import textwrap

from tests.studies.look_elsewhere import AT, BAND, ModelStudy, Validation

__all__ = ["page"]


def _paragraph(*sentences: str, bullet: str = "") -> str:
    return textwrap.fill(
        " ".join(sentences),
        width=118,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _introduction() -> list[str]:
    return [
        "<!-- diataxis: explanation -->",
        "# Look-elsewhere methods",
        "",
        _paragraph(
            "Global p-values by up-crossings, by the Euler characteristic and from the covariance",
            "of the scan, held against brute force: toys of the whole scan, each with its largest",
            "local significance. This page and `look-elsewhere.json` beside it are made by",
        ),
        "",
        "```console",
        "$ python -m tests.studies.look_elsewhere --output look-elsewhere",
        "```",
        "",
        _paragraph(
            "in some ten minutes on one core; the seed is fixed. The exit status is 1 if a row",
            "contradicts what its model was made to show. What each method assumes is told in",
            "[the look-elsewhere effect](../explanation/look-elsewhere.md).",
        ),
        "",
        "## What is compared",
        "",
        _paragraph(
            "Brute force has toys enough to count excesses of local 3 to 4 σ anywhere in the scan.",
            "The other methods get what a user would give them: one block of toys of their own,",
            "independent of the brute-force ones, or fits to Asimov data. *Ratio* is the method's",
            "global p-value over that of brute force, with the standard error of both. For models",
            "with large counts a method has to be valid by its own checks and its ratio within",
            f"{BAND[0]} to {BAND[1]}; for the model with few events it has to say that it is not",
            "valid. All data are toys.",
        ),
        "",
    ]


def _findings(study: Validation) -> list[str]:
    cells = [cell for model in study.models for cell in model.cells if cell.asymptotic]
    if not cells:
        return []
    ratios = [cell.ratio for cell in cells]
    worst = max(cells, key=lambda cell: cell.ratio_error / cell.ratio)
    wrong = len(study.wrong)
    verdict = "No row contradicts what its model was made to show."
    if wrong:
        verdict = f"**{wrong} rows contradict what their models were made to show.**"
    return [
        "## What is found",
        "",
        _paragraph(
            f"{len(cells)} comparisons on models with large counts: ratios from",
            f"{min(ratios):.3f} to {max(ratios):.3f}. {verdict}",
        ),
        "",
        _paragraph(
            f"Power: in the row with the largest error ({worst.model}, {worst.method},",
            f"{worst.z_local:g} σ, ±{100 * worst.ratio_error / worst.ratio:.1f} %) a method that",
            "was really at 0.75 would be found outside the band with a probability of",
            f"{worst.power(0.75):.2f}, one at 1.35 with {worst.power(1.35):.2f}, and one at 1",
            f"with {worst.power(1.0):.1g}. In all other rows the test is sharper.",
        ),
        "",
        _paragraph(
            "Up-crossings and the Euler characteristic lie above brute force because they are",
            "bounds where excursions are frequent (the plane at 3 σ), and because they speak of a",
            "field between the points, too; the covariance method speaks of the points alone.",
        ),
        "",
    ]


def page(study: Validation) -> str:
    """Return the study as Markdown."""
    lines = [*_introduction(), *_findings(study)]
    if study.scale != 1.0:
        lines += [f"Made with {study.scale:g} of the full number of toys.", ""]
    for model in study.models:
        lines += _model(model)
    return "\n".join(lines).rstrip("\n") + "\n"


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


def _model(model: ModelStudy) -> list[str]:
    methods = list(dict.fromkeys(cell.method for cell in model.cells))
    lines = [
        f"## {_upper(model.name)}",
        "",
        _paragraph(
            f"{_upper(model.description)}. {model.toys:,} toys of the whole scan, {model.failed}",
            f"with a failed fit; {model.toys_for_levels:,} further toys for the levels; the mean",
            f"step is {model.step:.2f} correlation lengths.",
        ),
        "",
    ]
    if not model.asymptotic:
        reasons = {(c.method, r) for c in model.cells if c.z_local == 3.5 for r in c.reasons}
        lines += [
            "Here the asymptotic methods do not apply, and say so:",
            "",
            *(_paragraph(f"{method}: {r}", bullet="* ") for method, r in sorted(reasons)),
            "",
        ]
    lines += [
        "| local σ | toys above | toys | "
        + " | ".join(f"{method} | ratio | valid" for method in methods)
        + " |",
        "|---" * (3 + 3 * len(methods)) + "|",
        *_rows(model, methods),
        "",
    ]
    if model.alone is not None and model.asymptotic:
        spread = model.alone
        lines += [
            _paragraph(
                f"From the crossings of one scan alone, {spread.scans:,} times over, at 3.5 σ:",
                f"median ratio {spread.median:.2f}, 16 to 84 % of scans between {spread.low:.2f}",
                f"and {spread.high:.2f}. {spread.valid} of them call themselves valid: a scan as",
                "short as this one has too few crossings.",
            ),
            "",
        ]
    return lines


def _rows(model: ModelStudy, methods: list[str]) -> list[str]:
    cells = {(cell.z_local, cell.method): cell for cell in model.cells}
    lines = []
    for z in AT:
        found = [cells[z, method] for method in methods if (z, method) in cells]
        if not found:
            continue
        row = [
            f"{z:g}",
            f"{found[0].toys_above:,}",
            f"{found[0].p_toys:.3g} ± {found[0].p_toys_error:.1g}",
        ]
        for cell in found:
            row += [
                f"{cell.p_method:.3g}",
                f"{cell.ratio:.3f} ± {cell.ratio_error:.3f}{' !' if cell.wrong else ''}",
                "yes" if cell.valid else "no",
            ]
        lines.append("| " + " | ".join(row) + " |")
    return lines
