"""The folder of a built search: written as a whole, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import InputError, OptionError
from darkstats.folders import write_folder
from darkstats.workspace import PatchSet, Workspace, pyhf_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.searches.products import SearchProduct

__all__ = [
    "RECORD_NAME",
    "BuildFolder",
    "patch_set_document",
    "read_build",
    "require_free",
    "write_build",
]

RECORD_NAME = "record.json"
_MANIFEST = "manifest.json"  # of a bundle, which holds the files of a build among others
_COMPRESS_ABOVE = 1_000_000  # bytes


def patch_set_document(product: SearchProduct, *, description: str, hepdata: str) -> dict[str, Any]:
    """Return the patch set of a product, bound to its workspace by digest.

    Raises
    ------
    PatchError
        It breaks a rule of patch sets.
    """
    document: dict[str, Any] = {
        "metadata": {
            "references": {"hepdata": hepdata},
            "digests": {"sha256": pyhf_digest(product.workspace)},
            "labels": list(product.labels),
            "description": description,
        },
        "patches": [
            {
                "metadata": {"name": patch.name, "values": list(patch.values)},
                "patch": list(patch.operations),
            }
            for patch in product.patches
        ],
        "version": "1.0.0",
    }
    PatchSet.from_document(document, "patchset.json").verify(product.workspace)
    return document


def _text(document: object) -> bytes:
    text = json.dumps(document, sort_keys=True, allow_nan=False, separators=(", ", ": "))
    return text.encode() + b"\n"


def _encoded(name: str, document: object) -> tuple[str, bytes]:
    data = _text(document)
    if len(data) <= _COMPRESS_ABOVE:
        return name, data
    return f"{name}.gz", gzip.compress(data, 9, mtime=0)


def require_free(output: Path) -> None:
    """Check that a build may be written to ``output``.

    Raises
    ------
    OptionError
        There is something that is no build, or a bundle that holds one.
    """
    if (output / _MANIFEST).exists():
        raise OptionError(f"{output} holds a published bundle: name another folder")
    if output.exists() and not (output.is_dir() and (output / RECORD_NAME).is_file()):
        empty = output.is_dir() and not any(output.iterdir())
        if not empty:
            raise OptionError(
                f"{output} exists and is no built search (it has no {RECORD_NAME}): "
                "name another folder"
            )


def write_build(
    output: Path,
    product: SearchProduct,
    patch_set: Mapping[str, Any],
    record: Mapping[str, Any],
    *,
    events: Mapping[str, bytes] | None = None,
) -> dict[str, Any]:
    """Write workspace, patch set, sidecar, events if any, and record; replace an earlier build.

    Returns
    -------
    dict
        The record, with the SHA-256 of each file under ``files``.

    Raises
    ------
    OptionError
        The folder exists and is no build.
    OutputError
        It cannot be written; an earlier build stays.
    """
    require_free(output)
    Workspace.from_document(product.workspace)  # refuses what no number should come from
    files = dict(
        [
            _encoded("background_only.json", product.workspace),
            _encoded("patchset.json", patch_set),
            _encoded(
                "fill.json",
                {"schema": "darkstats.fill/1", "simulated": True, **product.fill},
            ),
            # Never compressed: it is looked for under this name.
            ("background_only.meta.json", _text(product.sidecar)),
        ]
    ) | dict(events or {})
    complete = {
        **record,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
    }
    text = json.dumps(complete, sort_keys=True, allow_nan=False, indent=2)
    files[RECORD_NAME] = text.encode() + b"\n"
    write_folder(output, files)
    return complete


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFolder:
    """What a build wrote, read back and checked against its digests.

    Parameters
    ----------
    folder
        Where it lies.
    record, workspace, sidecar
        Documents.
    workspace_path, patch_set_path, fill_path
        Files, compressed or not.
    """

    folder: Path
    record: dict[str, Any] = field(repr=False)
    workspace: dict[str, Any] = field(repr=False)
    sidecar: dict[str, Any] = field(repr=False)
    workspace_path: Path
    patch_set_path: Path
    fill_path: Path


def read_build(folder: Path) -> BuildFolder:
    """Read a folder that :func:`write_build` wrote.

    Raises
    ------
    InputError
        It is no build, a file is missing, or a file is not what was written.
    """
    path = folder / RECORD_NAME
    if not path.is_file():
        raise InputError(f"{folder}: no built search (it has no {RECORD_NAME})")
    try:
        record = json.loads(path.read_text("utf-8"))
        digests = dict(record["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the record of a build: {error}") from None
    contents: dict[str, bytes] = {}
    for name, digest in digests.items():
        file = folder / name
        if not file.is_file():
            raise InputError(f"{file}: missing; build the search again")
        contents[name] = file.read_bytes()
        if hashlib.sha256(contents[name]).hexdigest() != digest:
            raise InputError(f"{file}: changed since it was built; build the search again")

    def document(stem: str) -> tuple[Path, dict[str, Any]]:
        for name in (stem, f"{stem}.gz"):
            if name in contents:
                data = contents[name]
                text = gzip.decompress(data) if name.endswith(".gz") else data
                return folder / name, json.loads(text)
        raise InputError(f"{path}: names no {stem}")

    workspace_path, workspace = document("background_only.json")
    _, sidecar = document("background_only.meta.json")

    def path_of(stem: str) -> Path:
        for name in (stem, f"{stem}.gz"):
            if name in contents:
                return folder / name
        raise InputError(f"{path}: names no {stem}")

    return BuildFolder(
        folder=folder,
        record=record,
        workspace=workspace,
        sidecar=sidecar,
        workspace_path=workspace_path,
        patch_set_path=path_of("patchset.json"),
        fill_path=path_of("fill.json"),
    )
