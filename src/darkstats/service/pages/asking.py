"""Forms of questions: what is common first, the rest folded; what is wrong beside its place."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from darkstats.errors import InputError
from darkstats.options import named_choices
from darkstats.service.api.parts import parts_of
from darkstats.service.api.problems import ProblemError
from darkstats.service.pages.forms import groups_of, options_of
from darkstats.service.pages.here import (
    Link,
    PageRoute,
    Source,
    likelihood_address,
    put,
    readable,
    source_of,
)
from darkstats.service.pages.likelihoods import channels_of
from darkstats.service.pages.offers import patch_sets
from darkstats.service.pages.rendering import page
from darkstats.service.questions import ASKED, Question, asked_of, references, request_type
from darkstats.service.store.rows import JobState

if TYPE_CHECKING:
    from darkstats.service.store import Collection

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
_MOST_FIELDS, _LARGEST_PART = 2_000, 1 << 20
_HEADINGS = {
    "limit": "Ask for an upper limit", "hypotest": "Test one signal strength",
    "significance": "Ask for the significance", "scan": "Scan all signals",
    "global": "Ask for the global significance", "project": "Project to other luminosities",
    "reinterpret": "Limit on a signal of your own", "fit": "Fit the likelihood",
    "rank": "Rank nuisance parameters", "gof": "Ask for the goodness of fit",
    "scan-poi": "Scan the profile likelihood", "contour": "Draw exclusion contours",
    "export": "Export tables", "recast": "Recast for another mediator", "plot": "Draw figures",
}  # fmt: skip
#: The option that says what a question is about, which the page has as its address.
_SUBJECTS = ("source", "result", "results", "workspace", "limit")
#: Options that make sense only beside a patch set.
_OF_PATCH_SETS = ("patchset", "point")
#: Options that make sense where patches lie in files of their own.
_OF_PATCHES = ("patches", "name_pattern")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """An error of a form, and the control that it is about."""

    name: str
    words: str


def _verb(text: str) -> str:
    found = next((one for one in ASKED if one.replace(" ", "-") == text), None)
    if found is None:
        raise ProblemError(404, "There is no such question.")
    return found


def _collection(request: Request, source: Source | None) -> Collection | None:
    return None if source is None else parts_of(request).store.documents.collection(source.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A question that is being written: texts by option, yields by channel, what is wrong."""

    verb: str
    given: Mapping[str, str]
    yields: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[_Said] = ()

    @property
    def subject(self) -> str:
        """The option that says what the question is about."""
        return next((name for name in _SUBJECTS if name in asked_of(self.verb)), "")

    @property
    def about(self) -> str:
        """What it is about: a reference, or empty."""
        return self.given.get(self.subject, "")


@router.get("/ask/{verb}")
async def form(request: Request, verb: str) -> Response:
    """The form of a question; the address may hold what is known of it."""
    readable(request)
    return await _form(request, _Draft(verb=_verb(verb), given=dict(request.query_params)))


async def _form(request: Request, draft: _Draft, status: int = 200) -> Response:
    verb, source = draft.verb, source_of(draft.about)
    kept = await asyncio.to_thread(_collection, request, source)
    names = list(kept.manifest) if kept is not None else []
    channels: Sequence[Mapping[str, Any]] = ()
    if verb == "reinterpret" and source is not None:
        channels = _entries(await channels_of(request, source.reference), draft)
    hidden = [draft.subject] if draft.about else []
    sets = patch_sets(kept, source) if kept is not None and source is not None else []
    without = [*hidden, *(["signal"] if channels else [])]
    if source is not None:
        in_archive, is_folder = ":" in source.name, kept is not None and source.file not in names
        without += [] if sets and not is_folder else _OF_PATCH_SETS
        without += [] if in_archive and not is_folder else _OF_PATCHES
    prefix = f"sha256:{kept.digest}/" if kept is not None else ""
    groups = groups_of(
        verb,
        [(f"{prefix}{name}", name) for name in names],
        draft.given,
        prefix=prefix,
        errors={one.name: one.words for one in draft.errors if one.name},
        without=[name for name in without if name in hidden or not draft.given.get(name)],
    )
    patched = draft.given.get("patchset") or (sets[0].reference if sets else "")
    has_point = "point" in asked_of(verb) and bool(patched)
    return page(
        "ask.html", status=status, here="start", verb=verb, errors=draft.errors, groups=groups,
        heading=_HEADINGS.get(verb, verb.capitalize()), help=ASKED[verb].help.split("\n\n")[0],
        hidden=[(name, draft.given[name]) for name in hidden], channels=channels,
        source=_link(draft.about),
        points_address=_points(draft.about, patched) if has_point else "",
    )  # fmt: skip


