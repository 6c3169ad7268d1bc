"""What a HEPData submission carries beside its tables: the likelihood, as an archive and as HS3.

HEPData lists resources of the types ``HistFactory`` and ``HS3`` among the analyses of a record. A
resource lies beside ``submission.yaml``, under a name without folder; a HistFactory archive holds
the workspace and the patch set under the names that readers expect.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from darkstats.publication.documents import Documents
from darkstats.publication.findings import DIFFERS, MALFORMED, Problem
from darkstats.workspace.archives import read_members, unpacked

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonObject

__all__ = ["ARCHIVE", "FOLDER", "HS3_RESOURCE", "compare_archive", "likelihood_archive", "listed"]

FOLDER = "hepdata/"
ARCHIVE = f"{FOLDER}likelihood.tar.gz"
HS3_RESOURCE = f"{FOLDER}likelihood.hs3.json"


def listed(names: Collection[str]) -> list[JsonObject]:
    """``additional_resources`` of a submission, for those of the files that a bundle has."""
    signals = any(name.startswith("patchset.json") for name in names)
    of = "Likelihood without signal" if signals else "Likelihood"
    known = {
        ARCHIVE: (
            "HistFactory",
            f"{of}, as HistFactory JSON{', and the patch set of the signals' if signals else ''}; "
            "read by pyhf and others. README.md in it says how.",
        ),
        HS3_RESOURCE: ("HS3", f"{of}, as HS3 0.2, for ROOT, pyhs3 and others."),
    }
    return [
        {"location": name.removeprefix(FOLDER), "description": words, "type": kind}
        for name, (kind, words) in known.items()
        if name in names
    ]


def _members(documents: Documents, files: Mapping[str, bytes], title: str) -> dict[str, bytes]:
    """Files of the archive: the documents, unpacked, and how to use them."""
    names = [documents.workspace_file, documents.patch_set_file]
    found = {
        name.removesuffix(".gz"): unpacked(files[name], name) for name in names if name is not None
    }
    workspace = documents.workspace_file.removesuffix(".gz")
    lines = [f"# {title}", "", "Likelihood in the format of pyhf.", "", "```console"]
    if documents.patch_set is None:
        lines.append(f"pyhf cls {workspace}")
    else:
        point = documents.patch_set.point_names[0]
        lines.append(f"pyhf patchset apply --name {point} {workspace} patchset.json | pyhf cls")
    text = "\n".join([*lines, "```", ""])
    return found | {"README.md": text.encode()}


def likelihood_archive(documents: Documents, files: Mapping[str, bytes], title: str) -> bytes:
    """Return a tar.gz of workspace, patch set and README: without dates, owners and chance.

    Parameters
    ----------
    documents
        What the bundle is about.
    files
        Bytes of its documents by name.
    title
        Of the search.
    """
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(_members(documents, files, title).items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(stream.getvalue(), mtime=0)


def compare_archive(
    data: bytes, documents: Documents, files: Mapping[str, bytes], title: str
) -> list[Problem]:
    """Where the archive holds something else than the documents of the bundle."""
    members = read_members(unpacked(data, ARCHIVE), ARCHIVE)
    if members is None:
        return [Problem(kind=MALFORMED, place=ARCHIVE, text="is no archive")]
    found = {one.name: one.read() for one in members}
    wanted = _members(documents, files, title)
    return [
        Problem(kind=DIFFERS, place=f"{ARCHIVE}:{name}", text="is not the file of the bundle")
        for name in sorted({*found, *wanted})
        if found.get(name) != wanted.get(name)
    ]
