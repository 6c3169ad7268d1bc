"""A signal of one's own: tables, mistakes in them, the patch, and the limit."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

import darkstats
from darkstats.cli import run
from darkstats.errors import (
    ArgumentTypeError,
    CardError,
    DocumentError,
    OptionError,
    UnknownNameError,
)
from darkstats.reinterpret import ChannelYields, Signal, place, read_signals
from darkstats.workspace import Workspace, apply_patch, read_workspace

EXAMPLES = Path(__file__).parents[3] / "workspaces/examples"
THREE = EXAMPLES / "three_channels.json"
MASS = EXAMPLES / "mass_scan"


def called(*words: object) -> tuple[int, dict[str, Any], str]:
    """Exit status, record and messages of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run([*(str(word) for word in words), "--json"])
    return status, json.loads(out.getvalue()), err.getvalue()


def table_of(point: dict[str, Any], path: Path, name: str | None = None) -> None:
    """The signal of a published patch as somebody would write it down."""
    sample = point["patch"][0]["value"]
    with path.open("a", encoding="utf-8") as file:
        if file.tell() == 0:
            head = "hypothesis," if name else ""
            file.write(f"{head}channel,bin,yield,signal_efficiency,luminosity\n")
        for k, value in enumerate(sample["data"]):
            first = f"{name}," if name else ""
            file.write(f"{first}mass,{k},{value},0.05,0.01\n")


@pytest.fixture(scope="module")
def points() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((MASS / "patchset.json").read_text())["patches"]
    return found


def test_the_published_signal_gives_the_published_limit(
    points: list[dict[str, Any]], tmp_path: Path
) -> None:
    """A table with the numbers of a patch is that patch; the patch that is written repeats it."""
    table, patch = tmp_path / "signal.csv", tmp_path / "patch.json"
    table_of(points[3], table)
    base = MASS / "background_only.json"
    status, found, _ = called("reinterpret", base, "-s", table, "--write-patch", patch)
    assert status == 0
    words = ("--patchset", MASS / "patchset.json", "--point", points[3]["metadata"]["name"])
    expected = called("limit", base, *words)[1]
    assert found["limit"]["observed"] == pytest.approx(expected["observed"], rel=1e-9)
    assert found["limit"]["expected"] == pytest.approx(expected["expected"], rel=1e-9)
    assert found["signal"]["own_nuisances"] == ["luminosity", "signal_efficiency"]
    assert found["signal"]["replaced"] == []
    again = called("limit", base, "-p", patch)[1]
    assert again["observed"] == found["limit"]["observed"]


def test_several_signals_are_a_patch_set_and_a_scan(
    points: list[dict[str, Any]], tmp_path: Path
) -> None:
    """One table, many hypotheses: the scan of the published patch set, point by point."""
    table, patches = tmp_path / "signals.csv", tmp_path / "patchset.json"
    for point in points[2:4]:
        table_of(point, table, point["metadata"]["name"])
    base = MASS / "background_only.json"
    words = ("--method", "cls", "--threads", 1, "--name-pattern", "mass_{mass_gev}")
    status, found, err = called("reinterpret", base, "-s", table, "--write-patch", patches, *words)
    assert status == 0, err
    whole = called("scan", base, "--patchset", MASS / "patchset.json", "--workers", 1)[1]
    wanted = {one["name"]: one["observed"] for one in whole["points"]}
    assert len(found["points"]) == 2
    for one in found["points"]:
        assert one["observed"] == pytest.approx(wanted[one["name"]], rel=1e-9)
    status, _, err = called("reinterpret", base, "-s", table)
    assert status == 2
    assert "--write-patch" in err


