"""Files of events: every format gives the same numbers, and what is wrong is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.errors import DocumentError, OptionError
from darkstats.workspace.hs3.event_files import read_events, write_events

X = np.array([0.125, 0.5, 1.0 / 3.0])
Y = np.array([1.0, 2.0, 3.0])


def csv(folder: Path) -> str:
    lines = ["x,y", *(f"{a!r},{b!r}" for a, b in zip(X.tolist(), Y.tolist(), strict=True))]
    (folder / "e.csv").write_text("# comment\n" + "\n".join(lines) + "\n", "utf-8")
    (folder / "e.meta.json").write_text('{"simulated": true}', "utf-8")
    return str(folder / "e.csv")


def npz(folder: Path) -> str:
    write_events(folder / "e.npz", {"x": X, "y": Y}, {"simulated": True})
    return str(folder / "e.npz")


def npy(folder: Path) -> str:
    table = np.zeros(3, dtype=[("x", float), ("y", float)])
    table["x"], table["y"] = X, Y
    np.save(folder / "e.npy", table)
    (folder / "e.meta.json").write_text('{"simulated": true}', "utf-8")
    return str(folder / "e.npy")


def parquet(folder: Path) -> str:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: no Parquet")
    write_events(folder / "e.parquet", {"x": X, "y": Y}, {"simulated": True})
    return str(folder / "e.parquet")


def root(folder: Path) -> str:
    uproot = pytest.importorskip("uproot", reason="uproot is not installed: no ROOT files")
    with uproot.recreate(folder / "e.root") as file:
        file["events"] = {"x": X, "y": Y}
    (folder / "e.meta.json").write_text('{"simulated": true}', "utf-8")
    return str(folder / "e.root")


@pytest.mark.parametrize("make", [csv, npz, npy, parquet, root], ids=lambda f: f.__name__)
def test_every_format_gives_the_same_events(make: Any, tmp_path: Path) -> None:
    """All digits survive, and the file says that its events are simulated."""
    table = read_events(make(tmp_path))
    np.testing.assert_array_equal(table.events(("x", "y"), "model"), [X, Y])
    assert table.simulated is True
    assert len(table.sha256) == 64


def test_a_tree_is_named_where_there_are_several(tmp_path: Path) -> None:
    """FILE.root:TREE chooses; without it two trees are refused with their names."""
    uproot = pytest.importorskip("uproot", reason="uproot is not installed: no ROOT files")
    with uproot.recreate(tmp_path / "e.root") as file:
        file["a"], file["b"] = {"x": X}, {"x": Y}
    with pytest.raises(DocumentError, match=r"2 trees.*a, b"):
        read_events(str(tmp_path / "e.root"))
    found = read_events(f"{tmp_path / 'e.root'}:b")
    np.testing.assert_array_equal(found.columns["x"], Y)
    with pytest.raises(DocumentError, match="no tree 'c'"):
        read_events(f"{tmp_path / 'e.root'}:c")


def test_nothing_said_means_measured(tmp_path: Path) -> None:
    """A file without a word on simulation is not taken for simulated."""
    np.savez(tmp_path / "e.npz", x=X)
    assert read_events(str(tmp_path / "e.npz")).simulated is None


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"z": X}, r"no column x.*it has z"),
        ({"x": np.array([1.0, np.nan])}, "'x' has nan in row 1, and 1 such"),
        ({"x": np.array([1.0, np.inf])}, "'x' has inf"),
        ({"x": X, "weight": np.array([1.0, 2.0, 1.0])}, "weights that are not 1"),
    ],
)
def test_bad_columns_are_refused(
    columns: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    """Missing columns, values that are no finite numbers, and weights: what, where, what to do."""
    np.savez(tmp_path / "e.npz", **columns)
    with pytest.raises(DocumentError, match=message):
        read_events(str(tmp_path / "e.npz")).events(("x",), "model")


def test_unit_weights_are_no_weights(tmp_path: Path) -> None:
    """A column of ones changes nothing."""
    np.savez(tmp_path / "e.npz", x=X, weight=np.ones(3))
    assert read_events(str(tmp_path / "e.npz")).events(("x",), "model").shape == (1, 3)


def test_rows_belong_to_their_channel(tmp_path: Path) -> None:
    """A column ``channel`` says which rows a channel takes; columns of an npz may differ."""
    (tmp_path / "e.csv").write_text("channel,x\na,1\nb,2\na,3\n", "utf-8")
    table = read_events(str(tmp_path / "e.csv"))
    np.testing.assert_array_equal(table.events(("x",), "a"), [[1.0, 3.0]])
    np.testing.assert_array_equal(table.events(("x",), "b"), [[2.0]])
    np.savez(tmp_path / "e.npz", x=X, z=Y[:2])
    found = read_events(str(tmp_path / "e.npz"))
    assert found.events(("z",), "b").shape == (1, 2)
    with pytest.raises(DocumentError, match="differ in length"):
        found.events(("x", "z"), "c")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.txt", b"x", "no file of events"),
        ("e.csv", b"", "is empty"),
        ("e.csv", b"x,x\n1,2\n", "two columns of one name"),
        ("e.csv", b"x,y\n1\n", "row 0 has 1 entries"),
        ("e.npz", b"PK nonsense", "no npz file"),
        ("e.npy", b"nonsense", "no npy file"),
        ("e.npz", b"", "no npz file"),
        ("e.npy", b"", "no npy file"),
    ],
)
def test_files_that_are_none_are_refused(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    """The message names the file and the problem."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DocumentError, match=message):
        read_events(str(tmp_path / name))


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    """An array of objects would execute code: it is refused unread."""
    np.savez(tmp_path / "e.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DocumentError, match="plain arrays"):
        read_events(str(tmp_path / "e.npz"))
    np.save(tmp_path / "f.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(DocumentError, match="plain numbers"):
        read_events(str(tmp_path / "f.npy"))


def test_text_where_numbers_should_be_names_row_and_value(tmp_path: Path) -> None:
    """A column of words is no observable; one wrong word among numbers is shown."""
    (tmp_path / "e.csv").write_text("x,y\n1,2\n2,abc\n", "utf-8")
    table = read_events(str(tmp_path / "e.csv"))
    assert table.events(("x",), "model").shape == (1, 2)
    with pytest.raises(DocumentError, match=r"e\.csv: column 'y' has 'abc' in row 1.*no number"):
        table.events(("x", "y"), "model")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1.0 + 2.0j]), r"column 'x' has \(1\+2j\) in row 0"),
        (np.array(["1.5", "2.5"]), "column 'x' has '1.5' in row 0"),
        (np.ones((3, 2)), r"column 'x' has the shape \(3, 2\)"),
        (np.array(1.0), r"column 'x' has the shape \(\)"),
    ],
)
def test_columns_that_are_no_numbers_say_why(
    values: np.ndarray, message: str, tmp_path: Path
) -> None:
    """Complex numbers, text and tables are refused when they are asked for."""
    np.savez(tmp_path / "e.npz", x=values)
    with pytest.raises(DocumentError, match=message):
        read_events(str(tmp_path / "e.npz")).events(("x",), "model")


