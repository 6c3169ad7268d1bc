"""What the pages share: who asks, the store, documents by their addresses, faults in words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from darkstats.errors import DarkstatsError, ServiceError
from darkstats.service.api.access import COOKIE, guest_of, require_scope
from darkstats.service.api.parts import Parts, parts_of
from darkstats.service.api.problems import ProblemError
from darkstats.service.api.queueing import put_question, wait_for
from darkstats.service.api.shapes import result_path
from darkstats.service.pages.faults import fault_page
from darkstats.service.pages.rendering import SIGNED_IN
from darkstats.service.questions import Question, references
from darkstats.service.store.rows import JobState

if TYPE_CHECKING:
    from darkstats.service.store import Collection, StoredJob, StoredResult

__all__ = [
    "ALL_FILES",
    "Link",
    "PageRoute",
    "Source",
    "answer_within",
    "ask_address",
    "collection_link",
    "file_address",
    "likelihood_address",
    "main_document",
    "part_address",
    "put",
    "readable",
    "source_of",
    "subject_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An address with its words."""

    address: str
    title: str = ""
    words: str = ""
    note: str = ""
    key: str = ""
    file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document of a collection, or a folder of it where ``name`` is one."""

    digest: str
    name: str

    @property
    def reference(self) -> str:
        """As questions name it."""
        return f"sha256:{self.digest}" + (f"/{self.name}" if self.name else "")

    @property
    def folder(self) -> Source:
        """The folder that it lies in."""
        above = str(PurePosixPath(self.name.partition(":")[0]).parent)
        return Source(digest=self.digest, name="" if above == "." else above)

    @property
    def file(self) -> str:
        """Name of its file, without the member of an archive."""
        return self.name.partition(":")[0]


class PageRoute(APIRoute):
    """A route whose faults are pages, too: in words, with what to do."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            known = COOKIE in request.cookies and parts_of(request).settings.needs_tokens
            SIGNED_IN.set(guest_of(request).owner if known else "")
            try:
                return await inner(request)
            except ProblemError as problem:
                return _with(fault_page(problem.status, problem.detail), problem.headers)
            except RequestValidationError:
                return fault_page(404, "The address is not one of this service's.")
            except HTTPException as error:
                return fault_page(error.status_code, str(error.detail))
            except ServiceError:
                words = "Nothing was changed, and nothing that was accepted is lost. Try again."
                return _with(fault_page(503, words), {"Retry-After": "5"})
            except DarkstatsError as error:
                return fault_page(422, str(error))

        return handle


def _with(response: Response, headers: Mapping[str, str]) -> Response:
    response.headers.update(headers)
    return response


def readable(request: Request) -> tuple[Parts, str]:
    """Parts of the service and who asks, if they may read.

    Raises
    ------
    ProblemError
        They may not.
    """
    return parts_of(request), require_scope(request, "read").owner


async def put(request: Request, question: Question) -> StoredJob:
    """Ask on behalf of who is there.

    Raises
    ------
    InputError
        The question would be refused whatever its documents hold.
    ProblemError
        They may not ask, or have too many jobs in the queue.
    """
    parts, guest = parts_of(request), require_scope(request, "submit")
    return await asyncio.to_thread(put_question, parts, guest, question)


async def answer_within(
    request: Request, question: Question, seconds: float
) -> tuple[StoredResult | None, StoredJob]:
    """The answer, if it is there within so many seconds, and the job that gives it."""
    parts = parts_of(request)
    job = await wait_for(parts, await put(request, question), seconds)
    found = None
    if job.state is JobState.DONE:
        found = await asyncio.to_thread(parts.results.get, job.key)
    return found, job


def source_of(text: str) -> Source | None:
    """The document that a question names; ``None`` if it names none."""
    named = [one for one in references(text) if not one.key]
    return Source(digest=named[0].digest, name=named[0].name) if named else None


def likelihood_address(source: Source) -> str:
    """Page of a document."""
    return f"/likelihoods/{source.digest}" + (f"/{quote(source.name)}" if source.name else "")


def ask_address(verb: str, **given: str) -> str:
    """Form of a question, with what is known of it."""
    known = {name: value for name, value in given.items() if value}
    return f"/ask/{verb.replace(' ', '-')}?{urlencode(known)}"


#: Stands for all files of an answer.
ALL_FILES = "*"


def file_address(key: str, name: str) -> str:
    """A file of an answer, or all of them, to take away."""
    if name in {"", ALL_FILES}:
        return f"{result_path(key)}/files.zip"
    return f"{result_path(key)}/files/{quote(name)}?download=true"


def part_address(name: str, **given: str) -> str:
    """A part of a page, which is loaded after it."""
    return f"/parts/{name}?{urlencode({key: value for key, value in given.items() if value})}"


def subject_of(question: Mapping[str, Any]) -> Link | None:
    """The document, or the answer, that a question is about."""
    options = question["options"]
    for name in ("source", "result", "results", "limit", "workspace", "card", "bundle"):
        text = json.dumps(options.get(name), ensure_ascii=False)
        for one in references(text.rstrip('"]')):
            if one.key:
                return Link(address=f"/results/{one.key}", title=f"answer {one.key[:12]}")
            found = Source(digest=one.digest, name=one.name.partition('"')[0])
            return Link(address=likelihood_address(found), title=found.name or "search")
    return None


#: Names of files that a page of a likelihood is about, those that lead the best first.
_MAIN = ("background_only", "bkgonly", "bkg")


def main_document(names: Sequence[str]) -> str:
    """The file of a collection to open first."""

    def rank(name: str) -> tuple[bool, bool, int, str]:
        file = PurePosixPath(name).name.lower()
        beside = file.endswith((".meta.json", ".csv", ".md", ".txt")) or file in {
            "fill.json", "fill.json.gz", "record.json",
        }  # fmt: skip
        return beside, "patch" in file, -sum(one in file for one in _MAIN), name

    return min(names, key=rank)


def collection_link(collection: Collection, about: tuple[str, str] | None = None) -> Link:
    """A collection as something to open; ``about`` is its title, and what it is."""
    names = list(collection.manifest)
    main = main_document(names)
    size = f"{len(names)} files" if len(names) > 1 else "one file"
    title, note = about or (collection.title, size)
    return Link(
        address=likelihood_address(Source(digest=collection.digest, name=main)),
        title=title, note=note,
    )  # fmt: skip