def _points(source: str, patchset: str) -> str:
    from urllib.parse import urlencode

    return "/parts/points?" + urlencode({"source": source, "patchset": patchset, "form": "list"})


def _entries(channels: Sequence[Mapping[str, Any]], draft: _Draft) -> list[dict[str, Any]]:
    """Channels, with what of the signal is known of each."""
    lines = draft.given.get("signal", "").splitlines()
    known = dict(one.rpartition("=")[::2] for one in lines if "=" in one) | dict(draft.yields)
    found = []
    for channel in channels:
        n_bins = int(channel["n_bins"])
        example = ", ".join(["1.2", "3.4", "0.5"][:n_bins]) + (", …" if n_bins > 3 else "")
        found.append(
            {
                "name": channel["name"], "n_bins": n_bins, "observed": channel.get("observed"),
                "background": channel.get("background"), "example": example,
                "value": known.get(str(channel["name"]), ""),
            }
        )  # fmt: skip
    return found


def _link(text: str) -> Link | None:
    about = source_of(text)
    if about is not None:
        words = about.name or "the search"
        return Link(address=likelihood_address(about), title=words)
    keys = [one.key for one in references(text) if one.key]
    return Link(address=f"/results/{keys[0]}", title=f"answer {keys[0][:12]}") if keys else None


@router.post("/ask/{verb}")
async def ask(request: Request, verb: str) -> Response:
    """Ask; lead to the answer where it is known, else to the job."""
    readable(request)
    asked = _verb(verb)
    sent = await request.form(max_fields=_MOST_FIELDS, max_files=0, max_part_size=_LARGEST_PART)
    given = {name: str(value) for name, value in sent.items()}
    named = zip(sent.getlist("channel"), sent.getlist("yields"), strict=False)
    yields = {str(name): str(value).strip() for name, value in named if str(value).strip()}
    if yields:
        lines = [f"{name}={_commas(value)}" for name, value in yields.items()]
        given["signal"] = "\n".join(lines)
    try:
        options = await asyncio.to_thread(_options, request, asked, given)
        job = await put(request, Question(verb=asked, options=options))
    except InputError as error:
        said = [_Said(name=_place(asked, str(error)), words=str(error))]
        shown = {name: value for name, value in given.items() if name != "signal" or not yields}
        draft = _Draft(verb=asked, given=shown, yields=yields, errors=said)
        return await _form(request, draft, 422)
    done = job.state is JobState.DONE
    return RedirectResponse(f"/results/{job.key}" if done else f"/jobs/{job.name}", 303)


def _commas(text: str) -> str:
    """Numbers as the command line has them: with commas between, and no space."""
    return re.sub(r"[\s,;]+", ",", text.strip())


def _options(request: Request, verb: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Values by name, with names of files of the collection as references."""
    subject = next((name for name in _SUBJECTS if given.get(name)), "")
    about = source_of(given.get(subject, ""))
    kept = _collection(request, about)
    found = options_of(verb, given)
    if verb in ASKED and "point" in found and "patchset" not in found and kept and about:
        sets = patch_sets(kept, about)
        if sets:
            found["patchset"] = sets[0].reference
    if kept is None:
        return found
    asked = asked_of(verb)
    for name, value in found.items():
        if asked[name].reads:
            found[name] = (
                [_referred(one, kept) for one in value] if isinstance(value, list)
                else _referred(value, kept)
            )  # fmt: skip
    return found


def _referred(value: Any, kept: Collection) -> Any:  # noqa: ANN401 -- any JSON value
    """A name of a file in the collection, as a reference; anything else as it is."""
    if not isinstance(value, str) or references(value):
        return value
    label, sign, name = value.rpartition("=")
    if name.partition(":")[0] in kept.manifest:
        return f"{label}{sign}sha256:{kept.digest}/{name}"
    return value


def _place(verb: str, message: str) -> str:
    """The option that a message is about: the first whose flag or name it begins with."""
    for name, choices in named_choices(request_type(verb)).items():
        flags, kind = choices[0].option.flags, choices[0].option.kind
        if kind and message.startswith(f"unknown {kind} "):
            return name
        if any(re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", message) for one in flags):
            return name
        if message.startswith(f"{name} "):
            return name
    return ""
