"""What a message says to do is what helps, and what was done without asking is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
Write = Callable[..., Path]


def workspace(poi: str = "mu", channel: str = "A", **nuisances: float) -> dict[str, Any]:
    """One channel of two bins, with a flat error of each size."""
    background = [
        {"name": name, "type": "normsys", "data": {"lo": 1.0 - size, "hi": 1.0 + size}}
        for name, size in (nuisances or {"bkg": 0.1}).items()
    ]
    return {
        "channels": [
            {
                "name": channel,
                "samples": [
                    {
                        "name": "signal",
                        "data": [10.0, 5.0],
                        "modifiers": [{"name": poi, "type": "normfactor", "data": None}],
                    },
                    {"name": "background", "data": [50.0, 40.0], "modifiers": background},
                ],
            }
        ],
        "observations": [{"name": channel, "data": [55.0, 42.0]}],
        "measurements": [{"name": "m", "config": {"poi": poi, "parameters": []}}],
        "version": "1.0.0",
    }


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a document, or a text, into a folder of its own."""

    def written(name: str, content: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, "utf-8")
        return path

    return written


def test_pruning_the_parameter_of_interest_is_told(call: Call, write: Write, tmp_path: Path):
    """By its name or with its sample; what else goes is nobody's loss."""
    path = write("w.json", workspace())
    for words in (["-m", "mu"], ["-s", "signal"]):
        done = call("prune", path, *words, "-o", tmp_path / "p.json")
        assert done.status == 0
        told = " ".join((done.out + done.err).split())
        assert "'m' has lost its parameter of interest 'mu'" in told
    done = call("prune", path, "-m", "bkg", "-o", tmp_path / "p.json")
    assert "has lost" not in done.out + done.err


def test_a_patch_set_can_be_pruned_with_its_point(
    call: Call, repository: Path, tmp_path: Path
) -> None:
    """A background-only workspace has no limit that a threshold could compare."""
    folder = repository / "workspaces/examples/mass_scan"
    done = call(
        "prune", folder / "background_only.json", "--patchset", folder / "patchset.json",
        "--point", "1.2", "--threshold", "0.01", "-o", tmp_path / "p.json",
    )  # fmt: skip
    assert done.status == 0, done.err

    settings = json.loads((tmp_path / "p.json").read_text("utf-8"))["measurements"][0]["config"]
    assert "luminosity" not in [one["name"] for one in settings["parameters"]]


def test_a_likelihood_is_not_combined_with_itself(call: Call, write: Write) -> None:
    """Whatever the files are called, and however they would be joined."""
    one, two = write("one.json", workspace()), write("two.json", workspace())
    for join in ("none", "outer"):
        done = call("combine", one, two, "--join", join)
        assert done.status == 2
        assert "hold the same likelihood" in done.err


def test_two_names_of_the_signal_strength_have_a_remedy(
    call: Call, write: Write, tmp_path: Path
) -> None:
    """The command that the message gives makes the combination possible."""
    left = write("one.json", workspace("mu", "A", a=0.1))
    right = write("two.json", workspace("r", "B", b=0.1))
    done = call("combine", left, right, "--join", "outer")
    assert done.status == 2
    assert "darkstats rename WORKSPACE -m r=mu" in done.err
    renamed = tmp_path / "renamed.json"
    assert call("rename", right, "-m", "r=mu", "-o", renamed).status == 0
    assert call("combine", left, renamed, "--join", "outer", "-o", tmp_path / "c").status == 0


def test_a_small_tolerance_is_shown(call: Call, write: Write, tmp_path: Path) -> None:
    """0.01 % is not 0.0 %."""
    path = write("w.json", workspace())
    done = call("simplify", path, "--tolerance", "0.0001", "-o", tmp_path / "s.json")
    assert done.status == 1
    assert "more than 0.01 %" in done.err


def test_names_like_the_one_of_a_group_are_listed(call: Call, write: Write) -> None:
    """Of many, those that are like it and not those that come first."""
    names = {f"a_{k:02d}": 0.02 for k in range(30)} | {"jets_scale": 0.02}
    done = call("rank", write("w.json", workspace(**names)), "--group", "jets=jet_scale")
    assert done.status == 2
    assert "jets_scale" in done.err
    assert "31 in all" in done.err


def test_limits_without_a_patch_set_name_the_source(
    call: Call, repository: Path, tmp_path: Path
) -> None:
    """Not the name that the workspace would have in the bundle."""
    folder = repository / "workspaces/examples/mass_scan"
    scan = tmp_path / "scan"
    assert call("scan", folder, "-o", scan, "--workers", 1).status == 0
    base = folder / "background_only.json"
    done = call("publish", base, "--scan", scan / "scan.json", "-o", tmp_path / "b")
    assert done.status == 2
    assert f"{base} has no patch set" in done.err
    assert "--patchset" in done.err
    done = call("publish", base, "-o", tmp_path / "b", "--json")
    assert done.record["lacking"][0].startswith("signal: the workspace has none")


def test_tables_say_what_separates_columns_and_which_units_there_are(
    call: Call, write: Write, repository: Path
) -> None:
    """Semicolons, and the units of a cross section."""
    folder = repository / "workspaces/examples/mass_scan"
    for text, words in (
        ("mass_gev;cross_section_fb\n1;2\n", "line 1: has semicolons between its columns"),
        ("mass_gev\tcross_section_fb\n1\t2\n", "has tabulators between its columns"),
        ("mass_gev,sigma_mb\n1,2\n", "'sigma_mb'; name cross sections cross_section_ab or"),
    ):
        done = call("scan", folder, "--cross-sections", write("x.csv", text), "-o", "unused")
        assert done.status == 2
        assert words in done.err
