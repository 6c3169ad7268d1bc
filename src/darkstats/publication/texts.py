"""What a person reads of a bundle first: README.md, and CITATION.cff for whoever uses it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from darkstats.provenance import package_version
from darkstats.report.methods import method_name
from darkstats.report.numbers import level_words
from darkstats.report.sidecar import CITATION_TEXTS

if TYPE_CHECKING:
    from darkstats.publication.documents import Documents

__all__ = ["authors_of", "citation_text", "lacking_of", "readme_text", "title_of"]

_PYHF_AUTHORS = (
    ("Heinrich", "Lukas"), ("Feickert", "Matthew"), ("Stark", "Giordon"), ("Cranmer", "Kyle"),
)  # fmt: skip
#: What the counts are called where nobody has said more of them.
_PLAIN = (None, "", "simulated", "as in the workspace")
_WHAT = {
    "CITATION.cff": "how to cite it",
    "background_only.json": "the likelihood without signal, HistFactory JSON as pyhf reads it",
    "background_only.meta.json": "labels, axes, units and bin edges",
    "background_only.hs3.json": "the same as HS3 0.2, for ROOT, pyhs3 and others",
    "workspace.hs3.json": "the same as HS3 0.2, for ROOT, pyhs3 and others",
    "workspace.json": "the likelihood, HistFactory JSON as pyhf reads it",
    "workspace.meta.json": "labels, axes, units and bin edges",
    "patchset.json": "the signals, a pyhf patch set bound to the likelihood by its digest",
    "fill.json": "which bins of the whole spectrum fill the window of each hypothesis",
    "record.json": "how the likelihood was built",
    "limits.json": "the limits with all that they depend on: the record of darkstats scan",
    "limits.csv": "the same, a row for each hypothesis",
    "yields.csv": "expected events by channel and sample, with errors",
    "yields.tex": "the same in LaTeX",
    "signals.csv": "expected events of what each hypothesis brings, with errors",
    "hepdata/submission.yaml": "a submission to HEPData, with the tables beside it",
    "hepdata/likelihood.tar.gz": "likelihood and signals, a resource of the submission",
    "hepdata/likelihood.hs3.json": "the likelihood as HS3, a resource of the submission",
}


def title_of(documents: Documents, name: str) -> str:
    """Title of the search, on one line; ``name`` where neither record nor sidecar has one."""
    facts = documents.facts
    return " ".join(str(facts.get("title") or facts.get("name") or name).split())


def authors_of(documents: Documents, given: Sequence[str]) -> tuple[str, ...]:
    """Who made it: as given, else as the sidecar says; empty where nobody is named."""
    if given:
        return tuple(given)
    stated = documents.sidecar.get("citation")
    names = stated.get("authors") if isinstance(stated, dict) else None
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return tuple(names)
    collision = documents.facts.get("collision") or {}
    who = collision.get("collaboration")
    return (who,) if isinstance(who, str) else ()


def lacking_of(
    documents: Documents, authors: Sequence[str], *, no_hs3: str = ""
) -> tuple[str, ...]:
    """What a reader would want and nobody has said, each with the way to say it.

    ``no_hs3`` says why there is no HS3; empty where there is.
    """
    facts, sidecar = documents.facts, documents.sidecar
    found = []
    if not authors:
        found.append("authors: give --author, or citation.authors in the sidecar")
    if facts.get("simulated") is None:
        found.append("whether the data are simulated: give simulated in the sidecar")
    if facts.get("luminosity_ipb") is None:
        found.append("integrated luminosity: give luminosity_ipb in the sidecar")
    channels = sidecar.get("channels")
    channels = channels if isinstance(channels, dict) else {}
    for key, words in (("axis", "axis title with unit"), ("edges", "bin edges")):
        lost = [
            name for name in documents.workspace.channel_names if not _says(channels.get(name), key)
        ]
        if lost:
            few = ", ".join(lost[:3]) + (", ..." if len(lost) > 3 else "")
            found.append(f"{words} of {few}: give channels.NAME.{key} in the sidecar")
    if documents.limits is None:
        found.append("limits: no record of a scan was given; run darkstats scan, then give --scan")
    if no_hs3:
        found.append(f"HS3: {no_hs3}")
    return tuple(found)


def _says(labels: object, key: str) -> bool:
    """Whether the labels of a channel have a key; in a plane each axis has edges of its own."""
    return isinstance(labels, dict) and any(
        value for name, value in labels.items() if name == key or f"_{key}_" in name
    )


def readme_text(
    documents: Documents,
    title: str,
    names: Sequence[str],
    lacking: Sequence[str],
    *,
    date: str | None,
) -> str:
    """Return the README of a bundle, in Markdown."""
    facts = documents.facts
    lines = [f"# {title}", ""]
    if facts.get("simulated"):
        said = facts.get("data")
        said = "its counts are no data." if said in _PLAIN else said
        lines += [f"**Simulated**: {said}", ""]
    lines += [*_facts(documents, date), "", "## Files", "", "| file | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {_what(name)} |" for name in sorted(names)]
    lines += [
        "| `manifest.json` | names, sizes and SHA-256 of these files |",
        "| `SHA256SUMS` | the same for `sha256sum -c SHA256SUMS` |",
        "",
        "## Use",
        "",
        "```console",
        "darkstats verify .",
    ]
    here = documents.workspace_file
    if documents.patch_set is None:
        lines.append(f"darkstats limit {here}")
    else:
        point = documents.patch_set.point_names[0]
        lines.append(
            f"darkstats limit {here} --patchset {documents.patch_set_file} --point {point}"
        )
        lines.append(
            f"darkstats hs3 {here} --patchset {documents.patch_set_file} --point {point} "
            "-o hypothesis.hs3.json"
        )
    lines.append("```")
    if lacking:
        lines += ["", "## Not in this bundle", "", *(f"* {words}" for words in lacking)]
    version = package_version("darkstats") or "unreleased"
    lines += ["", f"Written by darkstats {version}."]
    return "\n".join(lines) + "\n"


def _what(name: str) -> str:
    if name in _WHAT:
        return _WHAT[name]
    plain = name.removesuffix(".gz")
    if plain in _WHAT:
        return _WHAT[plain] + (", gzipped" if plain != name else "")
    if name.startswith("hepdata/"):
        return "a table of the HEPData submission"
    if name.startswith("limits_"):
        return "limits in LaTeX"
    return "made with the likelihood"


def _facts(documents: Documents, date: str | None) -> list[str]:
    facts = documents.facts
    workspace = documents.workspace
    lines = [
        f"* Channels: {_few(workspace.channel_names)}; samples: {_few(workspace.sample_names)}.",
        f"* SHA-256 of the likelihood by pyhf's rule: `{workspace.digest}`.",
    ]
    points = documents.patch_set
    if points is not None:
        labels = ", ".join(points.labels)
        lines.append(f"* {len(points)} signal hypotheses, told apart by {labels}.")
    luminosity = facts.get("luminosity_ipb")
    if isinstance(luminosity, int | float):
        lines.append(f"* Integrated luminosity: {luminosity:g} / pb.")
    if facts.get("poi_label"):
        lines.append(f"* The parameter of interest is: {facts['poi_label']}.")
    limits = documents.limits
    if limits is not None:
        summary = limits.get("summary")
        said = summary.get("statement") if isinstance(summary, dict) else None
        level = level_words(str(limits["method"]), float(limits["cl"]))
        how = f"{method_name(str(limits['method'])).text}, {limits['calculator']}"
        lines.append(f"* Upper limits at {level}, {how}" + (f": {said}." if said else "."))
    else:
        lines.append("* No limits: no record of a scan was given.")
    if date is not None:
        lines.append(f"* Date: {date}.")
    return lines


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f", ... ({len(names)} in all)" if len(names) > 8 else "")


def citation_text(
    documents: Documents, title: str, authors: Sequence[str], *, date: str | None
) -> str:
    """Return the CITATION.cff of a bundle: what the sidecar says, and the programs it rests on.

    Of ``citation`` in the sidecar, what :data:`~darkstats.report.sidecar.CITATION_TEXTS` names.
    """
    names = authors or ("authors not stated",)
    lines = [
        "cff-version: 1.2.0",
        'message: "If you use this likelihood, please cite it, and the programs it rests on."',
        "type: dataset",
        f"title: {_quoted(title)}",
        "authors:",
        *(f"  - name: {_quoted(name)}" for name in names),
    ]
    stated = documents.sidecar.get("citation")
    lines += [
        f"{key}: {_quoted(value)}"
        for key, value in _known(stated if isinstance(stated, dict) else {})
    ]
    if date is not None:
        lines.append(f"date-released: {date[:10]}")
    lines += [
        "references:",
        "  - type: software",
        '    title: "darkstats: certified limits for dark-sector searches"',
        "    authors:",
        '      - name: "The darkstats developers"',
        f"    version: {_quoted(package_version('darkstats') or 'unreleased')}",
        "  - type: article",
        '    title: "pyhf: pure-Python implementation of HistFactory statistical models"',
        "    authors:",
        *(
            f"      - {{family-names: {family}, given-names: {given}}}"
            for family, given in _PYHF_AUTHORS
        ),
        "    year: 2021",
        "    doi: 10.21105/joss.02823",
    ]
    return "\n".join(lines) + "\n"


def _known(stated: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, stated[key]) for key in CITATION_TEXTS if isinstance(stated.get(key), str)]


def _quoted(text: str) -> str:
    """A text as YAML and JSON both write it."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)
