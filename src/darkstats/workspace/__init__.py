"""Stage 5 of 9 · workspace.json (+ patches) -> Workspace.

Use this when you have a published likelihood, or made one: it reads pyhf's JSON from files,
standard input and archives, refuses what no number should come from, applies patches and patch
sets, and combines, prunes, renames and sorts workspaces. Use :mod:`darkstats.model` to turn a
:class:`Workspace` into rates and a likelihood.
"""

from __future__ import annotations

from darkstats.workspace.combine import JOINS, combine, prune, rename, sort
from darkstats.workspace.documents import parse_json
from darkstats.workspace.findings import ACCEPTABLE_CODES, DEFERRED_CODES, FINDING_CODES, Finding
from darkstats.workspace.lint import lint, require_valid
from darkstats.workspace.patch import apply_patch
from darkstats.workspace.patchset import PatchSet, SignalPoint
from darkstats.workspace.reading import read_patchset, read_workspace
from darkstats.workspace.spec import Workspace, canonical_digest, pyhf_digest

__all__ = [
    "ACCEPTABLE_CODES",
    "DEFERRED_CODES",
    "FINDING_CODES",
    "JOINS",
    "Finding",
    "PatchSet",
    "SignalPoint",
    "Workspace",
    "apply_patch",
    "canonical_digest",
    "combine",
    "lint",
    "parse_json",
    "prune",
    "pyhf_digest",
    "read_patchset",
    "read_workspace",
    "rename",
    "require_valid",
    "sort",
]
