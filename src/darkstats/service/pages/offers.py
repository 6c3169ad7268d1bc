"""What may be asked of a document: questions as cards, and signals to choose from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from darkstats.service.pages.here import Link, Source, ask_address

if TYPE_CHECKING:
    from darkstats.service.store import Collection

__all__ = [
    "ABOUT",
    "is_archive",
    "is_built",
    "naming_rule",
    "offers",
    "patch_sets",
    "patches_beside",
]

_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip", ".tar.xz", ".tar.bz2")
_NUMBER = re.compile(r"\d+(?:[p.]\d+)?")

#: Titles of questions, and what they are about.
ABOUT: Mapping[str, tuple[str, str]] = {
    "limit": ("Upper limit", "how strong may the signal be at most"),
    "scan": ("Scan all signals", "limits and local p-values at each mass"),
    "hypotest": ("Test one strength", "CLs of a signal of given strength"),
    "significance": ("Significance", "how unlikely is the excess"),
    "global": ("Global significance", "of the largest excess of the scan"),
    "project": ("Other luminosities", "what the search will reach"),
    "reinterpret": ("A signal of your own", "by expected events in each bin"),
    "fit": ("Fit", "best values, errors, pulls"),
    "rank": ("Ranking", "which uncertainties matter"),
    "gof": ("Goodness of fit", "does the model describe the data"),
    "scan-poi": ("Profile likelihood", "along one parameter"),
}
_OF_SEARCHES = {"scan", "global", "project"}
_WITHOUT_SIGNAL = {"reinterpret", "fit", "gof"}


def is_archive(name: str) -> bool:
    """Whether a name is that of an archive, and of no member of one."""
    return ":" not in name and name.lower().endswith(_ARCHIVES)


def patch_sets(collection: Collection, source: Source) -> list[Source]:
    """Patch sets that go with a document: those beside it first."""
    found = [
        Source(digest=source.digest, name=name)
        for name in collection.manifest
        if re.search(r"patch_?set", name.lower()) and name != source.file
    ]
    return sorted(found, key=lambda one: (one.folder != source.folder, one.name))


def search_of(collection: Collection, source: Source) -> Source:
    """What a scan is asked of: the folder of a search, or the document itself."""
    beside = [one for one in patch_sets(collection, source) if one.folder == source.folder]
    is_main = source.file.rpartition("/")[2].startswith("background_only.")
    return source.folder if beside and is_main else source


def is_built(collection: Collection, search: Source) -> bool:
    """Whether a folder is a search that was built, which can be judged as a whole."""
    return f"{search.name}/record.json".lstrip("/") in collection.manifest


def offers(kept: Collection, source: Source, *, has_signal: bool) -> list[Link]:
    """Questions that make sense, as cards.

    Parameters
    ----------
    kept, source
        The document, and what lies beside it.
    has_signal
        Whether it has a signal of its own.
    """
    sets = patch_sets(kept, source)
    patched = sets[0].reference if sets else ""
    search = search_of(kept, source)
    in_archive = ":" in source.name
    links = []
    for verb, (title, usual) in ABOUT.items():
        note = usual
        about, beside = source, "" if has_signal or verb in _WITHOUT_SIGNAL else patched
        if verb in _OF_SEARCHES:
            about, beside = search, "" if search != source else patched
            wanted = search != source or (verb == "scan" and bool(sets))
            wanted = wanted and (verb != "global" or is_built(kept, search))
        elif in_archive and not has_signal and verb not in _WITHOUT_SIGNAL:
            wanted, note = verb == "limit", "choose a signal of the archive below"
        else:
            wanted = has_signal or bool(sets) or verb in _WITHOUT_SIGNAL
        if not wanted:
            continue
        address = ask_address(verb, source=about.reference, patchset=beside)
        if in_archive and verb == "limit" and not has_signal:
            address = "#points"
        links.append(Link(address=address, title=title, note=note))
    return links


def patches_beside(documents: Sequence[Mapping[str, object]], member: str) -> list[str]:
    """Patches of an archive that lie in the folder of a member."""
    folder = str(PurePosixPath(member).parent)
    return [
        str(one["name"])
        for one in documents
        if one.get("kind") == "patch" and str(PurePosixPath(str(one["name"])).parent) == folder
    ]


def naming_rule(names: Sequence[str]) -> tuple[str, str]:
    """A pattern of files, and where values stand in their names; empty where they have none.

    Examples
    --------
    >>> naming_rule(["A/patch.sb_1000_60.json", "A/patch.sb_900_130.json"])
    ('A/patch.sb_*.json', 'patch.sb_{x1}_{x2}')
    >>> naming_rule(["one.json", "two.json"])
    ('', '')
    """
    files = [PurePosixPath(name) for name in names]
    stems = [one.name.removesuffix(".gz").removesuffix(".json") for one in files]
    shapes = {_NUMBER.sub("{}", stem) for stem in stems}
    if len(shapes) != 1 or "{}" not in (shape := shapes.pop()):
        return "", ""
    count = iter(range(1, 1 + shape.count("{}")))
    rule = re.sub(r"\{\}", lambda _: f"{{x{next(count)}}}", shape)
    first = files[0]
    glob = shape.partition("{}")[0] + "*" + first.name[len(stems[0]) :]
    return str(first.with_name(glob)), rule