def test_missing_channels_are_named_and_treated_as_asked() -> None:
    """keep, mask and drop are three likelihoods; none is chosen in silence."""
    words = ("reinterpret", THREE, "-s", "signal_region=2.1,5.4,4.3,1.2")
    status, _, err = called(*words)
    assert status == 2
    assert "control_region, validation_region" in err
    assert "--missing keep" in err
    limits = {}
    for how in ("keep", "mask", "drop"):
        status, found, err = called(*words, "--missing", how)
        assert status == 0, err
        limits[how] = found["limit"]["observed"]
        assert found["signal"]["missing"] == ["control_region", "validation_region"]
        assert found["signal"]["missing_treated_as"] == how
        there = [] if how == "drop" else ["validation_region/signal"]
        assert found["signal"]["replaced"] == ["signal_region/signal", *there]
    assert limits["mask"] == pytest.approx(limits["drop"], rel=1e-6)
    assert limits["keep"] != pytest.approx(limits["drop"], rel=1e-3)


def test_a_signal_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """The same yields with the same uncertainties give the limit of the workspace itself."""
    document = json.loads(THREE.read_text())
    yields = {
        channel["name"]: sample["data"]
        for channel in document["channels"]
        for sample in channel["samples"]
        if sample["name"] == "signal"
    }
    efficiency = 0.0
    for channel in document["channels"]:
        for sample in channel["samples"]:
            for one in sample["modifiers"]:
                if one["name"] == "signal_efficiency":
                    efficiency = one["data"]["hi"] - 1.0
                    assert one["data"]["lo"] == pytest.approx(1.0 - efficiency)
    table = {
        name: {
            "yields": values,
            "systematics": {"signal_efficiency": efficiency},
            "modifiers": ["lumi"],
        }
        for name, values in yields.items()
    }
    path = tmp_path / "signal.yaml"
    path.write_text(json.dumps(table), "utf-8")
    _, found, _ = called("reinterpret", THREE, "-s", path, "--missing", "keep")
    expected = called("limit", THREE)[1]
    assert found["limit"]["observed"] == pytest.approx(expected["observed"], rel=1e-9)
    assert found["signal"]["shared_nuisances"] == []  # nothing else had it but the old signal
    assert found["signal"]["own_nuisances"] == ["signal_efficiency"]
    assert found["signal"]["notices"] == []


def test_efficiencies_become_events(tmp_path: Path) -> None:
    """Cross section times luminosity times efficiency, errors with it."""
    path = tmp_path / "eff.csv"
    path.write_text("channel,bin,efficiency,stat\nSR,0,0.01,0.002\nSR,1,0.02,0.001\n")
    (signal,) = read_signals([str(path)], factor=50.0 * 2.0)
    assert signal.channels["SR"].yields == pytest.approx((1.0, 2.0))
    assert signal.channels["SR"].stat == pytest.approx((0.2, 0.1))
    yields = tmp_path / "yields.csv"
    yields.write_text("channel,bin,yield\nSR,0,0.01\n")
    with pytest.raises(DocumentError, match="yields are events already"):
        read_signals([str(yields)], factor=2.0)
    with pytest.raises(DocumentError, match=r"add up to 1\.5"):
        read_signals(["SR=0.5,1.0"], factor=2.0)
    with pytest.raises(DocumentError, match="stands beside other signals"):
        read_signals([str(yields), "SR=1"])
    status, _, err = called("reinterpret", THREE, "-s", path, "--sigma", 50)
    assert status == 2
    assert "--sigma and --lumi" in err


def test_the_patch_is_exactly_what_was_done(tmp_path: Path) -> None:
    """Applied to the workspace it gives the one with the signal; drops and removals included."""
    workspace = read_workspace(THREE)
    (signal,) = read_signals(["signal_region=1,2,3,4", "control_region=0,0,1"])
    for missing in ("keep", "drop"):
        placed = place(workspace, signal, poi="mu", name="alp", missing=missing)
        assert apply_patch(workspace.document, list(placed.patch)) == placed.workspace.document
        assert placed.yields == {"signal_region": 10.0, "control_region": 1.0}
        names = {
            (channel["name"], sample["name"])
            for channel in placed.workspace.document["channels"]
            for sample in channel["samples"]
        }
        assert ("signal_region", "alp") in names
        assert not any(sample == "signal" for _, sample in names)


