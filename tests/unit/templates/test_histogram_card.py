"""Own histograms to a likelihood: a card, files of three kinds, and mistakes that people make."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.cli import run
from darkstats.errors import CardError, DocumentError, PatchError, UnknownNameError
from darkstats.searches.histogram_card import build_templates
from darkstats.searches.histogram_files import read_histogram
from darkstats.workflows.templates import _START

CSV = """histogram,low,high,value,error
data,0,1,12,0
data,1,2,9,0
data,2,4,5,0
signal,0,1,1.5,0.1
signal,1,2,4,0.2
signal,2,4,1,0.1
background,0,1,10,0.5
background,1,2,7,0.4
background,2,4,4,0.3
bkg_up,0,1,11,0
bkg_up,1,2,7.5,0
bkg_up,2,4,4,0
bkg_down,0,1,9.2,0
bkg_down,1,2,6.4,0
bkg_down,2,4,4,0
"""
CARD = """name: mine
title: My search
simulated: true
file: h.csv
luminosity: {value_ifb: 50, relative_error: 0.02}
channels:
  SR:
    axis: "m (GeV)"
    data: data
    samples:
      signal: {histogram: signal, free: mu, lumi: true, yields: {trigger: [0.9, 1.2]}}
      background:
        histogram: background
        free: mu_b
        variations: {scale: {up: bkg_up, down: bkg_down}}
  CR:
    data: {counts: [210]}
    samples:
      background: {counts: [200], free: mu_b}
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Card and table in a folder; words of the card are replaced by others."""

    def written(*changes: tuple[str, str], card: str = CARD, table: str = CSV) -> Path:
        for old, new in changes:
            assert old in card
            card = card.replace(old, new)
        (tmp_path / "h.csv").write_text(table, "utf-8")
        path = tmp_path / "card.yaml"
        path.write_text(card, "utf-8")
        return path

    return written


def called(*words: object) -> tuple[int, dict[str, Any], str]:
    """Exit status, record and messages of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run([*(str(word) for word in words), "--json"])
    return status, json.loads(out.getvalue()), err.getvalue()


def test_the_luminosity_stands_in_the_sidecar(write: Write) -> None:
    """In 1/pb, as projections and bundles read it; a card that says none gives none."""
    assert build_templates(write()).sidecar["luminosity_ipb"] == 50_000.0
    silent = (", lumi: true", ""), ("luminosity: {value_ifb: 50, relative_error: 0.02}\n", "")
    assert "luminosity_ipb" not in build_templates(write(*silent)).sidecar
    with pytest.raises(CardError, match="value_ifb"):
        build_templates(write(("value_ifb: 50", "value_ifb: 0")))


def test_histograms_become_the_workspace_that_they_mean(write: Write) -> None:
    """Every number of the card and of the table stands in its place, and none is changed."""
    found = build_templates(write())
    document = found.workspace.document
    channel = document["channels"][0]
    signal, background = channel["samples"]
    assert signal["data"] == [1.5, 4.0, 1.0]
    assert signal["modifiers"] == [
        {"name": "mu", "type": "normfactor", "data": None},
        {"name": "lumi", "type": "lumi", "data": None},
        {"name": "trigger", "type": "normsys", "data": {"lo": 0.9, "hi": 1.2}},
        {"name": "staterror_SR", "type": "staterror", "data": [0.1, 0.2, 0.1]},
    ]
    scale = {"hi_data": [11.0, 7.5, 4.0], "lo_data": [9.2, 6.4, 4.0]}
    assert background["modifiers"][1] == {"name": "scale", "type": "histosys", "data": scale}
    assert document["observations"][0]["data"] == [12.0, 9.0, 5.0]
    (lumi,) = document["measurements"][0]["config"]["parameters"]
    assert (lumi["auxdata"], lumi["sigmas"]) == ([1.0], [0.02])
    assert found.sidecar["channels"]["SR"] == {"axis": "m (GeV)", "edges": [0.0, 1.0, 2.0, 4.0]}
    assert found.sidecar["simulated"] is True
    assert found.notes == ()


