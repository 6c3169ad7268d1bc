"""Files made to harm: refused with one sentence, before they cost memory or time."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from darkstats.errors import CardError, DocumentError, PatchError
from darkstats.report.writing import csv_text
from darkstats.searches.card_file import read_card_file
from darkstats.workspace.archives import MAX_MEMBERS, read_members
from darkstats.workspace.hs3.event_files import read_events
from darkstats.workspace.patch import MAX_OPERATIONS, parse_patch

MIB = 1024**2


def npy_header(shape: str, descr: str = "<f8") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize("shape", ["(100000000000,)", "(0,)", "(3, 100)"])
@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_an_array_that_declares_another_size(tmp_path: Path, kind: str, shape: str) -> None:
    """A header of 1e11 numbers before 24 bytes allocates nothing; one of none hides nothing."""
    data = npy_header(shape) + bytes(24)
    path = tmp_path / f"e.{kind}"
    if kind == "npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", data)
    else:
        path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(DocumentError, match=r"declares \d+ bytes, 24 follow"):
        read_events(str(path))
    assert tracemalloc.get_traced_memory()[1] < 5 * MIB
    tracemalloc.stop()


def test_an_npz_bomb(tmp_path: Path) -> None:
    """Zeros that pack a thousandfold are refused from the directory of the archive."""
    path = tmp_path / "e.npz"
    np.savez_compressed(path, x=np.zeros(10 * MIB))  # 80 MiB in 80 kB
    tracemalloc.start()
    with pytest.raises(DocumentError, match="more than 200 times its size"):
        read_events(str(path))
    assert tracemalloc.get_traced_memory()[1] < 5 * MIB
    tracemalloc.stop()


def test_a_parquet_bomb(tmp_path: Path) -> None:
    """Runs of equal numbers take no room in the file: the table in memory counts."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: no Parquet")
    from pyarrow import parquet

    path = tmp_path / "e.parquet"
    parquet.write_table(pa.table({"x": pa.array(np.zeros(10 * MIB))}), path)
    assert path.stat().st_size < MIB // 4
    with pytest.raises(DocumentError, match="more than 200 times its size"):
        read_events(str(path))


@pytest.mark.parametrize("junk", [b"", b"root", b"root" + bytes(100), b"root" + b"\xff" * 1000])
def test_a_junk_root_file(tmp_path: Path, junk: bytes) -> None:
    """Whatever the reader makes of it, it is told as a fault of the file."""
    pytest.importorskip("uproot", reason="uproot is not installed: no ROOT files")
    path = tmp_path / "e.root"
    path.write_bytes(junk)
    with pytest.raises(DocumentError, match=r"no ROOT file that can be read|has no tree"):
        read_events(str(path))


@pytest.mark.parametrize("junk", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_junk_parquet_file(tmp_path: Path, junk: bytes) -> None:
    """The same for Parquet."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: no Parquet")
    path = tmp_path / "e.parquet"
    path.write_bytes(junk)
    with pytest.raises(DocumentError, match="no Parquet file that can be read"):
        read_events(str(path))


def test_parquet_text_that_is_no_text(tmp_path: Path) -> None:
    """Bytes of a column of text that are no UTF-8, and two columns of one name."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: no Parquet")
    from pyarrow import parquet

    path = tmp_path / "e.parquet"
    parquet.write_table(
        pa.table({"x": ["0.08426"]}), path, compression="none", use_dictionary=False
    )
    data = path.read_bytes()
    path.write_bytes(data.replace(b"0.08426", b"0.08\xff26"))
    with pytest.raises(DocumentError, match="no Parquet file that can be read"):
        read_events(str(path))
    parquet.write_table(pa.table([pa.array([1.0])] * 2, names=["x", "x"]), path)
    with pytest.raises(DocumentError, match="no Parquet file that can be read"):
        read_events(str(path))


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_headers_that_no_parser_ends(tmp_path: Path, kind: str) -> None:
    """NumPy takes a header apart with Python's tokenizer, which has errors of its own."""
    data = npy_header("(3,)").replace(b"}", b" ", 1).replace(b"(3,)", b"((3,") + bytes(24)
    path = tmp_path / f"e.{kind}"
    if kind == "npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", data)
    else:
        path.write_bytes(data)
    with pytest.raises(DocumentError):
        read_events(str(path))