HEAD = "channel,bin,yield\n"
BAD_CSV = {
    "no number": (f"{HEAD}SR,0,1\nSR,1,x\n", "line 3: 'x' is no number"),
    "nan": (f"{HEAD}SR,0,nan\n", "line 2: 'nan' is no number"),
    "infinite": (f"{HEAD}SR,0,1e999\n", "is no number"),
    "from one": (f"{HEAD}SR,1,1\nSR,2,1\n", "has no bin 0: bins count from 0"),
    "hole": (f"{HEAD}SR,0,1\nSR,2,1\n", "has no bin 1"),
    "twice": (f"{HEAD}SR,0,1\nSR,0,1\n", "line 3: bin 0 of 'SR' is there twice"),
    "cells": (f"{HEAD}SR,0\n", "line 2: has 2 cells, and the first line 3"),
    "negative bin": (f"{HEAD}SR,-1,2\n", "'-1' is no bin"),
    "columns": ("region,bin,yield\nSR,0,1\n", "has no column 'channel'"),
    "column twice": ("channel,bin,yield,yield\nSR,0,1,1\n", "names a column twice"),
    "empty": ("", "is empty"),
    "one side": ("channel,bin,yield,t_up,t_dn\nSR,0,1,2,3\n", "'t_up' and no t_down"),
    "per cent": ("channel,bin,yield,t\nSR,0,1,3\n", "write 0.03 for 3 %"),
    "efficiency": ("channel,bin,efficiency\nSR,0,0.1\n", "give --sigma and --lumi"),
}


@pytest.mark.parametrize("name", BAD_CSV)
def test_mistakes_in_a_table_are_shown_with_their_line(name: str, tmp_path: Path) -> None:
    """What, where, and nothing is guessed."""
    text, message = BAD_CSV[name]
    path = tmp_path / "signal.csv"
    path.write_text(text)
    with pytest.raises(DocumentError) as caught:
        read_signals([str(path)])
    assert message in str(caught.value)
    assert "signal.csv" in str(caught.value)


BAD_YAML = {
    "text": ("SR: [1, two]\n", "line 1"),
    "length": ("SR: {yields: [1, 2], stat: [1]}\n", "has 1 numbers, and the yields 2"),
    "key": ("SR: {yeilds: [1, 2]}\n", "did you mean 'yields'"),
    "twice": ("SR: [1]\nSR: [2]\n", "is there twice"),
    "per cent": ("SR: {yields: [1], systematics: {t: 5}}\n", "write 0.03 for 3 %"),
    "scalar": ("SR: 3\n", "expected a mapping"),
    "infinite": ("SR: [.inf]\n", "is no number"),
}


@pytest.mark.parametrize("name", BAD_YAML)
def test_mistakes_in_yaml_are_shown_with_their_line(name: str, tmp_path: Path) -> None:
    """As of a card."""
    text, message = BAD_YAML[name]
    path = tmp_path / "signal.yaml"
    path.write_text(text)
    with pytest.raises(CardError) as caught:
        read_signals([str(path)])
    assert message in str(caught.value)


def test_a_signal_for_another_workspace_is_refused() -> None:
    """Unknown channels, other numbers of bins, taken names, zero signals, a shared lumi."""
    workspace = read_workspace(THREE)

    def placed(*words: str, **options: Any) -> None:
        (signal,) = read_signals(list(words))
        place(workspace, signal, poi="mu", missing="keep", **options)

    with pytest.raises(UnknownNameError, match=r"'SR'.*signal_region"):
        placed("SR=1,2")
    with pytest.raises(OptionError, match="has 4 bins, and the signal 3 numbers"):
        placed("signal_region=1,2,3")
    with pytest.raises(OptionError, match="sample 'other' already"):
        placed("signal_region=1,2,3,4", name="other")
    with pytest.raises(OptionError, match="zero in every bin"):
        placed("signal_region=0,0,0,0")
    with pytest.raises(DocumentError, match="names a channel twice"):
        placed("signal_region=1,2,3,4", "signal_region=1,2,3,4")
    with pytest.raises(DocumentError, match="is no table"):
        read_signals(["signal.txt"])
    with pytest.raises(DocumentError, match="cannot be read"):
        read_signals(["/no/such.csv"])