def test_two_commands_from_histograms_to_a_limit(write: Write, tmp_path: Path) -> None:
    """The card, the folder, the limit with its figure's labels from the sidecar."""
    status, record, _ = called("template", "build", write(), "-o", tmp_path / "mine")
    assert status == 0
    assert [Path(one).name for one in record["files"]] == ["workspace.json", "workspace.meta.json"]
    status, limit, _ = called("limit", tmp_path / "mine/workspace.json")
    assert status == 0
    assert limit["provenance"]["workspace"]["simulated"] is True
    assert 0.5 < limit["observed"] < 10.0


def test_several_signals_make_a_patch_set_that_can_be_scanned(write: Write, tmp_path: Path) -> None:
    """Each patch makes a workspace; a scan takes the folder's two files."""
    signals = """labels: [mass_gev]
signals:
  m_1p0: {values: [1.0], channels: {SR: {histogram: signal}}}
  m_2p0: {values: [2.0], channels: {SR: {histogram: signal, scale: 0.5}, CR: {counts: [1]}}}
"""
    (old,) = (line for line in CARD.splitlines(keepends=True) if "      signal:" in line)
    path = write((old, ""), ("channels:\n  SR", f"{signals}channels:\n  SR"))
    folder = tmp_path / "mine"
    assert called("template", "build", path, "-o", folder)[0] == 0
    status, scan, _ = called("scan", folder, "--workers", 1)
    assert status == 0
    assert [one["values"] for one in scan["points"]] == [[1.0], [2.0]]
    one, half = (point["expected"][2] for point in scan["points"])
    assert half > 1.5 * one


def test_names_of_signals_are_those_of_patches(write: Write) -> None:
    """What a scan would refuse is refused when it is made."""
    signals = "signals:\n  m_1.5: {channels: {SR: {histogram: signal}}}\n"
    (old,) = (line for line in CARD.splitlines(keepends=True) if "      signal:" in line)
    path = write((old, ""), ("channels:\n  SR", f"{signals}channels:\n  SR"))
    with pytest.raises(PatchError, match=r"'m_1\.5' is not allowed here"):
        build_templates(path)


def test_numpy_and_root_hold_the_same(write: Write, tmp_path: Path) -> None:
    """Contents, errors and edges come through from each kind of file."""
    wanted = build_templates(write()).workspace.document
    tables = {}
    for name in ("data", "signal", "background", "bkg_up", "bkg_down"):
        rows = [line.split(",")[1:] for line in CSV.splitlines() if line.startswith(f"{name},")]
        low, high, value, error = np.array(rows, float).T
        tables[name] = (value, error, np.array([*low, high[-1]]))
    arrays = {}
    for name, columns in tables.items():
        parts = ("values", "errors", "edges")
        arrays |= {f"{name}_{part}": one for part, one in zip(parts, columns, strict=True)}
    np.savez(tmp_path / "h.npz", **arrays)
    assert build_templates(write(("h.csv", "h.npz"))).workspace.document == wanted
    uproot = pytest.importorskip("uproot", reason="uproot is an optional extra")
    hist = pytest.importorskip("hist", reason="hist is an optional extra")
    with uproot.recreate(tmp_path / "h.root") as file:
        for name, (values, errors, edges) in tables.items():
            one = hist.Hist(hist.axis.Variable(edges), storage=hist.storage.Weight())
            one[...] = np.stack([values, errors**2], axis=-1)
            file[name] = one
    found = build_templates(write(("h.csv", "h.root"))).workspace.document
    for ours, theirs in zip(found["channels"], wanted["channels"], strict=True):
        for a, b in zip(ours["samples"], theirs["samples"], strict=True):
            assert a["data"] == b["data"]
            assert [one["name"] for one in a["modifiers"]] == [
                one["name"] for one in b["modifiers"]
            ]


def test_folders_of_a_root_file_are_no_histograms(tmp_path: Path) -> None:
    """A name that is not there is answered with those of histograms alone."""
    uproot = pytest.importorskip("uproot", reason="uproot is an optional extra")
    with uproot.recreate(tmp_path / "h.root") as file:
        for name in ("SR/met/bkg", "SR/sig"):
            file[name] = (np.array([1.0, 2.0]), np.array([0.0, 1.0, 2.0]))
    with pytest.raises(UnknownNameError, match=r"'bkg'; choose one of: SR/met/bkg, SR/sig$"):
        read_histogram(tmp_path / "h.root", "bkg")


