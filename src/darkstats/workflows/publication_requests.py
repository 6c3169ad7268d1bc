"""What a user asks of bundles: publish, verify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from darkstats.characters import no_name
from darkstats.errors import OptionError
from darkstats.options import argument, check_choices, option
from darkstats.workflows.plot_requests import Record
from darkstats.workflows.requests import PatchSetFile
from darkstats.workflows.scan_requests import Workers

__all__ = ["PublishRequest", "VerifyRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """A likelihood as a bundle; limits only from a finished scan."""

    source: Annotated[
        str,
        argument(
            "SOURCE",
            "Folder of a built search, or with background_only.json and patchset.json; a "
            "workspace, with --patchset if it has one; or a pallet.",
            reads="file",
        ),
    ]
    output: Annotated[
        str,
        option(
            "-o", "--output", metavar="DIR", writes=True,
            help="Folder to write; an unchanged bundle is replaced, and nothing else.",
        ),
    ]  # fmt: skip
    patchset: PatchSetFile = None
    scan: Annotated[
        str | Record | None,
        option(
            "--scan", metavar="RECORD", reads="file", usual="no limits",
            help="Record of darkstats scan of this source, or its folder: the limits to state.",
        ),
    ] = None  # fmt: skip
    authors: Annotated[
        tuple[str, ...],
        option(
            "--author", metavar="NAME", usual="those of the sidecar",
            help="Author, for CITATION.cff; repeatable.",
        ),
    ] = ()  # fmt: skip

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            An author's name is empty or no plain text.
        """
        check_choices(self)
        for name in self.authors:
            if not name.strip() or no_name(name):
                raise OptionError(f"--author: {name!r} is no name; write it as plain text")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """Whether a bundle is whole, and its limits are found again."""

    bundle: Annotated[
        str,
        argument(
            "BUNDLE",
            "Folder that publish wrote, or an archive of it; or somebody's folder or archive of "
            "workspaces and patches.",
            reads="file",
        ),
    ]
    points: Annotated[
        int,
        option(
            "--points", metavar="N", least=0,
            help="Stated limits to compute again, evenly chosen.",
        ),
    ] = 5  # fmt: skip
    every: Annotated[bool, option("--all", help="Compute all stated limits again.")] = False
    workers: Workers = None

    def __post_init__(self) -> None:
        check_choices(self)
