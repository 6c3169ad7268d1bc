"""Numbers, names and tables as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

from darkstats.report.numbers import number, with_error

__all__ = ["table", "tex_number", "tex_text", "tex_with_error"]

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%",
    "#": r"\#", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
_POWER = re.compile(r"e([−+])0*(\d+)")
#: Longer tables break over pages.
_ONE_PAGE = 40


def tex_text(text: str) -> str:
    """A name or a sentence with nothing in it that LaTeX would take for a command."""
    plain = " ".join(text.split())
    return "".join(_SPECIAL.get(letter, letter) for letter in plain)


def _power(match: re.Match[str]) -> str:
    sign = "-" if match[1] == "−" else ""
    return rf" \times 10^{{{sign}{match[2]}}}"


def _in_math(text: str) -> str:
    text = _POWER.sub(_power, text.replace("∞", r"\infty"))
    return "$" + text.replace("−", "-").replace("±", r"\pm") + "$"


def tex_number(value: float | None, digits: int = 4) -> str:
    r"""A number in mathematics; a dash where there is none.

    Examples
    --------
    >>> print(tex_number(-1.5e-7), tex_number(None))
    $-1.500 \times 10^{-7}$ --
    """
    text = number(value, digits)
    return "--" if text == "–" else _in_math(text)


def tex_with_error(value: float, error: float | None) -> str:
    """Value and error, both to two digits of the error."""
    text = with_error(value, error)
    if "±" in text and _POWER.search(text):
        first, second = text.split(" ± ")
        return f"{_in_math(first)} $\\pm$ {_in_math(second)}"
    return _in_math(text)


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: int = 1,
    comments: Sequence[str],
    foot: str = "",
) -> str:
    """A ``tabular``, or a ``longtable`` where there are many rows; cells are LaTeX already.

    Parameters
    ----------
    head, rows
        Cells.
    left
        Columns of words.
    comments
        What a reader of the file should know, above it.
    foot
        LaTeX of a line below the rows; none where it is empty.
    """
    kind = "tabular" if len(rows) <= _ONE_PAGE else "longtable"
    spec = "l" * left + "r" * (len(head) - left)
    lines = [f"% {' '.join(comment.split())}" for comment in comments]
    lines += [rf"\begin{{{kind}}}{{{spec}}}", r"\hline", " & ".join(head) + r" \\", r"\hline"]
    if kind == "longtable":
        lines.append(r"\endhead")
    lines += [" & ".join(row) + r" \\" for row in rows]
    lines.append(r"\hline")
    if foot:
        lines.append(rf"\multicolumn{{{len(head)}}}{{l}}{{{foot}}} \\")
    lines.append(rf"\end{{{kind}}}")
    return "\n".join(lines) + "\n"
