"""What is to be computed, and what computes one block of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from darkstats.garbage import collection_paused
from darkstats.provenance import digest_of, digest_of_text

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonObject

__all__ = ["Job", "Prepare", "RunBlock", "Task", "block_text", "inputs_bytes", "read_inputs"]

#: Makes what all blocks of a job share in one process: (inputs, settings) -> context.
Prepare = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
#: Computes one block: (context, number) -> plain JSON data.
RunBlock = Callable[[Any, int], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The two functions of a kind of job; both must be importable by name in other processes."""

    prepare: Prepare
    run: RunBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a result depends on, and nothing else.

    Parameters
    ----------
    kind
        ``"limits"``, ``"toys"``, ...: which task computes its blocks.
    settings
        Plain JSON data: methods, levels, seeds, versions of the numerics.
    n_blocks
        Number of blocks; how they are cut is part of the settings.
    inputs
        Documents, compressed; see :func:`inputs_bytes`.
    inputs_digest
        SHA-256 of the documents.
    """

    kind: str
    settings: Mapping[str, Any]
    n_blocks: int
    inputs_digest: str
    inputs: bytes = field(repr=False, compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 of all that a block depends on: more blocks belong to the same job."""
        return digest_of(self.plain())

    def plain(self) -> JsonObject:
        """As JSON data, inputs by their digest."""
        return {
            "kind": self.kind,
            "settings": dict(self.settings),
            "inputs": self.inputs_digest,
        }


class OnBlock(Protocol):
    """Told of each finished block, in the process that asked for it."""

    def __call__(self, block: int, text: str) -> None:
        """Take the JSON text of a block."""


def inputs_bytes(documents: Mapping[str, Any]) -> tuple[bytes, str]:
    """Compressed documents, the same bytes every time, and their SHA-256."""
    with collection_paused():
        text = json.dumps(documents, sort_keys=True, separators=(",", ":"), allow_nan=False)
    data = text.encode()
    return gzip.compress(data, 4, mtime=0), digest_of_text(data)


def read_inputs(data: bytes) -> JsonObject:
    """Inverse of :func:`inputs_bytes`."""
    with collection_paused():
        found: JsonObject = json.loads(gzip.decompress(data))
    return found


def block_text(payload: Mapping[str, Any]) -> str:
    """Canonical JSON of a block: the same numbers give the same bytes."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False)
