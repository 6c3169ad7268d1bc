"""Likelihoods of other programs to workspaces: convert."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from darkstats.errors import OptionError
from darkstats.options import argument, check_choices, option
from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.conversion.converted import Conversion
    from darkstats.workspace.json_values import JsonObject

__all__ = ["ConvertRequest", "convert"]

Pairs = tuple[tuple[str, str], ...]
_LABELLED = re.compile(r"(?:([A-Za-z_.][\w.]*)=)?(.+)")


def _keywords(texts: tuple[str, ...]) -> Pairs:
    found = []
    for text in texts:
        word, sign, value = text.partition("=")
        if not (sign and re.fullmatch(r"\w+", word) and value):
            raise OptionError(f"--keyword {text!r}: write WORD=VALUE")
        found.append((word, value))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertRequest:
    """A likelihood that another program wrote, as a workspace."""

    sources: Annotated[
        tuple[str, ...],
        argument(
            "SOURCE...",
            "Datacards of CMS Combine, several as LABEL=CARD (.=CARD keeps the names of its bins); "
            "or one HistFactory XML file of a combination.",
            reads="file",
        ),
    ]
    output: Annotated[
        str,
        option(
            "-o", "--output", metavar="DIR", writes=True, help="Folder to write; made if missing."
        ),
    ]
    mass: Annotated[
        str | None,
        option(
            "--mass", metavar="GEV", help="What $MASS stands for in a datacard, as Combine's -m.",
        ),
    ] = None  # fmt: skip
    keywords: Annotated[
        Pairs,
        option(
            "--keyword", metavar="WORD=VALUE", read=_keywords, repeated=True,
            help="What $WORD stands for in a datacard; repeatable.",
        ),
    ] = ()  # fmt: skip
    statistics: Annotated[
        str,
        option(
            "--statistics", metavar="HOW", kind="way to carry autoMCStats",
            choices=("shared", "own"),
            help="autoMCStats: shared, a parameter of all backgrounds of a bin; or own, one of "
            "each process, which follows the rates as in Combine.",
        ),
    ] = "shared"  # fmt: skip
    base: Annotated[
        str | None,
        option(
            "--base", metavar="DIR", reads="file", usual="that of the file, or the one above",
            help="Folder that paths in the XML start from.",
        ),
    ] = None  # fmt: skip

    def __post_init__(self) -> None:
        """Check words, and that options and sources fit together.

        Raises
        ------
        OptionError
            No source; several that are not datacards; or an option of the other format.
        """
        check_choices(self)
        if self.mass is not None and not re.fullmatch(r"\d+(\.\d*)?|\.\d+", self.mass):
            raise OptionError(f"--mass {self.mass}: give a number in GeV, as histograms are named")
        if not self.sources:
            raise OptionError("name a datacard, or the XML file of a combination")
        if any(_is_xml(source) for source in self.sources):
            if len(self.sources) > 1:
                raise OptionError("give one XML file of a combination; it names its channels")
            if self.mass is not None or self.keywords:
                raise OptionError("--mass and --keyword are for datacards, not for XML")
        elif self.base is not None:
            raise OptionError("--base is for XML; paths in a datacard start from its own folder")


def _is_xml(source: str) -> bool:
    return source.lower().endswith(".xml")


def convert(request: ConvertRequest, shell: Shell | None = None) -> Outcome[Conversion]:
    """Make a workspace of datacards or of HistFactory XML, and write it with its sidecar.

    Raises
    ------
    InputError
        A file cannot be read or says what no workspace can state; or the workspace is not valid.
    """
    from darkstats.folders import require_own
    from darkstats.report.records import SCHEMAS
    from darkstats.report.sidecar import sidecar_of
    from darkstats.report.writing import plain, write_text

    shell = shell or Shell()
    folder = Path(request.output)
    names = ("workspace.json", "workspace.meta.json")
    require_own(folder, names, mark=(names[1], "conversion"), verb="convert")
    with shell.step(f"converting {', '.join(request.sources)}"):
        found = _converted(request)
        sidecar_of(dict(found.sidecar), "workspace.meta.json")  # that others read it
    folder.mkdir(parents=True, exist_ok=True)
    files = dict(zip(names, (found.workspace.document, found.sidecar), strict=True))
    for name, document in files.items():
        write_text(folder / name, json.dumps(document, indent=1) + "\n")
    use = f"darkstats limit {request.output}/workspace.json"
    if found.interpolation is not None:
        use += f" --interpolation {found.interpolation}"

    def record() -> JsonObject:
        return {
            "schema": SCHEMAS["convert"],
            "files": [f"{request.output}/{name}" for name in files],
            "format": found.format,
            "sources": list(request.sources),
            "sha256": found.workspace.digest,
            "interpolation": found.interpolation,
            **({} if found.interpolation else {"interpolation_reason": _NO_CODES}),
            "differences": [_difference(plain(asdict(one))) for one in found.differences],
            "notes": list(found.notes),
        }

    def sheet() -> RenderableType:
        from darkstats.report.document_tables import conversion_sheet

        return conversion_sheet(found, request.output, tuple(files), use)

    return Outcome(result=found, record=record, sheet=sheet)


_NO_CODES = "the codes that are used where none are asked for are those of the source, or nearest"


def _difference(one: JsonObject) -> JsonObject:
    for key in ("size", "size_default"):
        if one[key] is None:
            one[f"{key}_reason"] = "no number says it"
    return one


def _converted(request: ConvertRequest) -> Conversion:
    if _is_xml(request.sources[0]):
        from darkstats.conversion.histfactory_xml import convert_xml

        base = None if request.base is None else Path(request.base)
        return convert_xml(Path(request.sources[0]), base=base)
    from darkstats.conversion.datacard_building import convert_datacard
    from darkstats.conversion.datacard_joining import join
    from darkstats.conversion.datacard_reading import read_datacard

    cards, used = [], set[str]()
    for number, source in enumerate(request.sources, 1):
        match = None if Path(source).exists() else _LABELLED.fullmatch(source)
        label, path = match.groups() if match else (None, source)
        if label is None and len(request.sources) > 1:
            label = f"ch{number}"  # as combineCards.py names it
        elif label == ".":
            label = ""  # the names of the bins as they are, as there
        cards.append((label or "", read_datacard(Path(path), dict(request.keywords), used)))
    unused = [word for word, _ in request.keywords if word not in used]
    if unused:
        raise OptionError(
            f"--keyword {unused[0]}=...: no card has ${unused[0]}: correct it, or drop the option"
        )
    return convert_datacard(join(cards), mass=request.mass, statistics=request.statistics)
