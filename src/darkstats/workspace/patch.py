"""Apply a JSON patch (RFC 6902) within bounds, leaving the document as it was.

Containers are copied when they are first written to, so an operation costs what it touches and
the untouched parts are shared with the original.  Everything that can grow the result is paid
for out of a budget: a patch of a few lines cannot ask for gigabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from darkstats.errors import PatchError
from darkstats.workspace.documents import MAX_DEPTH, parse_json
from darkstats.workspace.findings import shown

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonValue

__all__ = ["MAX_OPERATIONS", "apply_patch", "parse_patch", "parse_pointer", "size_of"]

MAX_OPERATIONS = 10_000
_OPERATION = b'"op"'
GROWTH = 4
"""Largest size of the result, in sizes of the document."""
SMALLEST_LIMIT = 20_000
"""A small document may grow to this size in any case; see :func:`_measure` for the unit."""
MAX_POINTER_CHARACTERS = 4096
WORK_PER_ELEMENT = 1 / 64
"""Cost of shifting one list element, relative to visiting a node."""

_CONTAINERS = (dict, list)
_PLAIN = frozenset({float, int, bool, type(None)})
_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")


class _RefusedError(Exception):
    """An operation that cannot be carried out: the problem, and its pointer."""

    def __init__(self, problem: str, remedy: str = "correct the patch") -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(problem)


def apply_patch(
    document: JsonValue, operations: object, *, source: str = "", size: int | None = None
) -> JsonValue:
    """Return ``document`` with a JSON patch applied.

    Parameters
    ----------
    document
        A JSON document. It is never changed; the result shares its untouched parts.
    operations
        A list of at most :data:`MAX_OPERATIONS` objects with ``op``, ``path`` and, according to
        ``op``, ``value`` or ``from``. Other keys are ignored, as RFC 6902 asks.
    source
        File name of the patch, for messages.
    size
        What :func:`size_of` says of the document, where that is known.

    Raises
    ------
    PatchError
        The patch is malformed; an operation has no target, or a test fails; or the result grows
        beyond the larger of :data:`GROWTH` times the document and document plus patch. The
        message names the operation and its pointer.

    Notes
    -----
    RFC 6902, RFC 6901. As in JSON, ``true`` does not equal ``1`` in a test, but ``1`` equals
    ``1.0``. The whole document cannot be removed.

    Examples
    --------
    >>> apply_patch({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}])
    {'a': [1, 2]}
    """
    checked = _check_operations(operations, source)
    sheet = _Sheet(document, checked, size_of(document) if size is None else size)
    for index, operation in enumerate(checked):
        try:
            sheet.apply(operation)
        except _RefusedError as error:
            raise PatchError(
                f"operation {index} ({operation['op']}): {error.problem}",
                source=source,
                pointer=operation["path"][:200],
                remedy=error.remedy,
            ) from None
    return sheet.root


def size_of(document: JsonValue) -> int:
    """Size of a document, as the bounds of a patch count it."""
    return _measure(document, float("inf"))[0]


def parse_pointer(pointer: str) -> list[str]:
    """Return the reference tokens of a JSON pointer, unescaped (RFC 6901).

    Raises
    ------
    PatchError
        The text is no JSON pointer.
    """
    try:
        return _tokens(pointer)
    except _RefusedError as error:
        raise PatchError(error.problem, pointer=pointer[:200], remedy=error.remedy) from None


def parse_patch(data: bytes, *, source: str = "") -> JsonValue:
    """Parse a JSON patch, unless its text alone tells that it has too many operations.

    Raises
    ------
    DocumentError
        It is no JSON, or has far too many operations, which would take seconds to parse.
    """
    count = data.count(_OPERATION)
    if count > 10 * MAX_OPERATIONS:  # values may hold the word, too, but not so often
        raise _too_many(count, source)
    return parse_json(data, source=source)


def _too_many(count: int, source: str) -> PatchError:
    return PatchError(
        f"the patch has {count} operations, more than {MAX_OPERATIONS}",
        source=source,
        remedy="replace whole lists instead of single numbers",
    )


def _check_operations(operations: object, source: str) -> list[dict[str, JsonValue]]:
    if not isinstance(operations, Sequence) or isinstance(operations, str | bytes):
        hint = (
            "this is a patch set: select one of its points"
            if isinstance(operations, dict) and "patches" in operations
            else "write a list of operations"
        )
        raise PatchError("a JSON patch is a list", source=source, remedy=hint)
    if len(operations) > MAX_OPERATIONS:
        raise _too_many(len(operations), source)
    for index, operation in enumerate(operations):
        problem = _malformed(operation)
        if problem:
            raise PatchError(
                f"operation {index}: {problem}",
                source=source,
                pointer=f"/{index}",
                remedy="write an operation as RFC 6902 has it",
            )
    return list(operations)


def _malformed(operation: JsonValue) -> str:
    if not isinstance(operation, dict):
        return "is no object"
    op = operation.get("op")
    if not isinstance(op, str) or op not in _OPERATIONS:
        return f"the op {shown(op)} is none of {', '.join(_OPERATIONS)}"
    if not isinstance(operation.get("path"), str):
        return "has no path"
    if op in {"add", "replace", "test"} and "value" not in operation:
        return f"{op} has no value"
    if op in {"move", "copy"} and not isinstance(operation.get("from"), str):
        return f"{op} has no from"
    return ""


def _tokens(pointer: str) -> list[str]:
    if len(pointer) > MAX_POINTER_CHARACTERS:
        raise _RefusedError(f"a pointer of more than {MAX_POINTER_CHARACTERS} characters")
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise _RefusedError(f"the pointer {shown(pointer)} does not start with /")
    tokens = pointer[1:].split("/")
    if len(tokens) > MAX_DEPTH:
        raise _RefusedError(f"a pointer of more than {MAX_DEPTH} levels")
    if "~" not in pointer:
        return tokens
    if "~" in pointer.replace("~0", "").replace("~1", ""):
        raise _RefusedError("~ is followed by neither 0 nor 1", "write ~0 for ~ and ~1 for /")
    return [token.replace("~1", "/").replace("~0", "~") for token in tokens]


def _measure(value: JsonValue, stop: float) -> tuple[int, int]:
    """Return size and depth of a value: nodes plus an eighth of the characters of its text.

    Gives up, returning a size beyond ``stop``, when the value is larger than that.
    """
    size, depth = _own_size(value), 0
    level = [value] if type(value) in _CONTAINERS else []
    while level:
        depth += 1
        below: list[JsonValue] = []
        for container in level:
            items = container
            if type(container) is dict:
                items = container.values()
                size += sum(map(len, container)) // 8
            size += len(container)
            if size > stop:
                return size, depth
            if _PLAIN.issuperset(map(type, items)):
                continue
            for item in items:
                if type(item) is str:
                    size += len(item) // 8
                elif type(item) in _CONTAINERS:
                    below.append(item)
        level = below
    return size, depth


def _own_size(value: JsonValue) -> int:
    return 1 + (len(value) // 8 if type(value) is str else 0)


def _duplicate(value: JsonValue) -> JsonValue:
    """Return a deep copy of a measured value; its depth is bounded by :data:`MAX_DEPTH`."""
    if type(value) is dict:
        return {key: _duplicate(item) for key, item in value.items()}
    if type(value) is list:
        return [_duplicate(item) for item in value]
    return value


def _same(left: JsonValue, right: JsonValue) -> bool:
    """Whether two values are equal as JSON: ``1`` equals ``1.0``, but not ``true``."""
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            pairs.extend((one[key], other[key]) for key in one)
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif isinstance(one, bool) or isinstance(other, bool):
            if one is not other:
                return False
        elif one != other:
            return False
    return True


@dataclass(slots=True)
class _Sheet:
    """The document while it is being patched."""

    root: JsonValue
    operations: list[dict[str, JsonValue]]
    size: float
    owned: dict[int, JsonValue] = field(default_factory=dict)  # containers made here, kept alive
    limit: float = 0
    work: float = 0

    def __post_init__(self) -> None:
        size = self.size
        values = [operation["value"] for operation in self.operations if "value" in operation]
        brought = sum(_measure(value, float("inf"))[0] for value in values)
        self.limit = max(GROWTH * size, SMALLEST_LIMIT, size + brought)
        self.work = 50 * self.limit

    def apply(self, operation: dict[str, JsonValue]) -> None:
        op, path = operation["op"], _tokens(operation["path"])
        if op == "add":
            self.add(path, self.brought(operation["value"], path))
        elif op == "remove":
            self.remove(path)
        elif op == "replace":
            value = self.brought(operation["value"], path)
            self.replace(path, value)
        elif op == "test":
            if not _same(self.find(path), operation["value"]):
                raise _RefusedError(
                    "the value there is another one", "apply the patch to the document it is for"
                )
        elif op == "copy":
            self.add(path, self.copied(_tokens(operation["from"]), path))
        else:
            self.move(_tokens(operation["from"]), path)

    # --- paying -----------------------------------------------------------------------------

    def spend(self, amount: float) -> None:
        self.work -= amount
        if self.work < 0:
            raise _RefusedError("the patch asks for too much work", "replace whole lists instead")

    def grow(self, amount: float) -> None:
        self.size += amount
        if self.size > self.limit:
            raise _RefusedError(
                f"the result grows beyond {GROWTH} times the document",
                "apply the patch to the document it is for",
            )

    def brought(self, value: JsonValue, path: list[str]) -> JsonValue:
        """Pay for a value that the patch brings along."""
        size, depth = _measure(value, self.limit)
        self.check_depth(depth, path)
        self.grow(size)
        return value

    def check_depth(self, depth: int, path: list[str]) -> None:
        if len(path) + depth > MAX_DEPTH:
            raise _RefusedError(f"the result nests deeper than {MAX_DEPTH} levels")

    def copied(self, start: list[str], path: list[str]) -> JsonValue:
        value = self.find(start)
        room = self.limit - self.size
        size, depth = _measure(value, room)
        self.spend(min(size, room))
        self.grow(size)
        self.check_depth(depth, path)
        return _duplicate(value)

    # --- walking ----------------------------------------------------------------------------

    def find(self, path: list[str]) -> JsonValue:
        value = self.root
        for token in path:
            value = _child(value, token)
        return value

    def writable(self, path: list[str]) -> JsonValue:
        """Return the container at ``path``, copied if it is not ours, all parents alike."""
        self.root = value = self.own(self.root)
        for token in path:
            key = _key(value, token)
            child = self.own(value[key])
            value[key] = child
            value = child
        return value

    def own(self, value: JsonValue) -> JsonValue:
        if not isinstance(value, dict | list) or id(value) in self.owned:
            return value
        self.spend(1 + len(value) * WORK_PER_ELEMENT)
        copy = value.copy()
        self.owned[id(copy)] = copy
        return copy

    # --- operations -------------------------------------------------------------------------

    def add(self, path: list[str], value: JsonValue) -> None:
        if not path:
            self.root = value
            return
        parent, token = self.writable(path[:-1]), path[-1]
        if isinstance(parent, dict):
            parent[token] = value
        elif isinstance(parent, list):
            index = len(parent) if token == "-" else _index(token, len(parent) + 1)
            self.spend((len(parent) - index) * WORK_PER_ELEMENT)
            parent.insert(index, value)
        else:
            raise _RefusedError(f"{shown(parent)} there can hold nothing")

    def replace(self, path: list[str], value: JsonValue) -> None:
        if not path:
            self.root = value
            return
        self.find(path)
        parent = self.writable(path[:-1])
        parent[_key(parent, path[-1])] = value

    def remove(self, path: list[str]) -> JsonValue:
        if not path:
            raise _RefusedError("the whole document cannot be removed")
        value = self.find(path)
        parent = self.writable(path[:-1])
        key = _key(parent, path[-1])
        if isinstance(parent, list):
            self.spend((len(parent) - int(key)) * WORK_PER_ELEMENT)
        del parent[key]
        return value

    def move(self, start: list[str], path: list[str]) -> None:
        value = self.find(start)
        if start == path:
            return
        if path[: len(start)] == start:
            raise _RefusedError("a value cannot be moved into itself")
        if len(path) > len(start):
            size, depth = _measure(value, self.limit)
            self.spend(size)
            self.check_depth(depth, path)
        self.remove(start)
        self.add(path, value)


def _index(token: str, stop: int) -> int:
    plain = token.isascii() and token.isdigit() and (token == "0" or token[0] != "0")
    if not plain or len(token) > 12 or int(token) >= stop:
        raise _RefusedError(f"{shown(token)} is no index of a list of {stop} place(s)")
    return int(token)


def _key(parent: JsonValue, token: str) -> JsonValue:
    """Return the key or index of an existing child."""
    if isinstance(parent, dict):
        if token not in parent:
            raise _RefusedError(f"there is no key {shown(token)}")
        return token
    if isinstance(parent, list):
        if token == "-":
            raise _RefusedError("- names the place after the last element, where there is none")
        return _index(token, len(parent))
    raise _RefusedError(f"{shown(parent)} has no child {shown(token)}")


def _child(parent: JsonValue, token: str) -> JsonValue:
    return parent[_key(parent, token)]