def test_what_was_assumed_is_said(write: Write) -> None:
    """A mirrored side, and counts that nobody gave."""
    found = build_templates(
        write(("up: bkg_up, down: bkg_down", "up: bkg_up, mirror: true"), ("    data: data\n", ""))
    )
    assert any("mirror image" in note for note in found.notes)
    assert any("no data are named" in note for note in found.notes)
    document = found.workspace.document
    assert document["observations"][0]["data"] == [10.0, 7.0, 4.0]
    variation = document["channels"][0]["samples"][1]["modifiers"][1]["data"]
    assert variation["lo_data"] == [9.0, 6.5, 4.0]
    silent = ("simulated: true\n", "")
    none = (("    data: data\n", ""), ("    data: {counts: [210]}\n", ""))
    # of the expected background alone: no figure calls it data
    assert build_templates(write(silent, *none)).sidecar["simulated"] is True
    assert "simulated" not in build_templates(write(silent, none[0])).sidecar


MISTAKES: dict[str, tuple[tuple[str, str], type[Exception], str]] = {
    "histogram": (("histogram: signal,", "histogram: sgnal,"), CardError, "card.yaml, line 11"),
    "file": (("file: h.csv", "file: k.csv"), DocumentError, "there is no such file"),
    "kind": (("file: h.csv", "file: card.yaml"), DocumentError, "ends with .csv, .npz, .root"),
    "key": (("free: mu_b\n        v", "fre: mu_b\n        v"), CardError, "did you mean 'free'"),
    "bins": (("[210]", "[210, 3]"), CardError, "has 2 bins, and channel 'CR' has 1"),
    "percent": (("trigger: [0.9, 1.2]", "trigger: 5"), CardError, "write 0.05 for 5 %"),
    "lumi": (("{trigger: [0.9", "{lumi: 0.1, trigger: [0.9"), CardError, "write 'lumi: true'"),
    "one side": ((", down: bkg_down", ""), CardError, "or mirror: true"),
    "no side": (("{up: bkg_up, down: bkg_down}", "{mirror: true}"), CardError, "neither 'up' nor"),
    "no number": (("[200]", "[many]"), CardError, "expected a number"),
    "negative count": (("[210]", "[-1]"), CardError, "has a negative count"),
    "no samples": (("samples:\n      background: {counts", "samples: {}\n  X:\n    samples:\n      "
                    "background: {counts"), CardError, "has no samples"),
    "no file": (("file: h.csv\n", ""), CardError, "names no file"),
    "stat": (("{counts: [200], ", "{counts: [200], stat: own, "), CardError, "has no errors"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_name_line_and_remedy(write: Write, name: str) -> None:
    """The usual ones: a word, a unit, a missing file, another binning."""
    change, kind, message = MISTAKES[name]
    with pytest.raises(kind) as caught:
        build_templates(write(change))
    assert message in str(caught.value)


BROKEN = {
    "hole": ("data,1,2,9,0\n", "", "ends at 1"),
    "text": ("signal,1,2,4,", "signal,1,2,four,", "line 6"),
    "cells": ("signal,1,2,4,0.2", "signal,1,2,4", "another number of cells"),
    "columns": ("histogram,low", "name,low", "histogram,low,high,value,error"),
    "error": ("signal,1,2,4,0.2", "signal,1,2,4,-0.2", "negative standard error"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_tables_are_refused_with_their_place(write: Write, name: str) -> None:
    """A line, or the histogram."""
    old, new, message = BROKEN[name]
    assert old in CSV
    with pytest.raises(DocumentError) as caught:
        build_templates(write(table=CSV.replace(old, new)))
    assert message in str(caught.value)


def test_rounding_beyond_the_bins_is_not_told(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums of weights leave 1e-15 in an overflow; half an event there is told."""
    from darkstats.searches import histogram_card

    read = histogram_card.read_histogram
    for beyond, told in ((-1.8e-15, False), (0.5, True)):

        def with_overflow(*given: Any, beyond: float = beyond, **named: Any) -> Any:
            return replace(read(*given, **named), outside=beyond)

        monkeypatch.setattr(histogram_card, "read_histogram", with_overflow)
        notes = build_templates(write()).notes
        assert any("outside" in note for note in notes) == told


def test_the_card_to_start_from_builds(tmp_path: Path) -> None:
    """Its names are read, and a second one does not overwrite it."""
    card = tmp_path / "template.yaml"
    assert called("template", "init", "-o", card)[0] == 0
    assert card.read_text("utf-8") == _START
    status, _, err = called("template", "init", "-o", card)
    assert status == 2
    assert "is there already" in err
    card.write_text(_START.replace("histograms.root", "h.csv"), "utf-8")
    names = {"data_sr": 0, "signal_sr": 1, "background_sr": 2, "background_sr_up": 3,
             "background_sr_down": 3}  # fmt: skip
    lines = ["histogram,low,high,value,error"]
    for name, k in names.items():
        lines += [f"{name},{low},{low + 1},{10 + k + low},0.5" for low in range(3)]
    (tmp_path / "h.csv").write_text("\n".join(lines) + "\n", "utf-8")
    status, _, err = called("template", "build", card, "-o", tmp_path / "mine")
    assert status == 0, err
    assert called("limit", tmp_path / "mine/workspace.json")[0] == 0
    assert called("template", "build", card, "-o", tmp_path / "mine")[0] == 0  # its own
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "workspace.json").write_text("{}")
    status, _, err = called("template", "build", card, "-o", foreign)
    assert status == 2
    assert "template build did not write it" in err
    assert [path.name for path in foreign.iterdir()] == ["workspace.json"]
    assert (foreign / "workspace.json").read_text() == "{}"


def changed_table(*changes: tuple[str, str]) -> str:
    table = CSV
    for old, new in changes:
        assert old in table
        table = table.replace(old, new)
    return table


@pytest.mark.parametrize("error", ["0.03", "0.3"])
def test_one_error_for_all_bins_looks_relative(write: Write, error: str) -> None:
    """3 % that is meant of each bin, and is 0.03 events: said, and built."""
    table = changed_table(
        ("background,0,1,10,0.5", f"background,0,1,10,{error}"),
        ("background,1,2,7,0.4", f"background,1,2,7,{error}"),
        ("background,2,4,4,0.3", f"background,2,4,4,{error}"),
    )
    (note,) = [one for one in build_templates(write(table=table)).notes if "absolute" in one]
    assert f"its error is {error} in all bins, of 4 to 10 events" in note
    assert not any("absolute" in one for one in build_templates(write()).notes)


def test_equal_bins_may_have_equal_errors(write: Write) -> None:
    """A flat background has one error."""
    table = changed_table(
        ("background,0,1,10,0.5", "background,0,1,10,0.5"),
        ("background,1,2,7,0.4", "background,1,2,10,0.5"),
        ("background,2,4,4,0.3", "background,2,4,10,0.5"),
    )
    assert not any("absolute" in one for one in build_templates(write(table=table)).notes)


def test_falling_edges_are_refused(write: Write) -> None:
    """Bins in falling order; the first one is named."""
    table = "\n".join(
        line.replace(",0,1,", ",4,2,").replace(",1,2,", ",2,1,").replace(",2,4,", ",1,0,")
        for line in CSV.splitlines()
    )
    with pytest.raises(DocumentError, match="edges do not rise: bin 0 goes from 4 to 2"):
        build_templates(write(table=table))


def test_events_outside_of_many_histograms_are_one_line(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest are named."""
    from darkstats.searches import histogram_card

    read = histogram_card.read_histogram

    def beyond(*given: Any) -> Any:
        return replace(read(*given), outside=float(len(given[1])))

    monkeypatch.setattr(histogram_card, "read_histogram", beyond)
    notes = [note for note in build_templates(write()).notes if "outside" in note]
    assert len(notes) == 1
    assert "events outside the bins of 5 histograms are not used; most: 10 of" in notes[0]


@pytest.mark.parametrize(
    ("label", "values", "told"),
    [("mass_mev", "1", True), ("mass_gev", "1", False), ("mass_mev", "1000", False)],
)
def test_a_label_in_another_unit_than_the_axis(
    write: Write, label: str, values: str, told: bool
) -> None:
    """Where its values lie on the axis, one of the two is wrong."""
    signals = f"labels: [{label}]\nsignals:\n  a:\n    values: [{values}]\n    channels:\n"
    signals += "      SR: {histogram: signal, lumi: true}\n"
    card = CARD.replace(
        "      signal: {histogram: signal, free: mu, lumi: true, yields: {trigger: [0.9, 1.2]}}\n",
        "",
    )
    notes = build_templates(write(card=card + signals)).notes
    said = [note for note in notes if "says MeV" in note or "says meV" in note]
    assert bool(said) == told
