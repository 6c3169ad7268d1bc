"""The JSON patch applier: RFC 6902, bounds, and an untouched original."""

from __future__ import annotations

import copy
import json
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jsonpatch
import jsonpointer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import PatchError
from darkstats.workspace import patch as patching
from darkstats.workspace.patch import apply_patch, parse_pointer

MOST_LINES, MOST_ELEMENTS = 5_000_000, 100_000_000

KEYS = st.sampled_from(["a", "b", "c", "0", "1", "-", "", "m~n", "x/y"])
VALUES = st.recursive(
    st.integers(0, 3) | st.none() | st.sampled_from(["s", "t"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def pointers(draw: st.DrawFn, document: Any) -> str:
    """A pointer that mostly leads somewhere in the document."""
    path: list[str] = []
    value = document
    while draw(st.integers(0, 3)):
        if isinstance(value, dict) and value:
            token = draw(st.sampled_from(sorted(value)))
            value = value[token]
        elif isinstance(value, list) and value:
            index = draw(st.integers(0, len(value) - 1))
            token, value = str(index), value[index]
        else:
            break
        path.append(token)
    if draw(st.integers(0, 2)) == 0:
        path.append(draw(KEYS | st.integers(0, 4).map(str)))
    return "".join("/" + t.replace("~", "~0").replace("/", "~1") for t in path)


@st.composite
def patches(draw: st.DrawFn) -> tuple[Any, list[dict[str, Any]]]:
    document = draw(st.dictionaries(KEYS, VALUES, max_size=3) | st.lists(VALUES, max_size=3))
    operations = []
    for _ in range(draw(st.integers(1, 5))):
        op = draw(st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]))
        operation = {"op": op, "path": draw(pointers(document))}
        if op in {"add", "replace", "test"}:
            operation["value"] = draw(VALUES)
        if op in {"move", "copy"}:
            operation["from"] = draw(pointers(document))
        operations.append(operation)
    return document, operations


@given(patches())
def test_results_equal_those_of_jsonpatch(case: tuple[Any, list[dict[str, Any]]]) -> None:
    """What this applier accepts gives the same document there; the original does not change.

    It refuses more: the removal of the whole document, and a move into the value itself.
    """
    document, operations = case
    before = copy.deepcopy(document)
    try:
        expected = jsonpatch.apply_patch(document, operations)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, KeyError, TypeError):
        expected = PatchError
    try:
        result = apply_patch(document, operations)
    except PatchError:
        result = PatchError
    assert document == before
    if result is not PatchError:
        assert expected is not PatchError or _refused_there_only(operations)
        if expected is not PatchError:
            assert result == expected
    elif expected is not PatchError:
        assert _refused_here_only(operations)


def _refused_there_only(operations: list[dict[str, Any]]) -> bool:
    """The reference refuses some moves and copies to or from the whole document."""
    return any(op["path"] == "" or op.get("from") == "" for op in operations)


def _refused_here_only(operations: list[dict[str, Any]]) -> bool:
    """Cases that RFC 6902 or 6901 rules out and the reference lets through."""
    return any(
        (op["op"] == "remove" and op["path"] == "")
        or "/-" in op["path"]
        or "/-" in op.get("from", "")
        or (op["op"] == "move" and op["path"].startswith(op["from"]))
        or op["path"] == ""
        or op.get("from") == ""
        for op in operations
    )


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}],
         {"baz": "qux", "foo": "bar"}),
        ({"foo": ["a", "c"]}, [{"op": "add", "path": "/foo/1", "value": "b"}],
         {"foo": ["a", "b", "c"]}),
        ({"foo": ["a", "b"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a"]}),
        ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}],
         {"a": {}, "c": {"d": 1}}),
        ({"foo": [1, 2, 3]}, [{"op": "move", "from": "/foo/1", "path": "/foo/2"}],
         {"foo": [1, 3, 2]}),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
        ({"foo": None}, [{"op": "replace", "path": "/foo", "value": [1]}], {"foo": [1]}),
        ({"foo": 1}, [{"op": "add", "path": "", "value": [2]}], [2]),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"},
                      {"op": "add", "path": "/b/-", "value": 2}], {"a": [1], "b": [1, 2]}),
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2, "comment": "ignored"}],
         {"a": 1, "b": 2}),
        ({"a": 1.0}, [{"op": "test", "path": "/a", "value": 1}], {"a": 1.0}),
    ],
)  # fmt: skip
def test_operations(document: Any, operations: list[Any], expected: Any) -> None:
    """The examples of RFC 6902, appendix A, and independence of copies."""
    assert apply_patch(document, operations) == expected


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        ({"op": "add", "path": "/a/b/c", "value": 1}, "no key 'b'"),
        ({"op": "add", "path": "/list/5", "value": 1}, "no index"),
        ({"op": "add", "path": "/list/01", "value": 1}, "no index"),
        ({"op": "add", "path": "/list/-1", "value": 1}, "no index"),
        ({"op": "add", "path": "/list/\u0661", "value": 1}, "no index"),
        ({"op": "remove", "path": "/list/-"}, "after the last"),
        ({"op": "remove", "path": "/nothing"}, "no key"),
        ({"op": "remove", "path": ""}, "whole document"),
        ({"op": "replace", "path": "/nothing", "value": 1}, "no key"),
        ({"op": "test", "path": "/one", "value": True}, "another one"),
        ({"op": "test", "path": "/one", "value": "1"}, "another one"),
        ({"op": "move", "from": "/a", "path": "/a/inner"}, "into itself"),
        ({"op": "add", "path": "one", "value": 1}, "does not start"),
        ({"op": "add", "path": "/~2", "value": 1}, "neither 0 nor 1"),
        ({"op": "add", "path": "/one/x", "value": 1}, "hold nothing"),
        ({"op": "add", "path": "/x" * 65, "value": 1}, "64 levels"),
        ({"op": "add", "path": "/x" * 5000, "value": 1}, "characters"),
        ({"op": "add", "path": "/one"}, "no value"),
        ({"op": "copy", "path": "/one"}, "no from"),
        ({"op": "increment", "path": "/one", "value": 1}, "none of add"),
        ({"op": ["add"], "path": "/one", "value": 1}, "none of add"),
        ({"op": "add", "path": 3, "value": 1}, "no path"),
        ("add", "no object"),
    ],
)
def test_a_refused_operation_is_named(operation: Any, problem: str) -> None:
    """The error names the number of the operation and what is wrong."""
    document = {"a": {}, "list": [1, 2], "one": 1}
    before = copy.deepcopy(document)
    fine = {"op": "add", "path": "/list/-", "value": 3}
    with pytest.raises(PatchError, match=problem) as caught:
        apply_patch(document, [fine, operation], source="patch.json")
    assert "operation 1" in str(caught.value)
    assert "patch.json" in str(caught.value)
    assert document == before