def test_a_variation_cannot_share_what_is_no_shift(tmp_path: Path) -> None:
    """A luminosity of type lumi is named under modifiers; as a variation it is refused."""
    path = tmp_path / "signal.csv"
    path.write_text(
        "channel,bin,yield,lumi\n" + "".join(f"signal_region,{k},1,0.02\n" for k in range(4))
    )
    (signal,) = read_signals([str(path)])
    with pytest.raises(OptionError, match="'lumi' is a lumi of the workspace") as caught:
        place(read_workspace(THREE), signal, poi="mu", missing="keep")
    assert "modifiers: [lumi] in a table in YAML or JSON, since a column of CSV" in str(
        caught.value
    )
    path.write_text(path.read_text().replace("lumi", "tau_pair_shape"))
    (signal,) = read_signals([str(path)])
    assert place(read_workspace(THREE), signal, poi="mu", missing="keep").shared == (
        "tau_pair_shape",
    )


def test_a_luminosity_that_the_signal_does_not_get_is_told() -> None:
    """On stderr and in the record; the parameter may be one that only signals of patches have."""
    words = ("reinterpret", THREE, "--missing", "keep", "-s", "signal_region=2.1,5.4,4.3,1.2")
    _, found, err = called(*words)
    (notice,) = found["signal"]["notices"]
    assert "'lumi'" in notice
    assert "modifiers: [lumi]" in notice
    assert notice in err
    document = json.loads(THREE.read_text())
    for channel in document["channels"]:
        channel["samples"] = [one for one in channel["samples"] if one["name"] != "signal"]
        for sample in channel["samples"]:
            sample["modifiers"] = [one for one in sample["modifiers"] if one["type"] != "lumi"]
    bare = Workspace.from_document(document, "bare", accept=("poi-unknown",))
    yields = ChannelYields(yields=(1.0,) * 4, variations={}, modifiers=("lumi",))
    signal = Signal(name="signal", source="t.yaml", channels={"signal_region": yields})
    placed = place(bare, signal, poi="mu", missing="keep")
    assert placed.notices == ()
    modifiers = placed.workspace.document["channels"][0]["samples"][-1]["modifiers"]
    assert {"name": "lumi", "type": "lumi", "data": None} in modifiers


def test_the_error_of_an_empty_bin_is_carried(tmp_path: Path) -> None:
    """A factor of nothing is nothing: the error shifts that bin, upwards where it is zero."""
    path = tmp_path / "signal.yaml"
    text = "signal_region: {yields: [2.1, 5.4, -0.5, 0], stat: [0.2, 0, 0.3, 1.5], "
    path.write_text(f"{text}systematics: {{t: 0.1}}}}\n")
    status, found, err = called("reinterpret", THREE, "-s", path, "--missing", "keep")
    assert status == 0, err
    (sample,) = [one["value"] for one in found["signal"]["patch"] if one["op"] == "add"]
    by_name = {one["name"]: one for one in sample["modifiers"]}
    assert by_name["signal_stat_signal_region"]["data"] == [0.2, 0.0, 0.0, 0.0]
    assert by_name["signal_stat_signal_region_bin2"]["data"] == {
        "hi_data": [2.1, 5.4, -0.2, 0.0], "lo_data": [2.1, 5.4, -0.8, 0.0],
    }  # fmt: skip
    assert by_name["signal_stat_signal_region_bin3"]["data"] == {
        "hi_data": [2.1, 5.4, -0.5, 1.5], "lo_data": [2.1, 5.4, -0.5, 0.0],
    }  # fmt: skip
    assert found["signal"]["own_nuisances"] == [
        "signal_stat_signal_region_bin2", "signal_stat_signal_region_bin3", "t",
    ]  # fmt: skip
    path.write_text("signal_region: {yields: [2.1, 5.4, 4.3, 0], stat: [0, 0, 0, 5]}\n")
    large = called("reinterpret", THREE, "-s", path, "--missing", "keep")[1]
    path.write_text("signal_region: {yields: [2.1, 5.4, 4.3, 0], stat: [0, 0, 0, 0]}\n")
    none = called("reinterpret", THREE, "-s", path, "--missing", "keep")[1]
    assert large["limit"]["observed"] != pytest.approx(none["limit"]["observed"], rel=1e-4)


