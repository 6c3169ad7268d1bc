"""Results as tables for a terminal, as one would print them in a paper.

Each function returns a sheet: a title, lines that say what was done, a table, notes, warnings. The
shell prints it; nothing here knows of terminals.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from darkstats.characters import printable
from darkstats.gaussian import quantile
from darkstats.report.methods import method_name
from darkstats.report.numbers import (
    BAND_LABELS,
    number,
    p_number,
    p_with_error,
    percent,
    statistic_symbol,
    thousands,
    with_error,
)

if TYPE_CHECKING:
    from darkstats.inference.p_values import FitCounts, PValue, ToyCounts
    from darkstats.inference.results import (
        GoodnessOfFit,
        HypoTestResult,
        Interval,
        Probe,
        Significance,
        UpperLimit,
    )
    from darkstats.referee import Verdict
    from darkstats.report.provenance import Inputs

__all__ = [
    "below",
    "goodness_sheet",
    "grid",
    "hypotest_sheet",
    "interval_sheet",
    "limit_sheet",
    "sheet",
    "short_source",
    "significance_sheet",
    "subtitle_of",
    "table_text",
    "with_appendix",
]

_WIDTH = 110  # columns of plain text

Notes = list[tuple[str, str]]

_NO_BAND = (None,) * 5
_UNBOUNDED = 10_000  # columns of a terminal


def grid(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: int = 1,
    flexible: Sequence[int] = (),
) -> Table:
    """A table without vertical lines; the first ``left`` columns are words, the rest numbers.

    Columns in ``flexible`` are folded where the terminal is narrow; the others keep their width.
    """
    table = Table(box=box.HORIZONTALS, show_edge=True, pad_edge=False, border_style="dim")
    cells = [list(columns), *map(list, rows)]
    for index, name in enumerate(columns):
        rigid = index not in flexible
        table.add_column(
            Text(name, style="bold"),
            justify="left" if index < left else "right",
            overflow="fold",
            no_wrap=rigid,
            min_width=max(cell_len(row[index]) for row in cells) if rigid else None,
        )
    for row in cells[1:]:
        table.add_row(*(Text(cell) for cell in row))
    return table


@dataclass(frozen=True, slots=True)
class Uncut:
    """A table that is as wide as its numbers need, on a narrow terminal, too.

    A number whose last digits are cut off is another number; a line that the terminal folds is
    merely ugly.
    """

    table: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unbounded = options.update_width(_UNBOUNDED)
        needed = Measurement.get(console, unbounded, self.table).minimum + 1
        width = max(options.max_width, needed)
        inner = Padding(self.table, (0, 0, 0, 1), expand=False)
        yield from console.render(inner, options.update(width=width))


def sheet(
    title: str,
    *,
    subtitle: str = "",
    first: str = "",
    tables: Sequence[RenderableType] = (),
    notes: Sequence[tuple[str, str]] = (),
    warnings: Sequence[str] = (),
) -> RenderableType:
    """Put title, what has to be read first, tables, notes and warnings under each other."""
    parts: list[RenderableType] = [Text(title, style="bold")]
    if subtitle:
        parts.append(Text(subtitle, style="dim"))
    if first:
        parts.append(Text(first, style="yellow"))
    parts.extend(Uncut(table) for table in tables)
    if notes:
        lines = Table.grid(padding=(0, 2, 0, 0))
        lines.add_column(style="dim", no_wrap=True)
        lines.add_column(overflow="fold")
        for label, value in notes:
            lines.add_row(Text(label), Text(value))
        parts.append(Padding(lines, (0, 0, 0, 1), expand=False))
    parts.extend(Text(f"warning: {warning}", style="yellow") for warning in warnings)
    return Group(*parts)


def short_source(source: str) -> str:
    """Name of a workspace without its folders; of a member of an archive, the member."""
    first, plus, patches = source.partition(" + ")
    name = first.rpartition(":")[2] if ":" in first else first.rpartition("/")[2]
    return (name if first != "-" else "standard input") + plus + patches


def subtitle_of(inputs: Inputs, *words: str) -> str:
    """Words that say how, on what, and from which file."""
    masked = f"without {', '.join(inputs.masked)}" if inputs.masked else ""
    simulated = "simulated data" if inputs.simulated else ""
    parts = (*words, masked, simulated, short_source(inputs.source))
    return " · ".join(word for word in parts if word)


def fits_note(fits: FitCounts | None, inputs: Inputs) -> Notes:
    """How the fits behind a number were checked."""
    if fits is None:
        return []
    again = f", {fits.second_start} of them from a second start" if fits.second_start else ""
    found = [("fits", f"{fits.certified} of {fits.attempted} certified{again}")]
    if inputs.model_sha256:
        found.append(("model", f"sha256 {inputs.model_sha256[:16]}…"))
    return found


def toys_note(toys: ToyCounts | None, seed: int | None) -> Notes:
    """Toys behind a number."""
    if toys is None:
        return []
    return [("toys", f"{thousands(toys.ok)} of {thousands(toys.asked)} certified, seed {seed}")]


def _best_fit(poi: str, mu_hat: float | None, twice_nll: float | None) -> Notes:
    if mu_hat is None:
        return []
    deviance = twice_nll  # of an unbinned model relative to a uniform density: of either sign
    if deviance is not None and abs(deviance) < 1e-9:  # rounding of a sum of terms of order one
        deviance = 0.0
    return [("best fit", f"{poi} = {number(mu_hat)}, deviance {number(deviance)}")]


def _probe_note(probe: Probe | None) -> Notes:
    if probe is None or probe.recommends_toys:  # then it stands among the warnings
        return []
    return [("probe", probe.message)]


def limit_sheet(limit: UpperLimit, inputs: Inputs) -> RenderableType:
    """Observed and expected upper limits, and CLs at signal strength 1."""
    rows = [
        [
            f"{limit.poi} <",
            with_error(limit.observed, limit.observed_error),
            *(number(value) for value in limit.expected),
        ]
    ]
    if any(limit.expected_error):
        rows.append(["± toys", "", *(number(error, 2) for error in limit.expected_error)])
    held = limit.low_counts
    if held is not None:
        words = [number(value) for value in held.expected]
        rows.append(
            [
                f"{limit.poi} <, {held.calculator or 'by toys'}",
                with_error(held.observed, held.observed_error),
                *words,
            ]
        )
        if any(held.expected_error):
            rows.append(["± toys", "", *(number(error, 2) for error in held.expected_error)])
    test = limit.at_unit
    if test is not None:
        quoted = test.quoted
        rows.append(
            [
                f"CLs at {limit.poi} = 1",
                p_number(None if quoted is None else quoted.value),
                *(p_number(value) for value in test.quoted_expected),
            ]
        )
    notes: Notes = []
    if limit.observed is None and limit.observed_reason:
        notes.append(("observed", limit.observed_reason))
    if limit.expected_reason:
        notes.append(("expected", limit.expected_reason))
    if test is not None and test.calculator != limit.calculator:
        notes.append((f"CLs at {limit.poi} = 1", test.calculator))
    notes += _best_fit(limit.poi, limit.mu_hat, limit.twice_nll)
    if limit.power_constrained:
        notes.append(("power", "the constraint made the observed limit"))
    notes += _probe_note(limit.probe)
    notes += fits_note(limit.fits, inputs)
    notes += toys_note(limit.toys, limit.seed)
    return sheet(
        f"Upper limit on {limit.poi} at {percent(limit.cl)} CL",
        subtitle=subtitle_of(
            inputs,
            method_name(limit.method).table,
            statistic_symbol(limit.test_stat),
            limit.calculator,
        ),
        tables=[grid(["", "observed", *BAND_LABELS], rows)],
        notes=notes,
        warnings=limit.warnings,
    )


def interval_sheet(interval: Interval, inputs: Inputs) -> RenderableType:
    """A confidence interval with both ends."""
    rows = [
        [
            interval.poi,
            with_error(interval.lower, interval.lower_error),
            with_error(interval.upper, interval.upper_error),
        ]
    ]
    notes = _best_fit(interval.poi, interval.mu_hat, interval.twice_nll)
    if interval.upper is None and interval.upper_reason:
        notes.insert(0, ("upper end", interval.upper_reason))
    notes += fits_note(interval.fits, inputs) + toys_note(interval.toys, interval.seed)
    return sheet(
        f"Confidence interval for {interval.poi} at {percent(interval.cl)} CL",
        subtitle=subtitle_of(inputs, method_name(interval.method).table, interval.construction),
        tables=[grid(["", "lower end", "upper end"], rows)],
        notes=notes,
        warnings=interval.warnings,
    )


def hypotest_sheet(test: HypoTestResult, inputs: Inputs) -> RenderableType:
    """Observed and expected p-values of one signal strength."""
    rows = []
    band, bound = test.expected, None if test.expected is None else test.expected.bound
    shown: list[tuple[str, PValue | None, Sequence[float | None]]] = [
        ("CLs", test.cls, _NO_BAND if band is None else band.cls),
        ("CLs+b", test.clsb, _NO_BAND if band is None else band.clsb),
        ("CLb", test.clb, _NO_BAND if band is None else band.clb),
    ]
    if test.test_stat == "q0":
        shown = [("p₀", test.clsb, _NO_BAND if band is None else band.clsb)]
    for name, value, expected in shown:
        rows.append([name, p_with_error(value), *(p_number(p, bound) for p in expected)])
    notes: Notes = []
    if test.observed_reason:
        notes.append(("observed", test.observed_reason))
    if test.expected_reason:
        notes.append(("expected", test.expected_reason))
    symbol = statistic_symbol(test.test_stat)
    notes.append(
        (
            "statistic",
            f"{symbol} = {number(test.statistic)}, Asimov {number(test.statistic_asimov)}",
        )
    )
    notes += _best_fit(test.poi, test.mu_hat, test.twice_nll)
    notes += fits_note(test.fits, inputs) + toys_note(test.toys, test.seed)
    return sheet(
        f"Test of {test.poi} = {test.mu:g}",
        subtitle=subtitle_of(inputs, symbol, test.calculator),
        tables=[grid(["", "observed", *BAND_LABELS], rows)],
        notes=notes,
        warnings=test.warnings,
    )


def _z_beyond(z: float | None, p0: float | None, bound: float | None) -> str:
    """An expected Z; above what bound where no toy is as extreme."""
    if z is None and p0 == 0.0 and bound is not None:
        return f"> {number(-quantile(bound), 3)}"
    return number(z)


def significance_sheet(found: Significance, inputs: Inputs) -> RenderableType:
    """Significance of an excess, with the expectation for a signal of strength 1."""
    rows = [
        [
            "Z (σ)",
            with_error(found.observed, found.observed_error),
            *(
                _z_beyond(z, p, found.expected_p0_bound)
                for z, p in zip(found.expected, found.expected_p0, strict=True)
            ),
        ],
        [
            "p₀",
            p_with_error(found.p0),
            *(p_number(p, found.expected_p0_bound) for p in found.expected_p0),
        ],
    ]
    notes: Notes = []
    if found.observed_reason:
        notes.append(("observed", found.observed_reason))
    notes.append(("expected", f"for {found.poi} = {found.expected_mu:g}"))
    if found.expected_reason:
        notes.append(("expected", found.expected_reason))
    notes += _best_fit(found.poi, found.mu_hat, found.twice_nll)
    notes += fits_note(found.fits, inputs) + toys_note(found.toys, found.seed)
    return sheet(
        "Discovery significance",
        subtitle=subtitle_of(inputs, "q₀", "signed" if found.uncapped else "", found.calculator),
        tables=[grid(["", "observed", *BAND_LABELS], rows)],
        notes=notes,
        warnings=found.warnings,
    )


def goodness_sheet(found: GoodnessOfFit, inputs: Inputs) -> RenderableType:
    """Saturated goodness of fit."""
    rows = [[number(found.statistic), str(found.degrees_of_freedom), p_with_error(found.p_value)]]
    notes: Notes = []
    if found.p_value_reason:
        notes.append(("p-value", found.p_value_reason))
    notes.append(
        ("counting", f"{found.n_bins} bins, {found.n_free} free parameters without constraint")
    )
    notes += fits_note(found.fits, inputs) + toys_note(found.toys, found.seed)
    return sheet(
        "Saturated goodness of fit",
        subtitle=subtitle_of(inputs, found.calculator),
        tables=[grid(["deviance", "degrees of freedom", "p-value"], rows, left=0)],
        notes=notes,
        warnings=found.warnings,
    )


def with_appendix(
    main: RenderableType, verdict: Verdict | None, workspace_warnings: Sequence[str] = ()
) -> RenderableType:
    """Put the referee's verdict and the linter's warnings under a sheet."""
    parts: list[RenderableType] = [main]
    parts.extend(Text(f"workspace: {warning}", style="dim") for warning in workspace_warnings)
    if verdict is not None:
        parts.append(_verdict_sheet(verdict))
    return parts[0] if len(parts) == 1 else Group(*parts)


def below(main: RenderableType, title: str, notes: Notes) -> RenderableType:
    """Put notes of their own under a sheet."""
    return Group(main, sheet(title, notes=notes))


def under(main: RenderableType, other: RenderableType) -> RenderableType:
    """Put a sheet under another one."""
    return Group(main, other)


def _signed(value: float) -> str:
    return f"{value:+.2e}".replace("-", "−")


def _verdict_sheet(verdict: Verdict) -> RenderableType:
    rows = [
        [
            one.quantity,
            f"{one.darkstats:.8g}",
            f"{one.referee:.8g}",
            _signed(one.difference),
            "–" if one.relative_difference is None else _signed(one.relative_difference),
        ]
        for one in verdict.comparisons
    ]
    columns = ["", "darkstats", verdict.program, "difference", "relative"]
    program = f"{verdict.program} {verdict.version or ''}".strip()
    return sheet(
        f"Referee {program}: {verdict.status}",
        subtitle=verdict.what,
        tables=[grid(columns, rows)] if rows else [],
        notes=[("reason", verdict.reason)] if verdict.reason else [],
    )


def table_text(renderable: RenderableType) -> str:
    """A table as plain text, as the command line writes it to a file or a pipe.

    Parameters
    ----------
    renderable
        A sheet, or text as it is.
    """
    if isinstance(renderable, str):
        return f"{renderable}\n"
    console = Console(
        width=_WIDTH, file=io.StringIO(), highlight=False, soft_wrap=False, color_system=None
    )
    with console.capture() as shown:
        console.print(renderable, crop=False)
    return printable(shown.get())