def test_a_patch_set_is_recognised() -> None:
    """Giving a patch set where a patch is wanted says what it is."""
    with pytest.raises(PatchError, match="patch set"):
        apply_patch({}, {"patches": []})


def test_a_copy_bomb_is_refused_at_once() -> None:
    """22 doublings, which take others 18 s and 589 MB: < 500,000 lines (50 ms) and < 20 MB."""
    bomb = [{"op": "copy", "from": "/a", "path": "/a/-"} for _ in range(22)]
    with (
        lines_of(patching.__file__) as count,
        pytest.raises(PatchError, match="grows beyond"),
    ):
        apply_patch({"a": [1]}, bomb)
    assert 0 < count[0] < 500_000
    tracemalloc.start()
    with pytest.raises(PatchError):
        apply_patch({"a": [1]}, bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "copy", "from": "", "path": "/x"} for _ in range(60)],
        [{"op": "copy", "from": "/text", "path": f"/t{i}"} for i in range(9_000)],
        [{"op": "move", "from": "/a", "path": "/b/c"}, {"op": "move", "from": "/b/c", "path": "/a"}]
        * 5_000,
        [{"op": "add", "path": "/long/0", "value": 1}, {"op": "remove", "path": "/long/0"}] * 5_000,
        [{"op": "test", "path": "", "value": {}}] * 10_000,
        [{"op": "add", "path": "", "value": 0}] * 10_001,
        [{"op": "add", "path": "/x", "value": json.loads("[" * 64 + "]" * 64)}],
        [{"op": "add", "path": "/x" * i, "value": {}} for i in range(1, 64)]
        + [{"op": "copy", "from": "/x", "path": "/x" * 63 + "/y"}],
    ],
    ids=["whole", "text", "moves", "shifts", "tests", "many", "deep", "deep copy"],
)
def test_costly_patches_end_soon(
    operations: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Growth, repeated work, long patches and depth are bounded: the work is counted, not timed.

    Counted are the lines that the patcher runs, and the elements that it copies or shifts, for
    which it pays from its budget. A line takes some 0.1 µs, an element less.
    """
    document = {"a": {"k": list(range(20_000))}, "b": {}, "text": "x" * 10_000}
    document["long"] = [0] * 200_000
    paid: list[float] = []
    spend = patching._Sheet.spend
    monkeypatch.setattr(
        patching._Sheet, "spend", lambda sheet, amount: (paid.append(amount), spend(sheet, amount))
    )
    with lines_of(patching.__file__) as count:
        try:
            result = apply_patch(document, operations)
        except PatchError:
            pass
        else:
            assert len(json.dumps(result)) < 5 * len(json.dumps(document))
    assert 0 < count[0] < MOST_LINES
    assert sum(paid) < MOST_ELEMENTS


@contextmanager
def lines_of(path: str) -> Iterator[list[int]]:
    """Count the lines of one source file that run."""
    count = [0]

    def local(frame: Any, event: str, argument: Any) -> Any:
        count[0] += event == "line"
        return local

    before = sys.gettrace()
    sys.settrace(lambda frame, *_: local if frame.f_code.co_filename == path else None)
    try:
        yield count
    finally:
        sys.settrace(before)


def test_untouched_parts_are_shared() -> None:
    """Only what is written to is copied, so a patch of a large document is cheap."""
    document = {"a": {"x": [1]}, "b": {"y": [2]}}
    result = apply_patch(document, [{"op": "add", "path": "/a/x/-", "value": 3}])
    assert result["b"] is document["b"]
    assert result["a"] is not document["a"]


def test_values_of_the_patch_are_not_changed() -> None:
    """A value that came with the patch and is written to afterwards is copied first."""
    value = {"list": []}
    operations = [
        {"op": "add", "path": "/v", "value": value},
        {"op": "add", "path": "/v/list/-", "value": 1},
    ]
    assert apply_patch({}, operations) == {"v": {"list": [1]}}
    assert value == {"list": []}


def test_pointers_are_parsed() -> None:
    """RFC 6901: the empty pointer is the document, ~01 is ~1."""
    assert parse_pointer("") == []
    assert parse_pointer("/a~1b/~01/") == ["a/b", "~1", ""]
    with pytest.raises(PatchError, match="does not start"):
        parse_pointer("a")
