"""Samples in blocks: generated, measured, selected, cached, and merged in a fixed order.

A block is a pure function of its key: the settings of process, detector and selection, the seed
and the number of the block. So any number of workers gives the same candidates, and a production
that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import DarkstatsError, NotCertifiedError, OptionError, OutputError
from darkstats.provenance import digest_of
from darkstats.simulation.candidates import Candidates
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from darkstats.arrays import BoolArray
    from darkstats.simulation.detector import Detector
    from darkstats.simulation.events import EventBlock, Process
    from darkstats.simulation.selection import Selection

__all__ = ["ProductionError", "SampleRequest", "default_cache", "generated_block", "produce"]

_FORMAT = 1
_GENERATION, _RESPONSE = 1, 2  # words of the stream key


class ProductionError(NotCertifiedError):
    """A block of a sample could not be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRequest:
    """One sample to simulate.

    Parameters
    ----------
    name
        Key of the sample in the result.
    process, detector, selection
        What is generated, how it is measured, what is kept.
    n_events
        Events to generate.
    seed
        Seed of the production.
    events_per_block
        Part of the definition of the sample: another value gives other events.
    """

    name: str
    process: Process
    detector: Detector
    selection: Selection
    n_events: int
    seed: int = 1
    events_per_block: int = 50_000

    def digest(self) -> str:
        """SHA-256 of all that the blocks depend on; the number of events is not part of it."""
        return digest_of(
            {
                "format": _FORMAT,
                "process": self.process.name,
                "process_settings": dict(self.process.settings()),
                "detector": self.detector.settings(),
                "selection": dict(self.selection.settings()),
                "events_per_block": self.events_per_block,
                "seed": self.seed,
            }
        )

    @property
    def n_blocks(self) -> int:
        """Number of blocks: the last one is whole, too."""
        return max(1, -(-self.n_events // self.events_per_block))


def default_cache() -> Path:
    """Folder of simulated blocks: ``DARKSTATS_CACHE``, or the user's cache folder."""
    if "DARKSTATS_CACHE" in os.environ:
        return Path(os.environ["DARKSTATS_CACHE"]) / "simulation"
    base = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    return Path(base) / "darkstats" / "simulation"


def generated_block(request: SampleRequest, block: int) -> EventBlock:
    """Generate the events of one block, before any detector."""
    return request.process.generate(
        request.events_per_block,
        keyed_generator(request.seed, request.digest(), _GENERATION, block),
    )


def make_block(request: SampleRequest, block: int) -> Candidates:
    """Generate, measure and select one block."""
    return request.selection.apply(
        generated_block(request, block),
        request.detector,
        keyed_generator(request.seed, request.digest(), _RESPONSE, block),
    )


def _path(cache: Path, digest: str, block: int) -> Path:
    return cache / digest[:2] / digest / f"{block:06d}.block"


def _encode(candidates: Candidates) -> bytes:
    body = io.BytesIO()
    names = sorted(candidates.columns)
    table = np.array([candidates.weight_pb, *(candidates.columns[name] for name in names)])
    np.save(body, table, allow_pickle=False)
    content = body.getvalue()
    head = {
        "columns": names,
        "n_generated": candidates.n_generated,
        "sum_weight_pb": candidates.sum_weight_pb,
        "sum_weight_squared_pb2": candidates.sum_weight_squared_pb2,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return json.dumps(head).encode() + b"\n" + content


def _decode(data: bytes) -> Candidates | None:
    """Return the candidates of a file, or None where it is damaged."""
    line, _, content = data.partition(b"\n")
    try:
        head = json.loads(line)
        if hashlib.sha256(content).hexdigest() != head["sha256"]:
            return None
        table = np.load(io.BytesIO(content), allow_pickle=False)
        return Candidates(
            columns=MappingProxyType(dict(zip(head["columns"], table[1:], strict=True))),
            weight_pb=table[0],
            n_generated=int(head["n_generated"]),
            sum_weight_pb=float(head["sum_weight_pb"]),
            sum_weight_squared_pb2=float(head["sum_weight_squared_pb2"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _read(path: Path) -> Candidates | None:
    return _decode(path.read_bytes()) if path.is_file() else None


def _write(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _make_and_store(request: SampleRequest, block: int, cache: Path) -> None:
    """Make one block in a worker and leave it in the cache."""
    _write(_path(cache, request.digest(), block), _encode(make_block(request, block)))


def produce(
    requests: Sequence[SampleRequest],
    *,
    cache: Path,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
    keep: Callable[[Candidates], BoolArray] | None = None,
) -> dict[str, Candidates]:
    """Return the candidates of all samples, from the cache where they are there.

    Parameters
    ----------
    requests
        Samples, with different names.
    cache
        Folder of blocks; damaged files are made again.
    workers
        Processes; 1 works in this one.
    progress
        Called with the number of events of each finished block.
    keep
        Says which rows of a block to keep in memory; the cache holds all.

    Returns
    -------
    dict
        Candidates by name of the sample, blocks in their order whatever the number of workers.

    Raises
    ------
    ProductionError
        A block failed, or a worker died; the message names sample and block. Finished blocks
        stay in the cache.
    OptionError
        Two samples have one name, or there is no worker.
    """
    if workers < 1:
        raise OptionError(f"{workers} workers cannot work; ask for at least one")
    if len({request.name for request in requests}) != len(requests):
        raise OptionError("two samples have the same name")
    missing: list[tuple[SampleRequest, int]] = []
    for request in requests:
        digest = request.digest()
        for block in range(request.n_blocks):
            if _read(_path(cache, digest, block)) is None:
                missing.append((request, block))
            elif progress is not None:
                progress(request.events_per_block)
    _fill(missing, cache=cache, workers=workers, progress=progress)
    return {request.name: _collect(request, cache, keep) for request in requests}


def _collect(
    request: SampleRequest, cache: Path, keep: Callable[[Candidates], BoolArray] | None
) -> Candidates:
    digest = request.digest()
    blocks = []
    for block in range(request.n_blocks):
        found = _read(_path(cache, digest, block))
        if found is None:
            raise ProductionError(
                f"sample {request.name}, block {block}: the cache {cache} lost it; run again"
            )
        blocks.append(found if keep is None else found.select(keep(found)))
    return Candidates.concatenate(blocks)


def _failed(request: SampleRequest, block: int, error: BaseException) -> DarkstatsError:
    if isinstance(error, DarkstatsError):
        return error
    if isinstance(error, OSError):  # a full disk is no fault of the simulation
        return OutputError(
            f"sample {request.name}, block {block}: cannot be written to the cache: "
            f"{error.strerror or error}; finished blocks are kept"
        )
    return ProductionError(f"sample {request.name}, block {block}: {type(error).__name__}: {error}")


def _check(request: SampleRequest, block: int, problem: BaseException | None, cache: Path) -> None:
    """Raise what went wrong with a block, if anything did."""
    if isinstance(problem, BrokenProcessPool):
        raise ProductionError(
            f"sample {request.name}, block {block}: a worker process died; finished blocks are "
            f"kept in {cache}, run the command again"
        ) from problem
    if problem is not None:
        raise _failed(request, block, problem) from problem


def _fill(
    missing: Sequence[tuple[SampleRequest, int]],
    *,
    cache: Path,
    workers: int,
    progress: Callable[[int], None] | None,
) -> None:
    if workers == 1 or len(missing) <= 1:
        for request, block in missing:
            try:
                _make_and_store(request, block, cache)
            except Exception as error:
                raise _failed(request, block, error) from error
            if progress is not None:
                progress(request.events_per_block)
        return
    queue = iter(missing)
    with ProcessPoolExecutor(min(workers, len(missing)), mp_context=get_context("spawn")) as pool:
        running = {
            pool.submit(_make_and_store, *task, cache): task
            for _, task in zip(range(2 * workers), queue, strict=False)
        }
        try:
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    request, block = running.pop(future)
                    _check(request, block, future.exception(), cache)
                    if progress is not None:
                        progress(request.events_per_block)
                    task = next(queue, None)
                    if task is not None:
                        running[pool.submit(_make_and_store, *task, cache)] = task
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
