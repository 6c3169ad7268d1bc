"""Files of events: every format gives the same numbers, and what is wrong is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.errors import DocumentError, OptionError
from darkstats.workspace.event_files import read_events, write_events

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


def test_text_where_numbers_should_be_is_a_missing_column(tmp_path: Path) -> None:
    """A column of words is no observable."""
    (tmp_path / "e.csv").write_text("x,y\n1,a\n2,b\n", "utf-8")
    table = read_events(str(tmp_path / "e.csv"))
    with pytest.raises(DocumentError, match="no column y"):
        table.events(("x", "y"), "model")


def test_the_same_events_give_the_same_bytes(tmp_path: Path) -> None:
    """Files of events are reproducible, and other endings are refused."""
    for name in ("a.npz", "b.npz"):
        write_events(tmp_path / name, {"x": X}, {"simulated": True, "seed": 1})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with pytest.raises(OptionError, match=r"\.parquet or \.npz"):
        write_events(tmp_path / "a.csv", {"x": X}, {})
    said = json.loads(str(np.load(tmp_path / "a.npz")["darkstats"]))
    assert said == {"simulated": True, "seed": 1}