@pytest.mark.parametrize("how", ["keep", "mask", "drop"])
def test_the_record_says_what_repeats_the_limit(how: str, tmp_path: Path) -> None:
    """With the masks, which no patch can hold: stderr says so, too."""
    patch = tmp_path / "p.json"
    words = ("-s", "signal_region=2.1,5.4,4.3,1.2", "--missing", how, "--cl", "0.9")
    _, found, err = called("reinterpret", THREE, *words, "--write-patch", patch)
    command = shlex.split(found["signal"]["repeated_by"])
    assert command[:2] == ["darkstats", "limit"]
    assert command.count("--mask") == (2 if how == "mask" else 0)
    assert ("--mask control_region --mask validation_region" in err) is (how == "mask")
    again = called(*command[1:])[1]
    assert again["observed"] == found["limit"]["observed"]
    none = called("reinterpret", THREE, *words)[1]["signal"]
    assert none["repeated_by"] is None
    assert "--write-patch" in none["repeated_by_reason"]


def test_a_mapping_of_yields_is_a_signal() -> None:
    """As the words are; what is no list of numbers is refused."""
    yields = {"signal_region": [2.1, 5.4, 4.3, 1.2]}
    found = darkstats.reinterpret_likelihood(THREE, signal=yields, missing="keep")
    words = "signal_region=2.1,5.4,4.3,1.2"
    again = darkstats.reinterpret_likelihood(THREE, signal=words, missing="keep")
    assert found.result.observed == again.result.observed
    for wrong in ({"a": ["x"]}, {"a": []}, {"a=b": [1.0]}, {1: [1.0]}, {"a": {"yields": [1]}}):
        with pytest.raises(ArgumentTypeError, match="names with lists of numbers"):
            darkstats.reinterpret_likelihood(THREE, signal=wrong)


def test_flat_and_shaped_variations_are_told_apart(tmp_path: Path) -> None:
    """One ratio in all bins is a factor; else each side is a histogram."""
    path = tmp_path / "signal.csv"
    path.write_text(
        "channel,bin,yield,flat,bent_up,bent_down\n"
        "control_region,0,1,0.1,1.2,0.9\ncontrol_region,1,2,0.1,2,2\n"
        "control_region,2,0,0.1,0,0\n"
    )
    (signal,) = read_signals([str(path)])
    placed = place(read_workspace(THREE), signal, poi="mu", missing="keep")
    (operation,) = [one for one in placed.patch if one["op"] == "add"]
    modifiers = {one["name"]: one for one in operation["value"]["modifiers"]}
    assert modifiers["flat"]["type"] == "normsys"
    assert modifiers["flat"]["data"] == pytest.approx({"hi": 1.1, "lo": 0.9})
    assert modifiers["bent"] == {
        "name": "bent",
        "type": "histosys",
        "data": {"hi_data": [1.2, 2.0, 0.0], "lo_data": [0.9, 2.0, 0.0]},
    }
