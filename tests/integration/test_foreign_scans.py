"""Patch sets of other people: any labels, any values, from the work to the last export."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import foreign_searches

Call = Callable[..., tuple[int, str, str]]

PLANE = [[500, 100], [500, 200], [600, 100], [600, 200], [700, 100], [700, 200]]
CUBE = [[500, 100, 1], [500, 100, 2], [500, 200, 1], [600, 100, 1], [600, 200, 2]]
LABELS = {
    "numbers": (["m1", "m2"], PLANE, {"expected", "observed", "significance"}),
    "three": (["m_sb", "m_n2", "m_n1"], CUBE, {"limits", "p_values"}),
    "words": (["model"], [["bino"], ["wino"], ["higgsino"]], {"limits", "p_values"}),
    "both": (["model", "mass"], [["bino", 1.5], ["bino", 2.5], ["wino", 1.5]], {"limits"}),
    "mixed": (["lifetime"], [["prompt"], [0.1], [3]], {"limits", "p_values"}),
    "line": (["m"], [[300.0], [100.0], [200.0]], {"limits", "p_values"}),
    "one": (["m1", "m2"], [[500, 100]], {"limits"}),
    "named_like_columns": (["status", "p0"], PLANE, {"expected"}),
    "same_numbers": (["m", "channel"], [[1, "a"], [1, "b"], [2, "a"]], {"limits"}),
}


def _inputs(folder: Path, labels: list[str], values: list[Any]) -> tuple[object, ...]:
    bare = foreign_searches.write(folder / "bkg.json", foreign_searches.background())
    points = foreign_searches.write(folder / "set.json", foreign_searches.patch_set(labels, values))
    return bare, "--patchset", points


@pytest.mark.parametrize("kind", LABELS)
def test_any_labels_go_all_the_way(call: Call, tmp_path: Path, kind: str) -> None:
    """Scan, record, CSV, figure, table and HEPData submission hold every value of every label."""
    labels, values, figures = LABELS[kind]
    out = tmp_path / "scan"
    status, text, err = call("scan", *_inputs(tmp_path, labels, values), "-o", out, "--workers", 1)
    assert (status, "error" in err) == (0, False)
    assert all(label in text for label in labels if kind not in {"one"} or label == "m1")
    record = json.loads((out / "scan.json").read_text("utf-8"))
    assert [point["values"] for point in record["points"]] == values
    rows = list(csv.DictReader((out / "scan.csv").read_text("utf-8").splitlines()[3:]))
    for k, point in enumerate(values):
        (row,) = (row for row in rows if row["hypothesis"] == f"point_{k}")
        assert row["status"] == "ok"
        for label, value in zip(labels, point, strict=True):
            cell = row[f"label_{label}" if label in {"status", "p0"} else label]
            assert cell == value if isinstance(value, str) else float(cell) == value
    for figure in figures:
        image = tmp_path / f"{figure}.png"
        status, _, err = call("plot", out / "scan.json", "-o", f"{figure}={image}", "--csv")
        assert (status, "error" in err) == (0, False)
        assert image.stat().st_size > 5000
        assert all(word in image.with_suffix(".csv").read_text() for word in labels)
    folder = tmp_path / "hepdata"
    status, text, err = call("export", out / "scan.json", "--hepdata", folder)
    assert (status, "error" in err) == (0, False)
    (table,) = yaml.safe_load_all((folder / "limits_signal_strength.yaml").read_text())
    headers = [one["header"] for one in table["independent_variables"]]
    assert sorted(one["name"] for one in headers) == sorted(labels)
    assert not any("units" in one for one in headers), "nobody said a unit"
    for one in table["independent_variables"]:
        column = labels.index(one["header"]["name"])
        assert sorted(str(cell["value"]) for cell in one["values"]) == sorted(
            str(row[column] if isinstance(row[column], str) else float(row[column]))
            if not any(isinstance(other[column], str) for other in values)
            else str(row[column])
            for row in values
        )
    assert len(table["dependent_variables"][0]["values"]) == len(values)


def test_hepdata_says_of_a_collision_what_it_was_told(call: Call, tmp_path: Path) -> None:
    """Nothing is hard-coded: from the sidecar or from options, else left out, which is said."""
    source = _inputs(tmp_path, ["m1", "m2"], PLANE)
    out = tmp_path / "scan"
    assert call("scan", *source, "-o", out, "--workers", 1)[0] == 0
    first = tmp_path / "first"
    status, text, _ = call("export", out / "scan.json", "--hepdata", first)
    assert status == 0
    assert "left out" in text
    assert "--sqrt-s" in text
    assert "--reaction" in text
    everything = "".join(path.read_text() for path in first.iterdir())
    assert "SQRT" not in everything
    assert "cmenergies" not in everything
    second = tmp_path / "second"
    given = ("--sqrt-s", 13000, "--reaction", "P P --> X", "--collaboration", "ATLAS")
    call("export", out / "scan.json", "--hepdata", second, *given)
    text = (second / "limits_signal_strength.yaml").read_text()
    assert "13000.0" in text
    assert "P P --> X" in text
    assert "Collaboration: ATLAS" in (second / "submission.yaml").read_text()
    words = {
        "schema": "darkstats.meta/1",
        "labels": {"m1": {"title": "m(chargino)", "unit": "GeV"}},
        "collision": {"sqrt_s_gev": 8000, "beams": "p p"},
    }
    foreign_searches.write(tmp_path / "bkg.meta.json", words)
    with_words = tmp_path / "again"
    status, text, err = call("scan", *source, "-o", with_words, "--workers", 1)
    assert (status, "error" in err) == (0, False)
    assert "700 GeV" in text
    third = tmp_path / "third"
    call("export", with_words / "scan.json", "--hepdata", third)
    (table,) = yaml.safe_load_all((third / "limits_signal_strength.yaml").read_text())
    assert table["independent_variables"][0]["header"] == {"name": "m1", "units": "GeV"}
    qualifiers = table["dependent_variables"][0]["qualifiers"]
    assert {"name": "SQRT(S)", "units": "GeV", "value": 8000.0} in qualifiers
    assert "Beams: p p" in (third / "submission.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "pointer"),
    [
        ({"labels": {"m1": "mass"}}, "/labels/m1"),
        ({"labels": {"m1": {"unit": 3}}}, "/labels/m1/unit"),
        ({"collision": {"sqrt_s_gev": "13 TeV"}}, "/collision"),
        ({"collision": {"energy": 13000}}, "/collision"),
    ],
)
def test_a_faulty_sidecar_is_refused_before_the_work(
    call: Call, tmp_path: Path, words: dict[str, Any], pointer: str
) -> None:
    """What the sidecar says of labels and collision is checked, with file and place."""
    source = _inputs(tmp_path, ["m1", "m2"], PLANE)
    foreign_searches.write(tmp_path / "bkg.meta.json", {"schema": "darkstats.meta/1", **words})
    out = tmp_path / "scan"
    status, _, err = call("scan", *source, "-o", out)
    assert status == 2
    assert f"bkg.meta.json: {pointer}" in err
    assert not out.exists()


def test_values_that_no_record_can_hold_stop_a_scan_before_its_work(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record of a scan without results is read first: no hypothesis is fitted in vain."""
    from darkstats.scan import limits

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a hypothesis was fitted")

    monkeypatch.setattr(limits, "scan_points", never)
    source = _inputs(tmp_path, ["m"], [[10**400], [1]])
    status, _, err = call("scan", *source, "-o", tmp_path / "scan", "--workers", 1)
    assert status == 2
    assert "Traceback" not in err
    assert "internal" not in err
    assert not (tmp_path / "scan").exists()


