"""Strict JSON: what is refused, where, and with which remedy."""

from __future__ import annotations

import contextlib
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import DocumentError
from darkstats.workspace import documents, parse_json

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def nested(depth: int, core: str = "1") -> bytes:
    return (("[" * depth) + core + ("]" * depth)).encode()


@pytest.mark.parametrize(
    ("text", "pointer", "problem"),
    [
        ('{"a": [1, NaN]}', "/a/1", "NaN"),
        ('{"a": {"b~/c": -Infinity}}', "/a/b~0~1c", "-Infinity"),
        ('{"a": [0.5, {"b": 1e309}]}', "/a/1/b", "overflows"),
        ('[[1.5, 2.5, -1e999]]', "/0/2", "overflows"),
        ('{"a": [1, {"x": 1, "y": 2, "x": 3}]}', "/a/1/x", "twice"),
        (r'{"a": {"x": 1, "\u0078": 3}}', "/a/x", "twice"),
        (r'{"a": ["ok", "\ud800"]}', "/a/1", "surrogate"),
        (r'{"a": {"\udc00": 1}}', "/a", "surrogate"),
        ('{"a": [' + "9" * 4301 + "]}", "/a/0", "overflows"),
        ('{"a": 1' + "0" * 309 + "}", "/a", "overflows"),
        ('{"a": [1' + "0" * 400 + ", -1" + "0" * 400 + ", 1.5]}", "/a/0", "overflows"),
        ('{"a": ["x", -1' + "0" * 400 + "]}", "/a/1", "overflows"),
        ('{"a": [1, 2', "/a/1", "not JSON"),
        # Python 3.13 points at the comma, Python 3.11 behind it.
        ('{"a": [1, 2,]}', "/a/1" if sys.version_info >= (3, 13) else "/a/2", "not JSON"),
        ('{"a": tru}', "/a", "not JSON"),
        ('{"a": "x\ty"}', "/a", "not JSON"),
        ('{"a": 01}', "/a", "not JSON"),
        ('{"a": 1} {"b": 2}', None, "not JSON"),
        ("", None, "not JSON"),
    ],
)  # fmt: skip
def test_the_place_is_named(text: str, pointer: str | None, problem: str) -> None:
    """Each fault is refused with the JSON pointer of its place and a remedy."""
    with pytest.raises(DocumentError, match=problem) as caught:
        parse_json(text.encode(), source="file.json")
    assert caught.value.source == "file.json"
    assert caught.value.remedy
    if pointer is not None:
        assert caught.value.pointer == pointer


@pytest.mark.parametrize("data", [b"\xff{}", b'{"a": "\xed\xa0\x80"}', '{"a": 1}'.encode("utf-16")])
def test_only_utf8(data: bytes) -> None:
    """Other encodings, and surrogates encoded in UTF-8, are refused; a byte order mark is not."""
    with pytest.raises(DocumentError, match="UTF-8"):
        parse_json(data)
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_depth_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 levels are read, 65 are not, and neither are ten million, which are not even parsed."""
    assert parse_json(nested(64))
    assert parse_json(nested(64, "")) is not None
    for data in (nested(65), nested(65, ""), b'{"a":' * 65 + b"1" + b"}" * 65, nested(10_000)):
        with pytest.raises(DocumentError, match="deeper than 64"):
            parse_json(data)
    monkeypatch.delattr(documents, "json")
    with pytest.raises(DocumentError):
        parse_json(b"[" * 10_000_000)


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many bytes, containers or items are refused before anything is parsed."""
    for name, value in (("MAX_DOCUMENT_BYTES", 10), ("MAX_CONTAINERS", 3), ("MAX_ITEMS", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(documents, name, value)
            with pytest.raises(DocumentError, match="more than"):
                parse_json(b"[[1],[2],[3],[4]]")


def test_long_integers_are_refused_whatever_the_interpreter_allows() -> None:
    """The limit is ours, not only that of the interpreter."""
    before = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(0)
        with pytest.raises(DocumentError, match="overflows"):
            parse_json(b'{"a": ' + b"9" * 5000 + b"}")
    finally:
        sys.set_int_max_str_digits(before)


@given(JSON)
def test_what_json_can_say_is_read_back(document: object) -> None:
    """Any finite document with unique keys comes back as it was written."""
    assert parse_json(json.dumps(document).encode()) == document
    assert parse_json(json.dumps(document, ensure_ascii=False).encode()) == document


@given(JSON, st.integers(0, 200), st.binary(max_size=3))
def test_any_bytes_give_a_document_or_a_typed_error(
    document: object, place: int, noise: bytes
) -> None:
    """Damaged text never ends in anything but a document or a DocumentError."""
    data = json.dumps(document).encode()
    damaged = data[:place] + noise + data[place + 1 :]
    with contextlib.suppress(DocumentError):
        parse_json(damaged)
