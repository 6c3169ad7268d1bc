"""Look and saving of all figures.

Colours are distinguishable with any colour vision (Okabe and Ito; tints of one blue for bands), and
lines differ in style besides. A figure saved twice has the same bytes.
"""

from __future__ import annotations

import io
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from darkstats.characters import as_text
from darkstats.errors import MissingExtraError, OptionError
from darkstats.report.writing import csv_text, whole_file, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    from darkstats.report.provenance import Inputs

__all__ = [
    "BAND_1",
    "BAND_2",
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PALETTE",
    "PURPLE",
    "VERMILION",
    "Drawing",
    "canvas",
    "header",
    "header_words",
    "plain_name",
    "poi_text",
    "settle_headers",
    "style",
    "typeset",
]

BLACK, GREY = "#1a1a1a", "#7f7f7f"
BLUE, ORANGE, VERMILION, PURPLE = "#0072b2", "#e69f00", "#d55e00", "#cc79a7"
GREEN = "#009e73"
BAND_1, BAND_2 = "#8fbcdb", "#d6e6f2"

#: Fills of stacked samples, in this order, then again; vermilion is kept for the signal.
PALETTE = (
    "#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#0072b2", "#bbbbbb", "#882255",
    "#999933", "#44aa99",
)  # fmt: skip

_LONGEST = 28
_HEADER_SIZE, _GAP = 10.0, 4.0  # points
_LINE = 1.35  # of a header, in sizes of its letters
_MOST_LINES = 3  # a longer title ends with an ellipsis
#: What an axis may show: beyond, matplotlib computes ticks and margins that overflow.
_LARGEST, _SMALLEST = 1e200, 1e-300

