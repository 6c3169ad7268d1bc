"""Tables of documents that were made: what was said on the way stands below them."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from darkstats.report.document_tables import workspace_sheet
from darkstats.workspace import read_workspace


def test_what_was_said_while_a_workspace_was_made(example_workspaces: dict[str, Path]) -> None:
    workspace = read_workspace(str(example_workspaces["two_bins"]))
    text = io.StringIO()
    Console(width=200, file=text).print(workspace_sheet(workspace, ("0.0083 is not carried",)))
    assert "0.0083 is not carried" in text.getvalue()
    assert "Workspace two_bins.json" in text.getvalue()