def test_labels_of_events_nest_no_deeper_than_any_document(tmp_path: Path) -> None:
    """A sidecar of a hundred thousand brackets is refused, not followed."""
    (tmp_path / "e.csv").write_text("x\n0.5\n", "utf-8")
    (tmp_path / "e.meta.json").write_text("[" * 100_000, "utf-8")
    with pytest.raises(DocumentError, match=r"e\.meta\.json"):
        read_events(str(tmp_path / "e.csv"))


@pytest.mark.parametrize("kind", ["datetime64[s]", "timedelta64[ns]"])
def test_times_are_no_numbers(tmp_path: Path, kind: str) -> None:
    """A column of times is told as such when it is asked for."""
    path = tmp_path / "e.npz"
    np.savez(path, x=np.array([1, 2, 3]).astype(kind))
    table = read_events(str(path))
    with pytest.raises(DocumentError, match="times are no numbers"):
        table.events(("x",), "model")


def test_many_members_are_counted_before_they_are_read() -> None:
    """An archive of too many members is refused from its bytes, not from a list of them."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("a.json", "{}")
    entry = body.getvalue()
    data = entry[:-22] + b"PK\x01\x02" * MAX_MEMBERS + entry[-22:]
    with pytest.raises(DocumentError, match=f"more than {MAX_MEMBERS} members"):
        read_members(data, "many.zip")


def test_a_million_operations_are_counted_before_they_are_parsed() -> None:
    """The text is refused before it is taken apart, so that no parser is asked."""
    operation = '{"op":"test","path":"","value":0}'
    text = f"[{','.join([operation] * (10 * MAX_OPERATIONS))},{operation}, no JSON".encode()
    with pytest.raises(PatchError, match=f"{10 * MAX_OPERATIONS + 1} operations, more than"):
        parse_patch(text)


def test_aliases_of_aliases_in_a_card(tmp_path: Path) -> None:
    """Nine lines that unfold to a billion entries are refused when the budget is spent."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 10)]
    path = tmp_path / "card.yaml"
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(CardError, match="more than 100000 entries, aliases unfolded"):
        read_card_file(path)


@pytest.mark.parametrize("text", ["2_76e0", "2_76.0", "1:30", "0x1F", "0b11", "017", "1_000"])
def test_numbers_of_yaml_that_nobody_means(tmp_path: Path, text: str) -> None:
    """Digits with underscores, sexagesimal, octal: a card says which key and line holds one."""
    path = tmp_path / "card.yaml"
    path.write_text(f"name: x\nluminosity_ipb: {text}\n", "utf-8")
    with pytest.raises(CardError, match=r"luminosity_ipb"):
        read_card_file(path)["luminosity_ipb"].number()


@pytest.mark.parametrize("text", ["276", "2.76e2", "2.76e+2", "-1", "+1.5", ".5", "0", "1e-3"])
def test_numbers_that_everybody_means(tmp_path: Path, text: str) -> None:
    """Decimal digits, with or without an exponent, are read as Python reads them."""
    path = tmp_path / "card.yaml"
    path.write_text(f"value: {text}\n", "utf-8")
    assert read_card_file(path)["value"].number() == float(text)


def test_names_are_no_formulas_of_a_spreadsheet() -> None:
    """Text that begins like a formula gets an apostrophe; numbers, also negative ones, stay."""
    text = csv_text({"=name": ["=1+1", "+x", "-y", "@z", "ok"], "value": [-1.5, 2, None, 0.0, 1]})
    assert text.splitlines() == ["'=name,value", "'=1+1,-1.5", "'+x,2", "'-y,", "'@z,0.0", "ok,1"]


def test_json_of_names_that_are_no_text() -> None:
    """Half a surrogate pair, as undecodable file names have it, is spelled: any reader takes it."""
    from darkstats.report.writing import json_text

    assert json.loads(json_text({"source": "w\udcff.json"})) == {"source": r"w\udcff.json"}
    json_text({"source": "w\udcff.json"}).encode()
