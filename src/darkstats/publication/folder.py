"""Write a bundle: whole, or not at all, and never over a file that is not its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from darkstats.errors import DocumentError, OptionError
from darkstats.folders import write_folder
from darkstats.publication.contents import read_contents
from darkstats.publication.findings import Findings
from darkstats.publication.manifest import MANIFEST, check_files, is_bundle, read_manifest

__all__ = ["require_free", "write_bundle"]


def require_free(output: Path) -> bool:
    """Check that a bundle may be written: nothing is there, or an unchanged bundle.

    Returns
    -------
    bool
        Whether an unchanged bundle is there, which would be replaced.

    Raises
    ------
    OptionError
        There is something else, or a bundle with files that darkstats did not write.
    """
    if output.is_symlink():
        raise OptionError(f"{output} is a symbolic link: name the folder itself")
    if not output.exists():
        return False
    if not output.is_dir():
        raise OptionError(f"{output} is no folder: name another one")
    if not any(output.iterdir()):
        return False
    contents = read_contents(str(output))
    if not is_bundle(contents):
        raise OptionError(
            f"{output} exists and is no bundle (it has no {MANIFEST} of one): name another folder"
        )
    findings = Findings()
    try:
        check_files(contents, read_manifest(contents.files[MANIFEST]), findings)
    except DocumentError as error:
        raise OptionError(f"{output} holds a damaged bundle ({error}): move it away") from None
    if findings.problems:
        raise OptionError(
            f"{output} holds files that publish did not write so ({findings.problems[0]}): move "
            "them away, or name another folder"
        )
    return True


def write_bundle(output: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder; an unchanged bundle of that name is replaced.

    Raises
    ------
    OptionError
        There is something else; nothing is touched.
    OutputError
        It cannot be written; what was there stays.
    """
    require_free(output)
    write_folder(output, files)
