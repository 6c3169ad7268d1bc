"""Events to histograms: sums, selections, chunks, four kinds of file, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import DocumentError
from darkstats.templates.event_chunks import event_chunks
from darkstats.templates.expressions import Expression
from darkstats.templates.filling import Filling, fill_all

Columns = dict[str, Any]


def csv_file(path: Path, columns: Columns) -> None:
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(repr(float(cell)) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def npz_file(path: Path, columns: Columns) -> None:
    np.savez(path, **columns)


def parquet_file(path: Path, columns: Columns) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is an optional extra")
    from pyarrow import parquet

    parquet.write_table(pa.table(columns), path)


def tree_file(path: Path, columns: Columns) -> None:
    uproot = pytest.importorskip("uproot", reason="uproot is an optional extra")
    with uproot.recreate(path) as file:
        file.mktree("events", {name: values.dtype for name, values in columns.items()})
        file["events"].extend(columns)


def ntuple_file(path: Path, columns: Columns) -> None:
    uproot = pytest.importorskip("uproot", reason="uproot is an optional extra")
    with uproot.recreate(path) as file:
        file.mkrntuple("events", columns)


WRITERS: dict[str, tuple[str, Callable[[Path, Columns], None]]] = {
    "csv": ("e.csv", csv_file), "npz": ("e.npz", npz_file), "parquet": ("e.parquet", parquet_file),
    "tree": ("e.root", tree_file), "ntuple": ("e.root", ntuple_file),
}  # fmt: skip


def filling(path: Path, **changes: Any) -> Filling:
    said: dict[str, Any] = {
        "files": (path,), "tree": None, "variable": Expression.parse("m"),
        "edges": (0.0, 1.0, 2.0, 4.0), "place": "here",
    }  # fmt: skip
    return Filling(**(said | changes))


def condition(text: str) -> tuple[Expression, ...]:
    return (Expression.parse(text, condition=True),)


@pytest.mark.parametrize("kind", WRITERS)
def test_sums_of_weights_and_squares(tmp_path: Path, kind: str) -> None:
    """By hand: half-open bins, weights and their squares, and what lies outside."""
    name, write = WRITERS[kind]
    columns = {
        "m": np.array([0.0, 0.5, 1.0, 3.0, 4.0, -1.0, 1.5]),
        "w": np.array([1.0, 2.0, 3.0, -0.5, 5.0, 7.0, 100.0]),
        "n": np.array([1, 1, 1, 1, 1, 1, 0], dtype=np.int64),
    }
    write(tmp_path / name, columns)
    asked = filling(
        tmp_path / name, selections=condition("n == 1"), weight=Expression.parse("2 * w")
    )
    found = fill_all([asked])[asked]
    np.testing.assert_allclose(found.histogram.values, [6.0, 6.0, -1.0])
    np.testing.assert_allclose(found.histogram.variances, [20.0, 36.0, 1.0])
    assert found.histogram.outside == pytest.approx(24.0)
    assert (found.n_read, found.n_selected, found.n_outside) == (7, 6, 2)


@given(st.data())
def test_bins_are_those_of_a_plain_loop(data: st.DataObject) -> None:
    """Any events: bin by bin the sum over those that a loop would take."""
    n = data.draw(st.integers(1, 30))
    draw = st.lists(st.floats(-1.0, 5.0), min_size=n, max_size=n)
    m, w = np.array(data.draw(draw)), np.array(data.draw(draw))
    edges = np.array([0.0, 1.0, 2.5, 4.0])
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.npz"
        np.savez(path, m=m, w=w)
        asked = filling(path, edges=tuple(edges), weight=Expression.parse("w"),
                        selections=condition("w > 0"))  # fmt: skip
        found = fill_all([asked])[asked].histogram
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        taken = [b for a, b in zip(m, w, strict=True) if low <= a < high and b > 0]
        assert found.values[k] == pytest.approx(sum(taken))
        assert found.variances[k] == pytest.approx(sum(b * b for b in taken))


def test_it_is_what_hist_fills(tmp_path: Path) -> None:
    """Peer: boost-histogram with weighted storage, flow bins included."""
    hist = pytest.importorskip("hist", reason="hist is an optional extra")
    rng = np.random.default_rng(1)
    m, w = rng.normal(2.0, 1.5, 5000), rng.normal(1.0, 0.5, 5000)
    np.savez(tmp_path / "e.npz", m=m, w=w)
    asked = filling(tmp_path / "e.npz", weight=Expression.parse("w"))
    found = fill_all([asked])[asked].histogram
    theirs = hist.Hist(hist.axis.Variable(asked.edges), storage=hist.storage.Weight())
    theirs.fill(m, weight=w)
    np.testing.assert_allclose(found.values, theirs.values(), rtol=1e-12)
    np.testing.assert_allclose(found.variances, theirs.variances(), rtol=1e-12)
    flow = theirs.values(flow=True)
    assert found.outside == pytest.approx(flow[0] + flow[-1], rel=1e-10)


@pytest.mark.parametrize("kind", WRITERS)
def test_chunks_are_the_file_in_order(tmp_path: Path, kind: str) -> None:
    """However it is cut, all events come once, in order."""
    name, write = WRITERS[kind]
    m = np.arange(23.0)
    write(tmp_path / name, {"m": m, "other": m})
    chunks = list(event_chunks(tmp_path / name, None, {"m": ""}, rows=5))
    assert len(chunks) == 5
    assert all(set(chunk) == {"m"} for chunk in chunks)
    np.testing.assert_array_equal(np.concatenate([chunk["m"] for chunk in chunks]), m)


def test_several_files_and_fillings_in_one_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files add up, and two histograms of them open each file once."""
    from darkstats.templates import filling as module

    for k in range(2):
        np.savez(tmp_path / f"{k}.npz", m=np.full(3 + k, 0.5), w=np.full(3 + k, 2.0))
    files = (tmp_path / "0.npz", tmp_path / "1.npz")
    opened = []

    def watched(path: Path, *more: Any) -> Any:
        opened.append(path)
        return event_chunks(path, *more)

    monkeypatch.setattr(module, "event_chunks", watched)
    one = filling(files[0], files=files)
    two = filling(files[0], files=files, weight=Expression.parse("w"))
    found = fill_all([one, two])
    assert found[one].histogram.values[0] == 7.0
    assert found[two].histogram.values[0] == 14.0
    assert opened == list(files)


