"""Where a result goes: standard output, a record file, figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

from darkstats.characters import printable
from darkstats.errors import MissingExtraError, OptionError
from darkstats.options import option
from darkstats.workflows import Outcome, Shell

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonObject

__all__ = ["Drawing", "Output", "deliver", "print_record", "print_sheet"]

_WIDTH = 110
FORMATS = (".pdf", ".png", ".svg")
#: Exit status where the work was done and nothing in its result is certified.
EXIT_UNCERTIFIED = 1
#: Exit status where the work was done and found a document that cannot be used.
EXIT_MALFORMED = 2


_PANEL = "Output"
Json = Annotated[bool, option("--json", help="Print one JSON record, not a table.", panel=_PANEL)]
Csv = Annotated[
    bool, option("--csv", help="Write the numbers of each figure beside it.", panel=_PANEL)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What to show and write of a result; figures as ``"FILE"`` or ``"KIND=FILE"``."""

    json: Json = False
    path: Annotated[
        str | None,
        option(
            "-o", "--output", metavar="FILE", writes=True, panel=_PANEL,
            help="Write the record to this file, whole or not.",
        ),
    ] = None  # fmt: skip
    plots: Annotated[
        tuple[str, ...],
        option(
            "--plot", metavar="[KIND=]FILE", writes=True, panel=_PANEL,
            help="Draw a figure (.pdf, .png, .svg); repeatable.",
        ),
    ] = ()  # fmt: skip
    csv: Csv = False

    def __post_init__(self) -> None:
        for _, path in self.figures:
            if not path.lower().endswith(FORMATS):
                raise OptionError(
                    f"cannot tell the format of the figure {path!r}: let its name end with one of "
                    f"{', '.join(FORMATS)}"
                )
        if self.csv and not self.plots:
            raise OptionError("--csv writes the numbers of a figure: give --plot with it")
        from darkstats.report.writing import require_writable

        # Said before hours of toys, not after them.
        for path in (*(path for _, path in self.figures), *([self.path] if self.path else [])):
            require_writable(path)
        for package in ("matplotlib", "mplhep"):
            if self.plots and not _is_installed(package):
                raise MissingExtraError(package, "plot")

    @property
    def figures(self) -> tuple[tuple[str | None, str], ...]:
        """Pairs (kind or None, path)."""
        found = []
        for plot in self.plots:
            kind, sign, path = plot.partition("=")
            name = kind.replace("-", "_")  # people write p-values, too
            found.append((name, path) if sign and name.isidentifier() else (None, plot))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Where the figures of a verb go that does nothing but draw."""

    kind: Annotated[
        str | None,
        option("--kind", metavar="KIND", help="Figure; the table lists those there are."),
    ] = None
    files: Annotated[
        tuple[str, ...],
        option(
            "-o",
            "--output",
            metavar="FILE",
            writes=True,
            help="Figure (.pdf, .png, .svg); repeatable.",
        ),
    ] = ()
    csv: Csv = False
    json: Json = False

    def output(self) -> Output:
        """Return the same, as of any verb."""
        plots = tuple(f"{self.kind}={path}" if self.kind else path for path in self.files)
        return Output(json=self.json, plots=plots, csv=self.csv)


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:
        return False


def print_record(record: JsonObject) -> None:
    """Print one JSON document on standard output."""
    from darkstats.report.writing import json_text

    text = json_text(record)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # escapes of JSON say the same in plain letters
        text = json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()


def print_sheet(renderable: Any) -> None:  # noqa: ANN401 -- rich has many kinds
    """Print a table, as wide as the terminal and in its colours, or plain text as it is."""
    if isinstance(renderable, str):  # text for other programs
        sys.stdout.write(f"{renderable}\n")
        sys.stdout.flush()
        return
    from rich.console import Console

    wide = None if sys.stdout.isatty() else _WIDTH
    console = Console(width=wide, highlight=False, soft_wrap=False)
    if wide is None:
        console.print(renderable, crop=False)
    else:  # no colours: whatever steers a terminal comes from a name
        with console.capture() as shown:
            console.print(renderable, crop=False)
        sys.stdout.write(printable(shown.get()))
    sys.stdout.flush()  # a full disk is found here, and not at the end of the process


def deliver(task: Callable[[], Outcome[Any]], output: Output, shell: Shell) -> None:
    """Run a task; write its files, then print it.

    Files come first: whoever reads the end of standard output finds them complete. Where nothing is
    certified, that is said before anything else, there are no figures, and the exit status is 1;
    it is 2 where a document was found to be malformed.
    """
    outcome = task()  # all figures are drawn before the first file is written
    wrong = outcome.malformed or outcome.uncertified
    if wrong:
        undrawn = "; no figure is drawn" if output.plots else ""
        sys.stderr.write(f"darkstats: error: {printable(wrong)}{undrawn}\n")
        output = replace(output, plots=(), csv=False)
    drawings = []
    for kind, path in output.figures:
        with shell.step(f"drawing {path}"):
            drawings.append((outcome.figure(kind), path))
    for drawing, path in drawings:
        drawing.save(path, csv=output.csv)
    for path, write in outcome.files.items():
        write(path)
    if output.path is not None:
        outcome.save(output.path)
    if output.json:
        print_record(outcome.record())
    else:
        print_sheet(outcome.sheet())
    if wrong:
        from typer import Exit

        raise Exit(EXIT_MALFORMED if outcome.malformed else EXIT_UNCERTIFIED)
