"""``darkstats convert``: files, record, sheet, and options that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from public_datacards import CARDS


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card.txt"
    path.write_text(CARDS["routines"])
    return path


def test_files_and_sheet(call, card: Path, tmp_path: Path) -> None:
    """The workspace and its sidecar are written; the sheet says which codes to ask for."""
    done = call("convert", card, "-o", tmp_path / "out", "--mass", 125)
    assert done.status == 0, done.err
    assert "--interpolation normsys=code1,histosys=code4p" in done.out.replace("\n", " ")
    sidecar = json.loads((tmp_path / "out/workspace.meta.json").read_text())
    assert sidecar["conversion"]["mass_gev"] == 125.0
    limit = call("limit", tmp_path / "out/workspace.json", "--json")
    assert limit.status == 0, limit.err
    assert limit.record["poi"] == "r"


def test_record(call, card: Path, tmp_path: Path) -> None:
    """With --json the record says what differs and by how much."""
    done = call("convert", card, "-o", tmp_path / "out", "--json")
    assert done.status == 0, done.err
    assert done.record["schema"] == "darkstats.convert/1"
    assert done.record["format"] == "datacard"
    (told,) = done.record["differences"]
    assert told["size"] == 0.0
    assert 0.0 < told["size_default"] < 1e-6


def test_several_cards(call, card: Path, tmp_path: Path) -> None:
    """Labels are the names of the channels; without them ch1, ch2."""
    done = call("convert", f"sr={card}", card, "-o", tmp_path / "out")
    assert done.status == 0, done.err
    names = json.loads((tmp_path / "out/workspace.json").read_text())["channels"]
    assert [one["name"] for one in names] == ["sr", "ch2"]
    other = tmp_path / "a=b.txt"  # a file of this name is no label
    other.write_text(card.read_text())
    done = call("convert", other, f".={card}", "-o", tmp_path / "out")
    assert done.status == 0, done.err
    names = json.loads((tmp_path / "out/workspace.json").read_text())["channels"]
    assert [one["name"] for one in names] == ["ch1", "bin1"]


def test_refusals(call, card: Path, tmp_path: Path) -> None:
    """Exit status 2, with file and line on standard error, and no folder."""
    card.write_text(CARDS["routines"].replace("lumi     lnN", "lumi lnN") + "k lnU - 1.2\n")
    done = call("convert", card, "-o", tmp_path / "out")
    assert done.status == 2
    assert "lnU" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--base", "x"], "--base is for XML"),
        (["--keyword", "A"], "write WORD=VALUE"),
        (["--mass", "heavy"], "give a number in GeV"),
        (["--statistics", "none"], "choose one of: shared, own"),
        (["other.xml"], "give one XML file"),
    ],
)
def test_options_that_do_not_fit(
    arguments: list[str], words: str, call, card: Path, tmp_path: Path
) -> None:
    """Options of one format with another are refused before a file is read."""
    done = call("convert", card, *arguments, "-o", tmp_path / "out")
    assert done.status == 2
    assert words in " ".join(done.err.split())


def test_a_file_in_the_place_of_the_folder(call, card: Path) -> None:
    """The folder must be one."""
    done = call("convert", card, "-o", card)
    assert done.status == 2
    assert "is no folder" in done.err


def test_a_keyword_that_no_card_has_is_refused(call, card: Path, tmp_path: Path) -> None:
    """It is a word that was misspelt; one that any of the cards has is fine."""
    done = call("convert", card, "-o", tmp_path / "out", "--keyword", "YEER=2018")
    assert done.status == 2
    assert "no card has $YEER" in done.err
    other = tmp_path / "other.txt"
    other.write_text("# of $YEER\n" + card.read_text())
    done = call("convert", card, other, "-o", tmp_path / "out", "--keyword", "YEER=2018")
    assert done.status == 0, done.err


def test_a_workspace_of_somebody_else_is_not_overwritten(call, card: Path, tmp_path: Path) -> None:
    """Its own is, as often as one likes."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "workspace.json").write_text("{}")
    for beside in (None, "{}", "no JSON"):
        if beside is not None:
            (folder / "workspace.meta.json").write_text(beside)
        done = call("convert", card, "-o", folder)
        assert done.status == 2
        assert "convert did not write it" in done.err
        assert (folder / "workspace.json").read_text() == "{}"
    for _ in range(2):
        assert call("convert", card, "-o", tmp_path / "own").status == 0