def test_a_column_is_replaced_everywhere(tmp_path: Path) -> None:
    """An energy scale moves the variable and the selection alike."""
    np.savez(tmp_path / "e.npz", m=np.array([0.9, 1.8, 0.1]))
    moved = (("m", Expression.parse("m * 1.2")),)
    asked = filling(tmp_path / "e.npz", selections=condition("m > 1"), columns=moved)
    found = fill_all([asked])[asked]
    np.testing.assert_array_equal(found.histogram.values, [0.0, 1.0, 1.0])
    assert asked.needs == {"m"}


NAN = np.nan
BAD: dict[str, tuple[Columns, dict[str, Any], str]] = {
    "no column": ({"k": [1.0]}, {}, "there is no column 'm'; there are k"),
    "variable": ({"m": [1.0, NAN]}, {}, "the variable is no finite number in event 1"),
    "infinite": ({"m": [1.0, 0.0]}, {"variable": Expression.parse("1 / m")}, "variable is no fin"),
    "weight": ({"m": [1.0, 2.0], "w": [NAN, 1.0]}, {"weight": Expression.parse("w")},
               "the weight is no finite number in event 0"),
    "selection": ({"m": [1.0, 2.0], "c": [1.0, NAN]}, {"selections": condition("c > 0")},
                  "neither true nor false (NaN) in event 1"),
    "flag": ({"m": [1.0], "c": [3.0]}, {"selections": condition("c")}, "compare it: c > 0"),
    "nothing": ({"m": [1.0]}, {"variable": Expression.parse("1")}, "names a column"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_filled_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    """File, event, and who asked."""
    columns, changes, message = BAD[name]
    np.savez(tmp_path / "e.npz", **columns)
    with pytest.raises(DocumentError) as caught:
        fill_all([filling(tmp_path / "e.npz", **changes)])
    assert message in str(caught.value)
    assert "e.npz" in str(caught.value)
    assert "here" in str(caught.value)


def test_a_value_that_the_selection_turns_away_may_be_anything(tmp_path: Path) -> None:
    """Events without a jet have no jet mass, and need none."""
    np.savez(tmp_path / "e.npz", m=np.array([0.5, NAN]), n=np.array([1.0, 0.0]))
    asked = filling(tmp_path / "e.npz", selections=condition("n > 0 and m > 0"))
    assert fill_all([asked])[asked].n_selected == 1


def test_files_of_events_that_cannot_be_read(tmp_path: Path) -> None:
    """Each says what is wrong and what to do."""

    def refused(text: str | bytes, name: str, message: str, **changes: Any) -> None:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(DocumentError) as caught:
            fill_all([filling(path, **changes)])
        assert message in str(caught.value)

    refused("m,m\n1,2\n", "z.csv", "here: has two columns of one name")
    refused("m,w\n1,2\n1\n", "a.csv", "line 3: has 1 entries")
    refused("m;w\n1;2\n", "b.csv", "semicolons")
    refused("m,w\none,2\n", "c.csv", "'one', which is no number")
    refused("m,m\n1,2\n", "d.csv", "two columns of one name")
    refused("", "e.csv", "no column 'm'")
    refused("m\n1\n", "f.csv", "leave out 'tree'", tree="t")
    refused("m\n1\n", "g.txt", "is no file of events")
    with pytest.raises(DocumentError, match="there is no such file"):
        fill_all([filling(tmp_path / "none.csv")])
    pytest.importorskip("pyarrow", reason="pyarrow is an optional extra")
    pytest.importorskip("uproot", reason="uproot is an optional extra")
    refused(b"PAR1 nonsense", "h.parquet", "no Parquet file that can be read")
    refused(b"root nonsense", "i.root", "no ROOT file that can be read")


def test_trees_and_branches_are_named(tmp_path: Path) -> None:
    """Two trees need a name; lists of numbers and huge whole numbers are no column."""
    uproot = pytest.importorskip("uproot", reason="uproot is an optional extra")
    ak = pytest.importorskip("awkward", reason="awkward is an optional extra")
    path = tmp_path / "e.root"
    with uproot.recreate(path) as file:
        file.mktree("a", {"m": "float64"})
        file["a"].extend({"m": np.array([0.5])})
        file.mktree("dir/b", {"m": "float64", "k": "int64", "jets": "var * float64"})
        file["dir/b"].extend(
            {
                "m": np.array([0.5, 1.5]),
                "k": np.array([1, 2**60]),
                "jets": ak.Array([[1.0], [2.0, 3.0]]),
            }
        )
    asked = filling(path, tree="dir/b")
    assert fill_all([asked])[asked].histogram.values.tolist() == [1.0, 1.0, 0.0]

    def refused(message: str, **changes: Any) -> None:
        with pytest.raises(DocumentError) as caught:
            fill_all([filling(path, **changes)])
        assert message in str(caught.value)

    refused("has 2 trees")
    refused("has no tree 'c'", tree="c")
    refused("beyond 2^53", tree="dir/b", variable=Expression.parse("k % 2"))
    refused("'jets'", tree="dir/b", variable=Expression.parse("jets"))
    refused("no branch 'x'; there are", tree="dir/b", variable=Expression.parse("x"))
