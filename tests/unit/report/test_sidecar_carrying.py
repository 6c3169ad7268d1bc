"""What is made of workspaces is as simulated as they are, and keeps their axes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from darkstats.cli.running import run
from darkstats.report.sidecar import read_sidecar
from darkstats.report.sidecar_carrying import joined
from darkstats.workspace import Workspace

META = "darkstats.meta/1"


def meta(channel: str, *, simulated: bool | None = True, **more: Any) -> dict[str, Any]:
    edges = {channel: {"label": f"The {channel}", "axis": "m (GeV)", "edges": [0, 1]}}
    said = {} if simulated is None else {"simulated": simulated}
    return {"schema": META, "channels": edges, "groups": {"norms": ["norm_*", "k"]}, **said, **more}


def document(channel: str, factor: str = "k") -> dict[str, Any]:
    mu = {"name": "mu", "type": "normfactor", "data": None}
    pull = {"name": factor, "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    return {
        "channels": [{"name": channel, "samples": [
            {"name": "s", "data": [5.0], "modifiers": [mu]},
            {"name": "b", "data": [50.0], "modifiers": [pull]},
        ]}],
        "observations": [{"name": channel, "data": [52.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for channel in ("A", "B"):
        (tmp_path / f"{channel}.json").write_text(json.dumps(document(channel, f"k{channel}")))
        (tmp_path / f"{channel}.meta.json").write_text(json.dumps(meta(channel, title=channel)))
    return tmp_path


def test_a_combination_is_simulated_if_both_are(folder: Path) -> None:
    """Channels of both, with their axes; the title of both."""
    asked = ["combine", str(folder / "A.json"), str(folder / "B.json"), "--join", "outer"]
    assert run([*asked, "-o", str(folder / "both.json")]) == 0
    found = read_sidecar(str(folder / "both.json"))
    assert found.simulated is True
    assert found.title == "A + B"
    assert {name: one.axis for name, one in found.channels.items()} == dict.fromkeys(
        "AB", "m (GeV)"
    )
    (folder / "B.meta.json").unlink()
    assert run([*asked, "-o", str(folder / "one.json")]) == 0
    assert read_sidecar(str(folder / "one.json")).simulated is None


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [(True, True, True), (False, False, False), (True, False, None), (True, None, None)],
)
def test_nothing_is_said_of_a_mixture(
    left: bool | None, right: bool | None, said: bool | None
) -> None:
    """Simulated counts and data together are neither."""
    workspace = Workspace.from_document(document("A"))
    sides = meta("A", simulated=left), meta("B", simulated=right)
    assert joined(*sides, workspace, scales={}).get("simulated") is said
    assert set(joined(*sides, workspace, scales={})["channels"]) == {"A"}


def test_a_scaled_signal_has_a_scaled_cross_section() -> None:
    """It is kept where both sides then mean one cross section."""
    workspace = Workspace.from_document(document("A"))
    sides = (
        meta("A", reference_cross_section_pb=0.5), meta("B", reference_cross_section_pb=0.05)
    )  # fmt: skip
    assert "reference_cross_section_pb" not in joined(*sides, workspace, scales={})
    found = joined(*sides, workspace, scales={"left": 0.1})
    assert found["reference_cross_section_pb"] == pytest.approx(0.05)


def test_new_names_keep_labels(folder: Path) -> None:
    """Under their new names, groups of nuisance parameters as well."""
    target = folder / "renamed.json"
    (folder / "A.meta.json").write_text(json.dumps(meta("A", groups={"norms": ["kA"]})))
    names = ["--channel", "A=SR", "--modifier", "kA=norm"]
    assert run(["rename", str(folder / "A.json"), *names, "-o", str(target)]) == 0
    found = read_sidecar(str(target))
    assert (found.simulated, set(found.channels)) == (True, {"SR"})
    assert found.channels["SR"].label == "The A"
    assert found.groups == {"norms": ("norm",)}


def test_a_part_keeps_what_holds_of_it(folder: Path, repository: Path) -> None:
    """Labels of channels that are pruned go; so does no sidecar appear where there was none."""
    run(["combine", str(folder / "A.json"), str(folder / "B.json"), "--join", "outer", "-o",
         str(folder / "both.json")])  # fmt: skip
    target = folder / "part.json"
    assert run(["prune", str(folder / "both.json"), "--channel", "B", "-o", str(target)]) == 0
    assert set(read_sidecar(str(target)).channels) == {"A"}
    bare = Path(shutil.copy(repository / "workspaces/examples/two_bins.json", folder / "bare.json"))
    names = ["--channel", "signal_region=SR", "-o", str(folder / "plain.json")]
    assert run(["rename", str(bare), *names]) == 0
    assert not (folder / "plain.meta.json").exists()


def test_a_signal_strength_of_two_cross_sections_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0.1 and 1 fb by one parameter; a map with a scale makes them one."""
    searched = {"production": "b_to_k", "final_state": "mumu", "parameters": {}}
    for channel, size_pb in (("A", 1e-4), ("B", 1e-3)):
        said = meta(channel, reference_cross_section_pb=size_pb, searched=searched)
        (folder / f"{channel}.meta.json").write_text(json.dumps(said))
    asked = ["combine", str(folder / "A.json"), str(folder / "B.json"), "--join", "outer"]

    def told(*more: str, out: str = "both.json") -> str:
        assert run([*asked, *more, "-o", str(folder / out)]) == 0
        captured = capsys.readouterr()
        return " ".join((captured.out + captured.err).split())

    assert "signal strength 1 is 0.0001 pb in the left workspace and 0.001 pb in" in told()
    assert read_sidecar(str(folder / "both.json")).reference_cross_section_pb is None
    map_ = folder / "map.json"
    scale = {"schema": "darkstats.correlations/1", "signal_scale": {"left": 10.0}}
    map_.write_text(json.dumps(scale))
    assert "signal strength 1" not in told("--map", str(map_), out="one.json")
    one = read_sidecar(str(folder / "one.json"))
    assert one.reference_cross_section_pb == pytest.approx(1e-3)
    assert one.searched is not None
    other = meta("B", searched=searched | {"final_state": "ee"})
    (folder / "B.meta.json").write_text(json.dumps(other))
    assert "are of other searches, --production b_to_k --final-state mumu and" in told(
        out="two.json"
    )
    assert read_sidecar(str(folder / "two.json")).searched is None