def test_a_table_of_one_column_is_a_column(tmp_path: Path) -> None:
    """Shape (n, 1) is read as (n): of an observable, a weight and the channel."""
    np.savez(tmp_path / "e.npz", x=X[:, None], channel=np.array([["a"], ["a"], ["b"]]))
    table = read_events(str(tmp_path / "e.npz"))
    np.testing.assert_array_equal(table.events(("x",), "a"), X[None, :2])
    np.savez(tmp_path / "e.npz", x=X, weight=np.full((3, 1), 2.0))
    with pytest.raises(DocumentError, match="weights that are not 1"):
        read_events(str(tmp_path / "e.npz")).events(("x",), "model")


@pytest.mark.parametrize("weight", [np.full(1, 2.0), np.array(2.0), np.array(["2", "2", "2"])])
def test_weights_of_any_shape_are_seen(weight: np.ndarray, tmp_path: Path) -> None:
    """Weights of another length, and weights that are no numbers, are not passed over."""
    np.savez(tmp_path / "e.npz", x=X, weight=weight)
    with pytest.raises(DocumentError, match="weight"):
        read_events(str(tmp_path / "e.npz")).events(("x",), "model")


def test_decimals_of_parquet_are_numbers(tmp_path: Path) -> None:
    """Decimal columns become floats, and a missing value is shown with its row."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: no Parquet")
    from decimal import Decimal

    from pyarrow import parquet as files

    path = tmp_path / "e.parquet"
    files.write_table(pa.table({"x": pa.array([Decimal("0.5"), Decimal("1.25")])}), path)
    np.testing.assert_array_equal(read_events(str(path)).events(("x",), "m"), [[0.5, 1.25]])
    files.write_table(pa.table({"x": pa.array([Decimal("0.5"), None])}), path)
    with pytest.raises(DocumentError, match="'x' has nan in row 1"):
        read_events(str(path)).events(("x",), "m")


def test_names_of_channels_may_be_bytes(tmp_path: Path) -> None:
    """NumPy's byte strings are decoded; what is no UTF-8 is refused."""
    np.savez(tmp_path / "e.npz", x=X, channel=np.array(["a", "b", "a"], dtype="S"))
    table = read_events(str(tmp_path / "e.npz"))
    assert table.events(("x",), "a").shape == (1, 2)
    np.savez(tmp_path / "e.npz", x=X, channel=np.array([b"a", b"\xff", b"a"]))
    with pytest.raises(DocumentError, match=r"column 'channel'.*row 1"):
        read_events(str(tmp_path / "e.npz"))


