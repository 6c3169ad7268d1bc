"""Read a workspace from a file, standard input, bytes, or a member of an archive."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from darkstats.arguments import checked
from darkstats.errors import DocumentError, OptionError, WorkspaceError
from darkstats.logs import logger
from darkstats.workspace.containers import kind_of, patch_set_in, workspace_in
from darkstats.workspace.documents import parse_json
from darkstats.workspace.hs3.checks import looks_like_hs3
from darkstats.workspace.hs3.document import Hs3Document
from darkstats.workspace.hs3.histfactory import has_histfactory, histfactory_workspace
from darkstats.workspace.own_signals import of_operations
from darkstats.workspace.patch import apply_patch, parse_patch
from darkstats.workspace.patchset import PatchSet
from darkstats.workspace.sources import Opener
from darkstats.workspace.spec import Workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from darkstats.workspace.json_values import JsonValue

__all__ = ["Source", "read_patchset", "read_workspace"]

_log = logger(__name__)

_TOGETHER = "a patch set and a point go together: give both, or neither"
#: Lint errors that a background-only workspace has until a signal is put on it.
_OF_A_BACKGROUND = ("poi-unknown", "poi-no-effect")

Source = str | os.PathLike[str] | bytes
"""A path, ``"-"`` for standard input, ``"archive.tar.gz:member.json"``, or the bytes themselves."""


@checked
def read_workspace(
    source: Source | Workspace,
    *,
    patches: Sequence[Source] = (),
    patchset: Source | PatchSet | None = None,
    point: str | Sequence[float | str] | None = None,
    stdin: BinaryIO | None = None,
    accept: Collection[str] = (),
    usable: bool = True,
    analysis: str | None = None,
) -> Workspace:
    """Return the workspace that a source holds, patched and linted.

    Parameters
    ----------
    source
        JSON, gzipped JSON, or a tar or zip archive (HEPData record) of them. An archive with one
        workspace needs no member name; archives within archives are read, too. Of a *pallet*, a
        workspace with its patch sets, the workspace. An HS3 document of HistFactory channels is
        read as the workspace that says the same. A workspace that has been read is taken as it is.
    patches
        JSON patches (RFC 6902), applied in this order, after the point of the patch set.
    patchset, point
        A patch set, and the name or the values of one of its points. The digest of the workspace
        is verified first. A pallet has patch sets of its own: a point alone will do.
    stdin
        Where ``"-"`` is read from; by default the standard input of the process.
    accept
        Codes of lint errors to be taken as warnings; see :func:`darkstats.workspace.lint`.
    usable
        Whether at least one measurement must be usable. Without one, as in a background-only
        workspace that waits for its signal, the workspace can be read and changed, but makes no
        model.
    analysis
        Of an HS3 document, the analysis that is meant, where they differ in channels or data.

    Raises
    ------
    DocumentError
        A source cannot be read, or is not the JSON that it should be.
    PatchError
        A patch does not fit; :class:`~darkstats.errors.DigestMismatchError` if the patch set was
        made for another workspace.
    WorkspaceError
        The result is no valid workspace.
    UnknownNameError
        The patch set has no such point.
    OptionError
        A patch set without a point or the reverse, or standard input asked for twice.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> workspace
    Workspace(source='workspaces/examples/two_bins.json', channel_names=('signal_region',), ...

    With a signal of a patch set:

    >>> folder = "workspaces/examples/mass_scan"
    >>> signal = darkstats.read_workspace(
    ...     f"{folder}/background_only.json", patchset=f"{folder}/patchset.json", point="mass_1p8"
    ... )
    >>> signal.sample_names
    ('bernstein_0', 'bernstein_1', 'bernstein_2', 'bernstein_3', 'signal')
    """
    if patchset is not None and point is None:
        raise OptionError(_TOGETHER)
    given = [source, *patches, *([] if patchset is None else [patchset])]
    if sum(isinstance(one, str) and one == "-" for one in given) > 1:
        raise OptionError("standard input can be read only once")
    if isinstance(source, Workspace) and point is None and not patches:
        return source
    opener = Opener(stdin=stdin if stdin is not None else _standard_input(given))
    whole: JsonValue
    own = None
    if isinstance(source, Workspace):
        label, whole, own = source.source, source.document, source.own_signal
    else:
        label, data = opener.read(source, "workspace")
        whole = parse_json(data, source=label)
    is_hs3 = looks_like_hs3(whole)
    whole = _workspace_or_refused(whole, label, analysis, patched=len(given) > 1)
    document = workspace_in(whole)
    bare = document  # patches do not change what they are applied to
    if point is not None:
        points = _points(opener, patchset, whole, label)
        document = points.apply(document, point)
        chosen = points.select(point)
        own = of_operations(list(chosen.operations), points.source) or own
        label = f"{label} + {chosen.name}"
    for patch in patches:
        name, text = opener.read(patch, "patch")
        operations = parse_patch(text, source=name)
        document = apply_patch(document, operations, source=name)
        own = of_operations(operations, name) or own
        label = f"{label} + {Path(name).name}"
    try:
        found = Workspace.from_document(document, label, accept=accept, usable=usable)
    except WorkspaceError as error:
        if is_hs3:
            hint = (
                "places are those of the workspace that says the same: a channel is a "
                "histfactory_dist of its name, an observation its data"
            )
            raise WorkspaceError(error.findings, source=error.source, hint=hint) from None
        if document is bare or not _is_valid(bare):
            raise
        hint = "without the patch the workspace has no error: was the patch made for this one?"
        raise WorkspaceError(error.findings, source=error.source, hint=hint) from None
    _log.info("%s: read; warnings of the linter: %d", label, len(found.warnings))
    return found if own is None else replace(found, own_signal=own)


def _is_valid(document: JsonValue) -> bool:
    try:
        Workspace.from_document(document, accept=_OF_A_BACKGROUND, usable=False)
    except WorkspaceError:
        return False
    return True


@checked
def read_patchset(source: Source | PatchSet, *, stdin: BinaryIO | None = None) -> PatchSet:
    """Return the patch set that a source holds, such as a list of them or a pallet.

    One that has been read is taken as it is.

    Raises
    ------
    DocumentError
        The source cannot be read.
    PatchError
        It is no valid patch set.

    Examples
    --------
    >>> import darkstats
    >>> points = darkstats.read_patchset("workspaces/examples/mass_scan/patchset.json")
    >>> points.labels, len(points), points.select("1.8").name
    (('mass_gev',), 6, 'mass_1p8')
    """
    if isinstance(source, PatchSet):
        return source
    return _patchset(
        Opener(stdin=stdin if stdin is not None else _standard_input([source])), source
    )


def _points(
    opener: Opener, patchset: Source | PatchSet | None, whole: JsonValue, label: str
) -> PatchSet:
    """The points to choose from: of a patch set, or of the pallet that was read."""
    if isinstance(patchset, PatchSet):
        return patchset
    if patchset is not None:
        return _patchset(opener, patchset)
    if kind_of(whole) != "pallet":
        raise OptionError(_TOGETHER)
    return PatchSet.from_document(patch_set_in(whole, label), source=label)


def _patchset(opener: Opener, source: Source) -> PatchSet:
    label, data = opener.read(source, "patch set")
    document = patch_set_in(parse_json(data, source=label), label)
    return PatchSet.from_document(document, source=label)


def _workspace_or_refused(
    document: JsonValue, source: str, analysis: str | None, *, patched: bool
) -> JsonValue:
    """Return a document that is, or holds, a workspace; one of HS3 as a workspace.

    What is applied to a workspace is refused in the place of one, and documents of another kind.
    """
    kind = kind_of(document)
    if kind in {"patch", "patch set", "patch sets"}:
        raise DocumentError(
            f"this is a {kind}, no workspace" if kind != "patch sets" else "these are patch sets",
            source=source,
            remedy="name the workspace that it belongs to, and this file with "
            + ("--patch" if kind == "patch" else "--patchset"),
        )
    if not looks_like_hs3(document):
        return document
    if not has_histfactory(document):
        raise DocumentError(
            "this is an HS3 document of unbinned likelihoods, no workspace", source=source,
            remedy="limit, hypotest, significance, fit, rank, scan-poi, scan and global read it",
        )  # fmt: skip
    if patched:
        raise DocumentError(
            "this is an HS3 document, and patches are made for the JSON of a workspace",
            source=source, remedy="name the workspace that the patches belong to",
        )  # fmt: skip
    return histfactory_workspace(Hs3Document.from_document(document, source), analysis)


def _standard_input(given: Sequence[object]) -> BinaryIO | None:
    if not any(isinstance(one, str) and one == "-" for one in given):
        return None
    if sys.stdin is None:
        raise DocumentError("there is no standard input", source="-", remedy="name a file")
    return sys.stdin.buffer
