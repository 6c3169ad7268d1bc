"""A folder that keeps the finished blocks of a job, each written whole or not at all.

::

    DIR/job.json            what the job is, with its digest
    DIR/inputs.json.gz      the documents that it works on
    DIR/blocks/000017.json  one line of header (job, block, SHA-256), one line of content

A block is trusted if its header names this job and its content has the digest that the header says.
Shards of a job write into folders of their own, or into the same one; :meth:`BlockStore.merge` puts
them together, as often as one likes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.errors import OptionError, OutputError, ShardError, in_words
from darkstats.execution.jobs import Job
from darkstats.provenance import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkstats.workspace.json_values import JsonObject

__all__ = ["BlockState", "BlockStore", "Merged"]

JOB_SCHEMA, BLOCK_SCHEMA = "darkstats.job/1", "darkstats.block/1"


class BlockState(Enum):
    """What stands in the place of a block."""

    GOOD = "good"
    MISSING = "missing"
    CORRUPT = "corrupt"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a merge found: blocks taken from each folder, and blocks that were there already."""

    taken: int
    known: int


def _seal(job: Job) -> str:
    """SHA-256 of a job and its number of blocks, which may grow and is no part of its own one."""
    return digest_of({"job": job.digest, "n_blocks": job.n_blocks})


