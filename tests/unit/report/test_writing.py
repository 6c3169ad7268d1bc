"""Records as text, and files that are whole or not there."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.report import writing
from darkstats.report.writing import csv_text, json_text, plain, whole_file, write_text


@pytest.mark.parametrize(
    ("value", "reason"),
    [(math.nan, "not a number"), (math.inf, "unbounded (+inf)"), (-math.inf, "unbounded (-inf)")],
)
def test_a_number_that_is_none_becomes_null_with_a_reason(value: float, reason: str) -> None:
    """NaN and infinity never reach JSON: null, and the reason beside it."""
    assert plain({"x": value}) == {"x": None, "x_reason": reason}


def test_a_reason_that_is_given_is_kept() -> None:
    """The generic reason never replaces a better one."""
    found = plain({"x_reason": "blinded", "x": math.nan})
    assert found == {"x": None, "x_reason": "blinded"}


def test_the_reason_of_a_list_stands_beside_the_list() -> None:
    """A list keeps its length; what is missing in it is null."""
    assert plain({"x": [1.0, math.nan]}) == {"x": [1.0, None], "x_reason": "not a number"}


def test_numpy_values_become_plain_ones() -> None:
    """Arrays and NumPy scalars are written as lists and numbers."""
    found = plain({"a": np.array([1.5, 2.5]), "n": np.int64(3), "x": np.float64(0.5)})
    assert found == {"a": [1.5, 2.5], "n": 3, "x": 0.5}
    assert type(found["x"]) is float


def test_what_is_no_json_is_refused() -> None:
    """An object cannot slip into a record as its repr."""
    with pytest.raises(TypeError, match="object cannot stand in a record"):
        plain({"x": object()})


def test_json_has_sorted_keys_and_the_same_bytes() -> None:
    """Order of insertion does not show."""
    assert json_text({"b": 1, "a": {"d": 2, "c": 3}}) == json_text({"a": {"c": 3, "d": 2}, "b": 1})
    assert list(json.loads(json_text({"b": 1, "a": 2}))) == ["a", "b"]


_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _NUMBERS | st.text() | st.lists(_NUMBERS),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(deadline=None, max_examples=50)
@given(record=st.dictionaries(st.text(), _VALUES))
def test_json_is_that_of_the_library(record: dict[str, object]) -> None:
    """Byte for byte, whatever is in it but for characters that a terminal obeys."""
    expected = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False)
    for one in {*range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)}:
        expected = expected.replace(chr(one), f"\\u{one:04x}")
    assert json_text(record) == expected + "\n"


@pytest.mark.parametrize("odd", ["\x1b[31m", "\x7f", "\x9b2J", "\u202eabc", "\u2067x"])
def test_what_a_terminal_obeys_is_written_as_an_escape(odd: str) -> None:
    """A key of a patch that nobody checks went to the terminal as it was."""
    text = json_text({odd: [odd]})
    assert json.loads(text) == {odd: [odd]}
    assert text.isprintable() or text.replace("\n", "").isprintable()


def test_a_matrix_is_not_written_number_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions of ours are called for each row, not for each number."""
    calls = dict.fromkeys(("plain", "_why_missing", "_written"), 0)

    def counted(name: str) -> None:
        inner = getattr(writing, name)

        def outer(*given: object) -> object:
            calls[name] += 1
            return inner(*given)

        monkeypatch.setattr(writing, name, outer)

    for name in calls:
        counted(name)
    text = writing.json_text({"matrix": np.arange(10_000.0).reshape(100, 100)})
    assert json.loads(text)["matrix"][99][99] == 9999.0
    assert max(calls.values()) <= 110


def test_csv_fills_short_columns_with_nothing() -> None:
    """Columns of different length stay aligned; None is an empty cell."""
    assert csv_text({"a": [1, 2], "b": [None]}) == "a,b\n1,\n2,\n"


def test_a_failing_writer_leaves_the_old_file(tmp_path: Path) -> None:
    """If writing stops midway, also by Ctrl-C, the old file stays and no temporary one is left."""
    target = tmp_path / "record.json"
    target.write_text("old")

    def interrupted() -> None:
        with whole_file(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The message names the file that cannot be written."""
    with pytest.raises(OptionError, match=r"cannot write .*nowhere"):
        write_text(tmp_path / "nowhere" / "x.json", "{}")


def test_files_have_ordinary_permissions(tmp_path: Path) -> None:
    """A file made by way of a temporary one is as readable as any other."""
    write_text(tmp_path / "ours", "x")
    (tmp_path / "plain").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode
