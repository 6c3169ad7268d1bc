"""What a user asks of a document: one frozen request for each task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from darkstats.errors import OptionError
from darkstats.options import argument, check_choices, option
from darkstats.workflows.requests import LoosePatches, NamePattern, WorkspaceRequest
from darkstats.workspace.spec import Workspace

__all__ = [
    "CitationRequest",
    "CombineRequest",
    "DigestRequest",
    "DownloadRequest",
    "Hs3Request",
    "InspectRequest",
    "PatchSetRequest",
    "PruneRequest",
    "RenameRequest",
]

Names = tuple[str, ...]
Pairs = tuple[tuple[str, str], ...]
Report = Annotated[
    str | None,
    option(
        "--report",
        metavar="FILE",
        writes=True,
        help="Write what it changes to this file, as a record.",
    ),
]


def _pairs(texts: tuple[str, ...]) -> Pairs:
    """Read OLD=NEW of each."""
    found = []
    for text in texts:
        old, sign, new = text.partition("=")
        if not (sign and old and new):
            raise OptionError(f"{text!r}: write OLD=NEW")
        found.append((old, new))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectRequest:
    """What a workspace holds, or a patch set, or a patch."""

    workspace: WorkspaceRequest
    measurement: Annotated[
        str | None,
        option("--measurement", metavar="NAME", help="Measurement; the first one by default."),
    ] = None
    findings: Annotated[
        str,
        option(
            "--findings", metavar="HOW", kind="way to show findings", choices=("summary", "all"),
            help="summary counts what the linter finds often, all lists every place.",
        ),
    ] = "summary"  # fmt: skip
    yields: Annotated[
        str | None,
        option(
            "--yields", metavar="FILE", writes=True,
            help="Write counts and expected events of each bin before any fit to this file, as "
            "CSV.",
        ),
    ] = None  # fmt: skip
    members: Annotated[
        bool,
        option("--members", help="List the JSON documents of an archive, and what they are."),
    ] = False

    def __post_init__(self) -> None:
        check_choices(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchSetRequest:
    """A patch set out of patches in files of their own.

    Without a rule for names, the names are the values. A reference is ``ins`` and seven digits.
    """

    workspace: Annotated[str, argument("WORKSPACE", "The background-only workspace.", reads="file")]
    patches: LoosePatches = ()
    name_pattern: NamePattern = None
    description: Annotated[
        str, option("--description", metavar="WORDS", help="What the signals are.")
    ] = ""
    hepdata: Annotated[
        str | None,
        option("--hepdata", metavar="INS", help="HEPData record, such as ins1234567."),
    ] = None

    def __post_init__(self) -> None:
        """Check that there are patches.

        Raises
        ------
        OptionError
            No patch is named.
        """
        if not self.patches:
            raise OptionError("name the patches with --patch: files, or a pattern in quotes")


@dataclass(frozen=True, slots=True, kw_only=True)
class CombineRequest:
    """One workspace out of two, or one HS3 document where one of them is of events."""

    left: Annotated[
        str | Workspace,
        argument("LEFT", "First workspace, or HS3 document of events; - for stdin.", reads="file"),
    ]
    right: Annotated[
        str | Workspace,
        argument(
            "RIGHT", "Second workspace, or HS3 document of events; - for stdin.", reads="file"
        ),
    ]
    join: Annotated[
        str,
        option("--join", metavar="NAME", help="none, outer, 'left outer' or 'right outer'."),
    ] = "none"
    merge_channels: Annotated[
        bool, option("--merge-channels", help="Merge the samples of common channels.")
    ] = False
    correlations: Annotated[
        str | None,
        option(
            "--map", metavar="FILE", reads="file",
            help="Which nuisance parameters the two share: correlate, decorrelate, coefficients, "
            "as JSON.",
            usual="those of one name",
        ),
    ] = None  # fmt: skip
    left_patchset: Annotated[
        str | None,
        option("--left-patchset", metavar="FILE", reads="file", help="Patch set of LEFT."),
    ] = None
    left_point: Annotated[
        str | None,
        option("--left-point", metavar="NAME", help="Point of that patch set, or of LEFT."),
    ] = None
    right_patchset: Annotated[
        str | None,
        option("--right-patchset", metavar="FILE", reads="file", help="Patch set of RIGHT."),
    ] = None
    right_point: Annotated[
        str | None,
        option("--right-point", metavar="NAME", help="Point of that patch set, or of RIGHT."),
    ] = None

    def __post_init__(self) -> None:
        for side, patchset, point in (
            ("left", self.left_patchset, self.left_point),
            ("right", self.right_patchset, self.right_point),
        ):
            if patchset is not None and point is None:
                raise OptionError(f"--{side}-patchset and --{side}-point go together")


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """A workspace without some of its parts."""

    workspace: WorkspaceRequest
    channels: Annotated[
        Names, option("-c", "--channel", metavar="NAME", help="Channel; repeatable.")
    ] = ()
    samples: Annotated[
        Names, option("-s", "--sample", metavar="NAME", help="Sample; repeatable.")
    ] = ()
    modifiers: Annotated[
        Names, option("-m", "--modifier", metavar="NAME", help="Modifier; repeatable.")
    ] = ()
    modifier_types: Annotated[
        Names,
        option("-t", "--modifier-type", metavar="TYPE", help="All of this type; repeatable."),
    ] = ()
    measurements: Annotated[
        Names, option("--measurement", metavar="NAME", help="Measurement; repeatable.")
    ] = ()
    threshold: Annotated[
        float | None,
        option(
            "--threshold", metavar="FRACTION",
            help="Nuisance parameters that together change the observed limit and the expected "
            "ones by no more than this, as measured; after all other cuts.",
        ),
    ] = None  # fmt: skip
    report: Report = None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            check_fraction(self.threshold, "--threshold")
        elif self.report is not None:
            raise OptionError("--report says what --threshold changes: give --threshold with it")


def check_fraction(value: float, name: str) -> None:
    """Check that a relative change can be one.

    Raises
    ------
    OptionError
        It is not in (0, 1).
    """
    if not 0.0 < value < 1.0:
        raise OptionError(f"{name} is a fraction between 0 and 1, got {value:g}")


def _renaming(*flags: str, what: str) -> object:
    return option(
        *flags, metavar="OLD=NEW", help=f"{what}; repeatable.", read=_pairs, repeated=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameRequest:
    """A workspace with other names: pairs (old, new)."""

    workspace: WorkspaceRequest
    channels: Annotated[Pairs, _renaming("-c", "--channel", what="Channel")] = ()
    samples: Annotated[Pairs, _renaming("-s", "--sample", what="Sample")] = ()
    modifiers: Annotated[Pairs, _renaming("-m", "--modifier", what="Modifier")] = ()
    measurements: Annotated[Pairs, _renaming("--measurement", what="Measurement")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestRequest:
    """Digests of a workspace."""

    workspace: WorkspaceRequest
    sort: Annotated[bool, option("--sort", help="Of the workspace with all its lists sorted.")] = (
        False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hs3Request:
    """A workspace as an HS3 document."""

    workspace: WorkspaceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRequest:
    """A published likelihood by DOI or URL, into a folder."""

    source: Annotated[str, argument("DOI|URL", "DOI or https URL of a published likelihood.")]
    folder: Annotated[
        str,
        option("-o", "--output", metavar="DIR", writes=True, help="Folder; made if it is missing."),
    ] = "."
    allowed_hosts: Annotated[
        Names,
        option("--allow-host", metavar="HOST", help="Host beyond the allow-list; repeatable."),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CitationRequest:
    """What to cite."""
