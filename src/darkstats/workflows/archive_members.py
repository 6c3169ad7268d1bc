"""What an archive holds: its JSON documents, by a look at each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.errors import DocumentError, OptionError
from darkstats.workflows.outcome import Outcome

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.workspace import Workspace
    from darkstats.workspace.json_values import JsonObject

__all__ = ["inspect_members"]

_SHOWN = 40


def inspect_members(source: str | Workspace) -> Outcome[JsonObject]:
    """The JSON documents of an archive, archives within it included.

    Raises
    ------
    DocumentError
        The file cannot be read, or is no archive.
    OptionError
        There is no file, but a workspace or standard input.
    """
    from darkstats.report.records import SCHEMAS
    from darkstats.workspace.archives import looks_like, read_members, unpacked, walk_members
    from darkstats.workspace.sources import Opener

    if not isinstance(source, str) or source == "-":
        raise OptionError("--members lists what an archive holds: name a file")
    data = Opener().archive(source)
    if read_members(data, source) is None:
        raise DocumentError("not a tar or zip archive", source=source, remedy="leave out --members")
    documents: list[JsonObject] = []
    for name, read in walk_members(data, source):
        text = unpacked(read(), f"{source}:{name}")
        documents.append({"name": name, "kind": looks_like(text), "size_bytes": len(text)})
    record: JsonObject = {
        "schema": SCHEMAS["members"], "source": source, "documents": documents,
    }  # fmt: skip

    def sheet() -> RenderableType:
        from darkstats.report.document_tables import members_sheet

        return members_sheet(record, _SHOWN)

    return Outcome(result=record, record=lambda: record, sheet=sheet)
