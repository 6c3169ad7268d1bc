"""Numbers near the ends of their range, and words that no shell passes: a typed end for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import foreign_searches
from foreign_searches import write as written

Call = Callable[..., tuple[int, str, str]]

LARGEST = 1.7976931348623157e308


@pytest.mark.parametrize("edges", [[0.0, 1.0, LARGEST], [-LARGEST, 0.0, LARGEST]])
@pytest.mark.parametrize("verb", ["fit", "inspect"])
def test_edges_that_no_axis_takes(
    call: Call, tmp_path: Path, verb: str, edges: list[float]
) -> None:
    """Their widths and the ticks between them overflow."""
    source = written(tmp_path / "w.json", foreign_searches.background())
    meta = {"schema": "darkstats.meta/1", "channels": {"SR": {"edges": edges}}}
    written(tmp_path / "w.meta.json", meta)
    status, _, said = call(verb, source)
    assert status == 2
    assert "/channels/SR/edges: are not all within 1e+100" in said


@pytest.mark.parametrize("name", ["x.yaml", "x.json"])
@pytest.mark.parametrize("key", ["mass_gev", "cross_section_fb", "reference_coupling", "power"])
def test_integers_that_no_double_holds(call: Call, tmp_path: Path, name: str, key: str) -> None:
    """Python reads them from JSON and YAML, and fails as soon as it computes with them."""
    document = foreign_searches.background()
    document["channels"][0]["samples"].append(foreign_searches.operations(3.0)[0]["value"])
    source = written(tmp_path / "w.json", document)
    row = {"mass_gev": 1, "cross_section_fb": 9, "reference_coupling": 0.1, "power": 2}
    table = {"table": [row | {key: 10**400}], "coupling": "g", "unit_signal": "g=0.1"}
    model = written(tmp_path / name, table)
    status, _, said = call("limit", source, "--cross-sections", model, "--mass", 1)
    assert status == 2
    assert "1000000" in said
    assert len(said) < 500


@pytest.mark.parametrize(
    "words",
    [
        ["convert", "c0.txt", "\ud800=c1.txt", "-o", "out"],
        ["contour", "scan0.json", "\ud800=scan1.json"],
        ["fit", "\ud800.json"],
        ["fit", "w.json", "--plot", "\ud800.png"],
        ["scan", "w.json", "-o", "\udfff"],
    ],
)
def test_words_that_no_shell_passes(call: Call, words: list[str]) -> None:
    """Files may have names of any bytes; this half of a pair stands for none."""
    status, out, said = call(*words, "--json")
    assert status == 2
    assert "is no text in UTF-8; write it anew" in said
    assert json.loads(out)["error"] == "UsageError"


def test_names_of_files_that_are_no_text(call: Call, tmp_path: Path) -> None:
    """As a file of another encoding has: what is written of it is text that is read again."""
    pytest.importorskip("matplotlib", reason="draws a figure")
    source = written(tmp_path / "w\udce9.json", foreign_searches.background())
    plane = [[500, 100], [500, 200], [600, 100], [600, 200]]
    signals = written(tmp_path / "set\udce9.json", foreign_searches.patch_set(["m1", "m2"], plane))
    scan, bundle = tmp_path / "scan\udce9", tmp_path / "bundle\udce9"
    for words in (
        ("scan", source, "--patchset", signals, "-o", scan, "--workers", 1),
        ("contour", f"\udce9={scan / 'scan.json'}", "--curves", tmp_path / "c\udce9.csv"),
        ("contour", scan / "scan.json", "--plot", tmp_path / "c\udce9.png"),
        ("plot", scan / "scan.json", "-o", tmp_path / "f\udce9.svg", "--csv"),
        ("publish", source, "--patchset", signals, "--scan", scan, "-o", bundle),
        ("verify", bundle, "--workers", 1, "--points", 1),
        ("fit", source, "--plot", f"prefit={tmp_path}/p\udce9.png"),
    ):
        status, _, said = call(*words, "--json")
        assert status == 0, said
    assert json.loads((scan / "scan.json").read_text("utf-8"))["name"] == "w\\udce9"
    assert "\\udce9" in (tmp_path / "c\udce9.csv").read_text("utf-8")


def test_a_strength_at_which_a_rate_is_gone(call: Call, tmp_path: Path) -> None:
    """Its Asimov value is infinite, which is no distance to start a search from."""
    document = {
        "channels": [{"name": "c", "samples": [{"name": "signal", "data": [3.6], "modifiers": [
            {"name": "mu", "type": "normfactor", "data": None},
            {"name": "s", "type": "histosys", "data": {"lo_data": [3.0], "hi_data": [3.7]}},
        ]}]}],
        "observations": [{"name": "c", "data": [1e-9]}],
        "measurements": [{"name": "m", "config": {"poi": "s", "parameters": []}}],
        "version": "1.0.0",
    }  # fmt: skip
    status, _, said = call("limit", written(tmp_path / "w.json", document))
    assert status == 1
    assert "darkstats: error: " in said