class BlockStore:
    """The folder of one job.

    Parameters
    ----------
    folder
        Where it lies.
    job
        The job; its blocks are numbered from 0.
    """

    def __init__(self, folder: Path, job: Job) -> None:
        self.folder, self.job = folder, job
        self._digest = job.digest

    @classmethod
    def create(cls, folder: Path, job: Job) -> BlockStore:
        """Make the folder, or take up the work in it.

        Raises
        ------
        OptionError
            The folder holds something else, another job, or cannot be written.
        """
        path = folder / "job.json"
        if path.exists():
            store = cls.open(folder)
            if store.job.digest != job.digest:
                raise OptionError(
                    f"{folder} holds another job: {_difference(store.job, job)}; name another "
                    "folder, or remove this one"
                )
            if job.n_blocks > store.job.n_blocks:
                store._write_head(job)
            return cls(folder, job)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise OptionError(f"{folder} exists and holds no job: name another folder")
        try:
            (folder / "blocks").mkdir(parents=True, exist_ok=True)
            _write(folder / "inputs.json.gz", job.inputs)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written: {error.strerror}") from None
        store = cls(folder, job)
        store._write_head(job)
        return store

    def _write_head(self, job: Job) -> None:
        head = {
            "schema": JOB_SCHEMA,
            "sha256": job.digest,
            "n_blocks": job.n_blocks,
            "n_blocks_sha256": _seal(job),
            "inputs_file": hashlib.sha256(job.inputs).hexdigest(),
            **job.plain(),
        }
        text = json.dumps(head, sort_keys=True, indent=1) + "\n"
        try:
            _write(self.folder / "job.json", text.encode())
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written: {error.strerror}") from None

    @classmethod
    def open(cls, folder: Path) -> BlockStore:
        """Read a folder that :meth:`create` made.

        Raises
        ------
        ShardError
            It holds no job, or the job or its documents were changed.
        """
        path = folder / "job.json"
        try:
            head = json.loads(path.read_text("utf-8"))
            inputs = (folder / "inputs.json.gz").read_bytes()
            job = Job(
                kind=str(head["kind"]),
                settings=dict(head["settings"]),
                n_blocks=int(head["n_blocks"]),
                inputs_digest=str(head["inputs"]),
                inputs=inputs,
            )
            sound = (
                head["schema"] == JOB_SCHEMA
                and head["sha256"] == job.digest
                and head["n_blocks_sha256"] == _seal(job)
            )
            intact = head["inputs_file"] == hashlib.sha256(inputs).hexdigest()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ShardError(f"{folder} holds no job ({in_words(error)}); plan it again") from None
        if not sound:
            raise ShardError(f"{path}: changed since it was written; plan the job again")
        if not intact:
            raise ShardError(
                f"{folder / 'inputs.json.gz'}: changed since it was written; plan the job again"
            )
        return cls(folder, job)

    def _path(self, block: int) -> Path:
        return self.folder / "blocks" / f"{block:06d}.json"

    def write(self, block: int, text: str) -> None:
        """Keep a finished block.

        Raises
        ------
        OutputError
            It cannot be written; what was written before is kept.
        """
        head = {
            "schema": BLOCK_SCHEMA,
            "job": self._digest,
            "block": block,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
        data = f"{json.dumps(head, sort_keys=True)}\n{text}\n".encode()
        try:
            _write(self._path(block), data)
        except OSError as error:
            raise OutputError(
                f"{self._path(block)}: cannot be written: {error.strerror}; finished blocks are "
                "kept: make room and run the command again"
            ) from None

    def look(self, block: int) -> tuple[BlockState, str]:
        """State of a block, and its text if it is good."""
        try:
            data = self._path(block).read_text("utf-8")
        except FileNotFoundError:
            return BlockState.MISSING, ""
        except (OSError, UnicodeDecodeError):
            return BlockState.CORRUPT, ""
        line, _, rest = data.partition("\n")
        text = rest.removesuffix("\n")
        try:
            head = json.loads(line)
            named = (head["schema"], head["job"], head["block"])
            digest = head["sha256"]
        except (ValueError, KeyError, TypeError):
            return BlockState.CORRUPT, ""
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            return BlockState.CORRUPT, ""
        if named != (BLOCK_SCHEMA, self._digest, block):
            return BlockState.FOREIGN, ""
        return BlockState.GOOD, text

    def read(self, block: int) -> JsonObject:
        """Return the content of a block.

        Raises
        ------
        ShardError
            It is not there, damaged, or of another job.
        """
        state, text = self.look(block)
        if state is not BlockState.GOOD:
            raise ShardError(f"{self._path(block)}: {_PROBLEMS[state]}")
        found: JsonObject = json.loads(text)
        return found

    def unfinished(self) -> list[int]:
        """Blocks that have to be run: missing ones, and damaged ones, which are run again.

        Raises
        ------
        ShardError
            A block belongs to another job.
        """
        states = {block: self.look(block)[0] for block in range(self.job.n_blocks)}
        foreign = [block for block, state in states.items() if state is BlockState.FOREIGN]
        if foreign:
            raise ShardError(f"{self._path(foreign[0])}: {_PROBLEMS[BlockState.FOREIGN]}")
        return [block for block, state in states.items() if state is not BlockState.GOOD]

    def merge(self, others: Iterable[Path]) -> Merged:
        """Take the blocks of other folders over, and check that the job is complete.

        Raises
        ------
        ShardError
            A folder holds another job; a block is damaged or foreign, differs between two folders,
            or is missing everywhere. Blocks taken so far are kept.
        """
        taken = known = 0
        for folder in others:
            store = BlockStore.open(folder)
            if store.job.digest != self._digest:
                raise ShardError(
                    f"{folder} holds shards of another job (sha256 {store.job.digest[:16]}…, not "
                    f"{self._digest[:16]}…)"
                )
            for block in range(self.job.n_blocks):
                state, text = store.look(block)
                if state is BlockState.MISSING:
                    continue
                if state is not BlockState.GOOD:
                    raise ShardError(f"{store._path(block)}: {_PROBLEMS[state]}")
                mine, present = self.look(block)
                if mine is not BlockState.GOOD:
                    self.write(block, text)
                    taken += 1
                elif present != text:
                    raise ShardError(
                        f"block {block} differs between {self.folder} and {folder}: the two were "
                        "made by different versions of a package; run one of them again"
                    )
                else:
                    known += 1
        states = {block: self.look(block)[0] for block in range(self.job.n_blocks)}
        bad = [(b, s) for b, s in states.items() if s in {BlockState.CORRUPT, BlockState.FOREIGN}]
        if bad:
            raise ShardError(f"{self._path(bad[0][0])}: {_PROBLEMS[bad[0][1]]}")
        absent = [block for block, state in states.items() if state is BlockState.MISSING]
        if absent:
            shown = ", ".join(map(str, absent[:8])) + (", …" if len(absent) > 8 else "")
            raise ShardError(
                f"{len(absent)} of {self.job.n_blocks} blocks are missing: {shown}; run the shards "
                "that hold them (block b belongs to shard b modulo the number of shards)"
            )
        return Merged(taken=taken, known=known)

    def result_digest(self) -> str:
        """SHA-256 over the contents of all blocks, in order.

        Raises
        ------
        ShardError
            A block is not good.
        """
        return digest_of([self.read(block) for block in range(self.job.n_blocks)])


def _difference(there: Job, asked: Job) -> str:
    """Say how a job that is there differs from the one that was asked for."""
    found = []
    if there.kind != asked.kind:
        found.append(f"{there.kind}, asked for {asked.kind}")
    for key in sorted({*there.settings, *asked.settings} - {"versions"}):
        old, new = there.settings.get(key), asked.settings.get(key)
        if old != new:
            found.append(f"{key.replace('_', ' ')} {old}, asked for {new}")
    if there.inputs_digest != asked.inputs_digest:
        found.append("made from other documents")
    old_versions, new_versions = (job.settings.get("versions") or {} for job in (there, asked))
    found += [
        f"{package} {old_versions.get(package)} then, {new_versions.get(package)} now"
        for package in sorted({*old_versions, *new_versions})
        if old_versions.get(package) != new_versions.get(package)
    ]
    return "; ".join(found)


_PROBLEMS = {
    BlockState.MISSING: "missing; run its shard",
    BlockState.CORRUPT: "damaged; remove it and run its shard again",
    BlockState.FOREIGN: "a block of another job; remove it and run its shard again",
}


def _write(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole, or not at all, power cuts included."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