def test_a_record_is_read_before_the_work_that_fills_it(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a reader of records refuses is refused before any hypothesis is fitted."""
    from darkstats.errors import DocumentError
    from darkstats.report import scan_reading
    from darkstats.scan import limits

    def refuse(*_: object, **__: object) -> None:
        raise DocumentError("no reader takes this", source="scan.json")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a hypothesis was fitted")

    monkeypatch.setattr(scan_reading, "read_scan", refuse)
    monkeypatch.setattr(limits, "scan_points", never)
    status, _, err = call(
        "scan", *_inputs(tmp_path, ["m"], [[1], [2]]), "-o", tmp_path / "scan", "--workers", 1
    )
    assert status == 2
    assert "no reader takes this" in err
    assert not (tmp_path / "scan").exists()


def _loose(folder: Path) -> list[object]:
    bare = foreign_searches.write(folder / "bkg.json", foreign_searches.background())
    for k, (heavy, light) in enumerate(PLANE):
        operations = foreign_searches.operations(3.0 + 0.5 * k)
        foreign_searches.write(folder / f"patch.s_{heavy}_{light}.json", operations)
    rule = ("--name-pattern", "patch.s_{m_heavy}_{m_light}")
    return [bare, "-p", folder / "patch.s_[56]*.json", "-p", folder / "patch.s_7*.json", *rule]


def _limits(folder: Path) -> list[Any]:
    record = json.loads((folder / "scan.json").read_text("utf-8"))
    return [(point["values"], point["observed"], point["expected"]) for point in record["points"]]


def test_loose_patches_give_the_numbers_of_their_patch_set(call: Call, tmp_path: Path) -> None:
    """Scanned as they lie, as a patch set that was made of them, and as a pallet."""
    source = _loose(tmp_path)
    assert call("scan", *source, "-o", tmp_path / "loose", "--workers", 1)[0] == 0
    made = tmp_path / "set.json"
    status, _, err = call("patchset", "create", *source, "-o", made, "--hepdata", "ins1234567")
    assert (status, "error" in err) == (0, False)
    call("scan", source[0], "--patchset", made, "-o", tmp_path / "set", "--workers", 1)
    pallet = {
        "workspace": foreign_searches.background(),
        "patchsets": [json.loads(made.read_text("utf-8"))],
    }
    held = foreign_searches.write(tmp_path / "pallet.json", pallet)
    assert call("scan", held, "-o", tmp_path / "pallet", "--workers", 1)[0] == 0
    first = _limits(tmp_path / "loose")
    assert [values for values, *_ in first] == PLANE
    assert first == _limits(tmp_path / "set") == _limits(tmp_path / "pallet")


def test_inspect_says_what_patches_are(call: Call, tmp_path: Path) -> None:
    """A patch set lists points and labels, a patch its targets; neither is a faulty workspace."""
    source = _inputs(tmp_path, ["m1", "kind"], [[1, "bino"], [2, "wino"]])
    status, text, _ = call("inspect", source[2])
    assert status == 0
    assert all(word in text for word in ("point_1", "wino", "m1, kind", "/channels/0/samples/1"))
    patch = foreign_searches.write(tmp_path / "patch.json", foreign_searches.operations(3.0))
    status, text, _ = call("inspect", patch, "--json")
    record = json.loads(text)
    assert (status, record["kind"]) == (0, "patch")
    assert record["targets"] == [{"op": "add", "path": "/channels/0/samples/1", "count": 1}]
    status, _, err = call("limit", patch)
    assert status == 2
    assert "this is a patch, no workspace" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--name-pattern", "{m}"), "goes with loose patches"),
        (("-p", "x.json", "--patchset", "y.json"), "or loose patches with --patch"),
        ((), "--patchset, or with --patch"),
    ],
)
def test_options_that_contradict(
    call: Call, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """A rule without patches, two kinds of signals, or none."""
    bare = foreign_searches.write(tmp_path / "bkg.json", foreign_searches.background())
    status, _, err = call("scan", bare, *words)
    assert status == 2
    assert said in err


BACKGROUND_VERBS = {
    "fit": ("fit",),
    "no poi": ("fit", "--poi", ""),
    "fixed": ("fit", "--fix", "scale=0"),
    "gof": ("gof",),
    "inspect": ("inspect",),
    "profile": ("scan-poi", "--parameter", "scale"),
    "rank": ("rank", "--poi", "norm"),
    "limit": ("limit", "--poi", "norm"),
}


@pytest.mark.parametrize("kind", BACKGROUND_VERBS)
def test_a_background_needs_no_signal(call: Call, tmp_path: Path, kind: str) -> None:
    """Verbs that need no parameter of interest, or name another one, work on a background."""
    document = foreign_searches.background()
    norm = {"name": "norm", "type": "normfactor", "data": None}
    document["channels"][0]["samples"][0] = {
        **document["channels"][0]["samples"][0],
        "modifiers": [*document["channels"][0]["samples"][0]["modifiers"], norm],
    }
    bare = foreign_searches.write(tmp_path / "bkg.json", document)
    verb, *options = BACKGROUND_VERBS[kind]
    status, text, err = call(verb, bare, *options, "--json")
    assert (status, "error" in err) == (0, False), err
    if kind == "fit":
        record = json.loads(text)
        assert record["provenance"]["model"]["poi"] is None
        assert any("poi-unknown" in words for words in record["workspace_warnings"])


@pytest.mark.parametrize("verb", ["limit", "rank", "significance"])
def test_the_remedies_of_an_absent_signal_work(call: Call, tmp_path: Path, verb: str) -> None:
    """What needs the signal names the patch, the patch set and another parameter: each works."""
    document = foreign_searches.background()
    norm = {"name": "norm", "type": "normfactor", "data": None}
    for channel in document["channels"]:
        for sample in channel["samples"]:
            sample["modifiers"] = [*sample["modifiers"], norm]
    bare = foreign_searches.write(tmp_path / "bkg.json", document)
    status, _, err = call(verb, bare)
    assert status == 2
    for words in ("--patch", "--patchset and --point", "--poi, such as 'norm'", "fit, gof"):
        assert words in err
    patch = foreign_searches.write(tmp_path / "patch.json", foreign_searches.operations(3.0))
    assert call(verb, bare, "--patch", patch)[0] == 0
    made = tmp_path / "set.json"
    assert call("patchset", "create", bare, "-p", patch, "-o", made)[0] == 0
    assert call(verb, bare, "--patchset", made, "--point", "patch")[0] == 0
    assert call(verb, bare, "--poi", "norm")[0] == 0


def test_frequent_findings_are_counted_and_listed_on_request(call: Call, tmp_path: Path) -> None:
    """One line for each kind with its count; every place with --findings all, beyond 200."""
    document = foreign_searches.background()
    sample = document["channels"][0]["samples"][0]
    idle = [
        {"name": f"idle_{k}", "type": "normsys", "data": {"lo": 1.0, "hi": 1.0}} for k in range(300)
    ]
    sample["modifiers"] = [*sample["modifiers"], *idle]
    bare = foreign_searches.write(tmp_path / "bkg.json", document)
    status, text, _ = call("inspect", bare, "--json")
    (found,) = (one for one in json.loads(text)["findings"] if one["code"] == "no-effect")
    assert status == 0
    assert "(the first of 300)" in found["message"]
    assert found["remedy"].startswith("harmless; where the file is yours")
    status, text, _ = call("inspect", bare, "--findings", "all", "--json")
    listed = [one for one in json.loads(text)["findings"] if one["code"] == "no-effect"]
    assert [one["pointer"] for one in listed] == [
        f"/channels/0/samples/0/modifiers/{k + 1}" for k in range(300)
    ]
    assert not any("first of" in one["message"] for one in listed)
    status, _, err = call("inspect", bare, "--findings", "some")
    assert status == 2
    assert "choose one of: summary, all" in err