_STYLE: dict[str, Any] = {
    "font.family": ["TeX Gyre Heros", "DejaVu Sans"],
    "mathtext.fontset": "custom",
    "mathtext.rm": "TeX Gyre Heros",
    "mathtext.it": "TeX Gyre Heros:italic",
    "mathtext.bf": "TeX Gyre Heros:bold",
    "mathtext.cal": "TeX Gyre Heros",
    "mathtext.sf": "TeX Gyre Heros",
    "mathtext.tt": "TeX Gyre Heros",
    "font.size": 11.0,
    "axes.titlesize": 11.0,
    "axes.labelsize": 12.0,
    "axes.linewidth": 0.9,
    "xtick.major.pad": 6.0,  # so that the two zeros of an origin keep apart
    "axes.axisbelow": False,
    "axes.unicode_minus": True,
    "legend.frameon": False,
    "legend.fontsize": 10.0,
    "lines.linewidth": 1.6,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.major.size": 6.0,
    "ytick.major.size": 6.0,
    "xtick.minor.size": 3.0,
    "ytick.minor.size": 3.0,
    "figure.dpi": 200.0,  # that of the files: the layout is settled once, for the size they have
    "savefig.dpi": 200.0,
    "text.hinting": "none",  # widths of words in proportion, whatever the resolution
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "darkstats",
    "path.simplify": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Switch matplotlib to our style; whatever was set before comes back.

    Raises
    ------
    MissingExtraError
        matplotlib or mplhep is not installed.
    """
    try:
        import matplotlib as mpl
        import mplhep  # registers its fonts
        import numpy as np
    except ImportError as error:
        raise MissingExtraError(error.name or "matplotlib", "plot") from error
    if not hasattr(mplhep, "histplot"):
        raise MissingExtraError("mplhep", "plot")
    with mpl.rc_context():
        mpl.rcdefaults()
        for key, value in _STYLE.items():
            mpl.rcParams[cast("Any", key)] = value
        with np.errstate(all="ignore"), warnings.catch_warnings():  # of places outside the axes
            warnings.filterwarnings("ignore", message="Glyph .* missing")  # it shows as a box
            # words that are wider than a page leave no room for axes: they are seen to be
            warnings.filterwarnings("ignore", message="constrained_layout not applied")
            yield


def canvas(width: float = 6.4, height: float = 4.8) -> Figure:
    """Return an empty figure of a size in inches, outside of any global list of figures."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """A figure, and the numbers that it shows.

    Parameters
    ----------
    figure
        The figure.
    columns
        The numbers, by column, for CSV.

    Raises
    ------
    OptionError
        An axis would show numbers beyond 1e200, or less than 1e-300 on a logarithmic scale.
    """

    figure: Figure = field(repr=False)
    columns: Mapping[str, Sequence[Any]] = field(repr=False)

    def __post_init__(self) -> None:
        # The layout is found by iteration: it is settled here, once, so that every file is alike.
        with style():
            _require_drawable(self.figure)
            settle_headers(self.figure)
            self.figure.set_layout_engine("none")

    def _repr_png_(self) -> bytes:
        """What a notebook shows: smaller than a file, since it is kept in the notebook."""
        return self._drawn("png", dict(_METADATA["png"]), dpi=_DPI_OF_NOTEBOOKS)

    def _drawn(
        self, kind: str, metadata: dict[str, str | None], *, dpi: float | str = "figure"
    ) -> bytes:
        drawn = io.BytesIO()  # a writer of matplotlib's cannot always be closed on a full disk
        with style(), _quiet_fonts():
            self.figure.savefig(drawn, format=kind, metadata=metadata, dpi=dpi)
        return drawn.getvalue()

    def save(self, path: str | os.PathLike[str], *, csv: bool = False) -> None:
        """Write the figure in the format of its suffix, whole or not at all.

        Raises
        ------
        OptionError
            The file cannot be written, or the suffix is none of .pdf, .png, .svg.
        """
        kind = Path(path).suffix.lower().lstrip(".")
        if kind not in _METADATA:
            raise OptionError(f"cannot draw {path}: let the name end with .pdf, .png or .svg")
        metadata = dict(_METADATA[kind])
        if kind == "pdf" and "SOURCE_DATE_EPOCH" in os.environ:
            del metadata["CreationDate"]  # matplotlib takes it from there
        drawn = self._drawn(kind, metadata)
        with whole_file(path) as temporary:
            temporary.write_bytes(drawn)
        if csv:
            write_text(Path(path).with_suffix(".csv"), csv_text(self.columns))


def _require_drawable(figure: Figure) -> None:
    """Refuse axes whose ticks would overflow, before anything is laid out."""
    for axes in figure.axes:
        for word, axis, ends in (
            ("horizontal", axes.xaxis, axes.get_xlim()),
            ("vertical", axes.yaxis, axes.get_ylim()),
        ):
            least = min(map(abs, ends)) if axis.get_scale() == "log" else _SMALLEST
            if not (max(map(abs, ends)) <= _LARGEST and least >= _SMALLEST):
                raise OptionError(
                    f"cannot draw a {word} axis from {min(ends):.4g} to {max(ends):.4g}: an axis "
                    f"takes numbers up to {_LARGEST:g}, on a logarithmic scale from "
                    f"{_SMALLEST:g}; look at the edges of bins and the values that it shows"
                )


@contextmanager
def _quiet_fonts() -> Iterator[None]:
    """Keep what the embedding of fonts has to say about their dates off the terminal."""
    logger = logging.getLogger("fontTools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


_DPI_OF_NOTEBOOKS = 100.0
_METADATA: dict[str, dict[str, str | None]] = {
    "pdf": {"Creator": "darkstats", "Producer": None, "CreationDate": None},
    "png": {"Software": None},
    "svg": {"Creator": "darkstats", "Date": None},
}


def plain_name(text: str) -> str:
    """Return a name as text that matplotlib can draw, and does not take for mathematics."""
    return as_text(text).replace("$", r"\$")


_UNIT = r"(?<![A-Za-z_])((?:\d[\d.]*)?(?:[kMGT]?eV|[mµunpfa]?b|[cm]?m|s))"
_SUPERSCRIPTS = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
_TYPESET = (
    (r"\be\+e-", r"$e^{+}e^{-}$"),
    (r"\bmu\+mu-", r"$\\mu^{+}\\mu^{-}$"),
    (r"\btau\+tau-", r"$\\tau^{+}\\tau^{-}$"),
    (r"\bpi\+pi-", r"$\\pi^{+}\\pi^{-}$"),
    (r"\bK\+K-", r"$K^{+}K^{-}$"),
    (r"\bK\+(?= [A-Za-z])", r"$K^{+}$"),
    (r"\bK\*0\b", r"$K^{*0}$"),
    (r"\bB(0|\+)(?= ->)", r"$B^{\1}$"),
    (r"\bchi([12])\b", r"$\\chi_{\1}$"),
    (r"\btau tau\b", r"$\\tau\\tau$"),
    (r"\bgamma\b", r"$\\gamma$"),
    (r"\be mu\b", r"$e\\mu$"),
    (r"\bmu mu\b", r"$\\mu\\mu$"),
    (r"\bL_mu - L_tau\b", r"$L_{\\mu}-L_{\\tau}$"),
    (r"\balpha\b", r"$\\alpha$"),
    (r"\bg_S\b", r"$g_S$"),
    (r"\babs\(cos theta\*\)", r"$|\\cos\\theta^{*}|$"),
    (r"->", "→"),
    (r"\b([AZh])'", r"$\1^{\\prime}$"),
    (_UNIT + r"(?:\^|\*\*)\{?([-−+]?\d+)\}?", r"\1$^{\2}$"),
    (r"(?<![A-Za-z_])((?:\d[\d.]*)?[fpa]b)[-−]1\b", r"\1$^{-1}$"),
)


def typeset(text: str) -> str:
    r"""Plain words with particles and powers of units as mathematics.

    A power may be written ``fb^-1``, ``fb**-1``, ``fb⁻¹``, ``fb-1``, ``GeV^{2}`` or, in LaTeX,
    ``GeV$^2$``.

    Examples
    --------
    >>> typeset("1.078 +- 0.005")
    '1.078 ± 0.005'
    >>> typeset("data of 276 pb^-1"), typeset("mass squared [GeV$^2$]"), typeset("cost in $")
    ('data of 276 pb$^{-1}$', 'mass squared [GeV$^{2}$]', 'cost in \\$')
    """
    words = re.sub(_UNIT + r"\$\^\{?([-−+]?\d+)\}?\$", r"\1^\2", text)
    words = re.sub(
        _UNIT + "([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)",
        lambda found: f"{found[1]}^{found[2].translate(_SUPERSCRIPTS)}",
        words,
    )
    words = plain_name(words.replace(" +- ", " ± "))
    for pattern, replacement in _TYPESET:
        words = re.sub(pattern, replacement, words)
    return words


def poi_text(name: str, label: str | None) -> str:
    """Axis title of the parameter of interest."""
    if label and label != name:
        return f"{typeset(label)} ({plain_name(name)})"
    return plain_name(name)


def _what(inputs: Inputs) -> str:
    """Title, or file name, with the point or patch that was put on it."""
    first, *patches = inputs.source.split(" + ")
    _, colon, member = first.rpartition(":")
    name = plain_name(member if colon and len(member) <= _LONGEST else Path(member).name)
    words = ["standard input" if name == "-" else name]
    if inputs.title:  # a name of a file stays as it is, words of a title do not
        words = [typeset(inputs.title)]
    if patches:
        patch = re.sub(r"\.json(\.(gz|xz|bz2))?$", "", patches[-1]).removeprefix("patch.")
        words.append(plain_name(patch if len(patch) <= _LONGEST else f"{patch[: _LONGEST - 1]}…"))
    return " + ".join(words)


def header(axes: Axes, inputs: Inputs, right: str = "", *, right_axes: Axes | None = None) -> None:
    """Write above the axes what data these are, and what was done with them.

    The words on the right stand above ``right_axes``, by default the same ones. Where the two do
    not fit beside each other, :func:`settle_headers` puts them on two lines.
    """
    words = [_what(inputs)]
    if inputs.blind:
        words.append("Asimov data")
    elif inputs.simulated:
        words.append("simulated data")
    _above(axes, "   ".join(words), 0.0, "left")
    if right:
        _above(right_axes or axes, right, 1.0, "right")


def header_words(
    axes: Axes, left: str, *, simulated: bool, right: str = "", right_axes: Axes | None = None,
    asimov: bool = False,
) -> None:  # fmt: skip
    """Write words above the axes; those on the right end with what the data are."""
    if left:
        _above(axes, left, 0.0, "left")
    words = [right, "Asimov data" if asimov else "", "simulated" if simulated else ""]
    ending = ", ".join(word for word in words if word)
    if ending:
        _above(right_axes or axes, ending, 1.0, "right")


def _above(axes: Axes, words: str, x: float, side: Literal["left", "right"]) -> None:
    text = axes.annotate(
        words, (x, 1.0), xycoords="axes fraction", xytext=(0.0, _GAP), textcoords="offset points",
        ha=side, va="bottom", fontsize=_HEADER_SIZE, color=BLACK, gid=f"header-{side}",
        annotation_clip=False,
    )  # fmt: skip
    # However long, words make the axes no narrower; room for their lines is kept by a blank.
    text.set_in_layout(False)
    axes.annotate(
        " ", (0.5, 1.0), xycoords="axes fraction", xytext=(0.0, _GAP), textcoords="offset points",
        va="bottom", fontsize=_HEADER_SIZE, gid="header-room", annotation_clip=False,
    )  # fmt: skip


def settle_headers(figure: Figure) -> None:
    """Lay a figure out, with the words above its axes on as many lines as they need.

    Words that are wider than the page are broken; those on the left are lifted by a line where they
    would run into those on the right.
    """
    figure.draw_without_rendering()
    texts = [text for axes in figure.axes for text in axes.texts]
    found = {str(text.get_gid()): text for text in texts}
    left, right = found.get("header-left"), found.get("header-right")
    lines = [0, 0]
    if left is not None:
        lines[0] = _break(left, figure.bbox.x1 - left.get_window_extent().x0)
    if right is not None:
        lines[1] = _break(right, right.get_window_extent().x1 - figure.bbox.x0)
    if left is not None and right is not None and _meet(left, right):
        left.set_position((0.0, _GAP + lines[1] * _LINE * _HEADER_SIZE))
    if max(lines) > 1 or sum(lines) > 1:
        for text in texts:
            if text.get_gid() == "header-room":
                _keep_room(text, [one for one in (left, right) if one is not None])
        figure.draw_without_rendering()


def _keep_room(room: Text, words: Sequence[Text]) -> None:
    """Put the blank that keeps room above the axes as high as the words reach."""
    scale = _pixels_per_point(room)
    reach = max(text.get_window_extent().y1 for text in words) - room.get_window_extent().y1
    room.set_position((0.0, room.get_position()[1] + reach / scale))


def _meet(left: Text, right: Text) -> bool:
    apart = _HEADER_SIZE * _pixels_per_point(left)
    return bool(left.get_window_extent().x1 + 1.5 * apart >= right.get_window_extent().x0)


def _pixels_per_point(text: Text) -> float:
    figure = text.get_figure(root=True)
    return 1.0 if figure is None else figure.dpi / 72.0


def _break(text: Text, room: float) -> int:
    """Break words that are wider than there is room in pixels; return how many lines they take."""
    whole, room = text.get_text(), room - _HEADER_SIZE

    def fits(words: str) -> bool:
        text.set_text(words)
        return bool(text.get_window_extent().width <= room)

    if "\n" in whole or fits(whole):
        text.set_text(whole)
        return 1 + whole.count("\n")
    lines = [""]
    for word in _pieces(whole):
        if lines[-1] and not fits(lines[-1] + word.rstrip()):
            lines.append("")
        lines[-1] += word if lines[-1] else word.lstrip()
    shown = [line.rstrip() for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown[-1] += " …"
    text.set_text("\n".join(shown))
    return len(shown)


def _pieces(words: str) -> list[str]:
    """Where a line may be broken: behind blanks, and behind some signs of the name of a file.

    Mathematics is not broken.
    """
    parts = re.split(r"((?<!\\)\$.*?(?<!\\)\$)", words)
    found = [""]
    for k, part in enumerate(parts):
        pieces = [part] if k % 2 else re.findall(r"[^\s_\-/.]*[\s_\-/.]*", part)
        for piece in pieces:
            if found[-1].endswith((" ", "_", "-", "/", ".")) and piece:
                found.append(piece)
            else:
                found[-1] += piece
    return found