def test_channels_have_one_name_a_row(tmp_path: Path) -> None:
    """A channel column of another length is refused."""
    np.savez(tmp_path / "e.npz", x=X, channel=np.array(["a", "b"]))
    with pytest.raises(DocumentError, match=r"2 names of channels.*3 rows"):
        read_events(str(tmp_path / "e.npz")).events(("x",), "a")


def test_broken_files_of_numpy_are_refused(tmp_path: Path) -> None:
    """Truncated files, and one format under the name of the other."""
    np.savez(tmp_path / "e.npz", x=np.arange(1000.0))
    whole = (tmp_path / "e.npz").read_bytes()
    damaged = bytearray(whole)
    damaged[300] ^= 0xFF
    for data in (whole[:900], bytes(damaged)):
        (tmp_path / "e.npz").write_bytes(data)
        with pytest.raises(DocumentError, match="no npz file"):
            read_events(str(tmp_path / "e.npz"))
    np.save(tmp_path / "f.npy", X)
    (tmp_path / "e.npz").write_bytes((tmp_path / "f.npy").read_bytes())
    with pytest.raises(DocumentError, match="no npz file"):
        read_events(str(tmp_path / "e.npz"))
    (tmp_path / "f.npy").write_bytes(whole)
    with pytest.raises(DocumentError, match="no npy file"):
        read_events(str(tmp_path / "f.npy"))


def test_a_root_file_without_a_tree_is_said_to_have_none(tmp_path: Path) -> None:
    """No empty list of choices."""
    uproot = pytest.importorskip("uproot", reason="uproot is not installed: no ROOT files")
    with uproot.recreate(tmp_path / "e.root") as file:
        file["h"] = np.histogram(X)
    for name in ("e.root", "e.root:t"):
        with pytest.raises(DocumentError, match="has no tree; write the events as a TTree"):
            read_events(str(tmp_path / name))


def test_the_same_events_give_the_same_bytes(tmp_path: Path) -> None:
    """Files of events are reproducible, and other endings are refused."""
    for name in ("a.npz", "b.npz"):
        write_events(tmp_path / name, {"x": X}, {"simulated": True, "seed": 1})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with pytest.raises(OptionError, match=r"\.parquet or \.npz"):
        write_events(tmp_path / "a.csv", {"x": X}, {})
    said = json.loads(str(np.load(tmp_path / "a.npz")["darkstats"]))
    assert said == {"simulated": True, "seed": 1}
