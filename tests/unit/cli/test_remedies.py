"""What a message says to do is what helps, and what was done without asking is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scan_records

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


def test_a_background_of_another_format_asks_for_its_signal(
    call: Call, write: Write, tmp_path: Path
) -> None:
    """An option of the command line, not an attribute of Python."""
    document = workspace()
    document["channels"][0]["samples"].pop(0)
    document["measurements"][0]["config"]["poi"] = ""
    path = tmp_path / "hs3.json"
    assert call("hs3", write("w.json", document), "-o", path).status == 0
    for verb in ("limit", "significance", "hypotest"):
        done = call(verb, path)
        assert done.status == 2
        assert "--patchset and --point" in done.err
        assert "--poi NAME" in done.err
        assert "`" not in done.err


def test_negative_yields_of_an_unbinned_likelihood_are_told(repository: Path, write: Write) -> None:
    """As those of a workspace are: of a background, and of a signal that starts at 0."""
    from darkstats.workflows import ModelRequest, Shell, WorkspaceRequest
    from darkstats.workflows.unbinned_inputs import load_unbinned

    text = (repository / "models/alp/unbinned.json").read_text("utf-8")
    for name in (None, "m_0p9979_eta_prime_gamma_events", "m_0p9979_signal_yield"):
        document = json.loads(text)
        for one in document["functions"]:
            if one["name"] == name:
                one["expression"] = f"-1 * {one['expression']}"
        for point in document["parameter_points"]:
            for one in point["parameters"]:
                if one["name"] == "mu":
                    one["value"] = 0.0
        where = WorkspaceRequest(source=str(write("hs3.json", document)), point="m_0p9979")
        notes = load_unbinned(ModelRequest(workspace=where), Shell()).notes
        told = [note for note in notes if "see that interference" in note]
        assert len(told) == (name is not None)
        if name is not None:
            assert repr(name.removesuffix("_events").removesuffix("_yield")) in told[0]


def test_what_is_wrong_is_not_said_to_be_right() -> None:
    """A check that failed does not begin with what it would have shown."""
    from darkstats.publication.findings import MALFORMED, Findings, Problem

    found = Findings()
    problem = Problem(kind=MALFORMED, place="x", text="differs")
    found.check("HS3", "the same likelihood as the workspace")
    found.check("HS3", "the same likelihood as the workspace", [problem])
    found.fail("tables", "missing", problem)
    assert found.checks == [
        ("HS3", "the same likelihood as the workspace"),
        ("HS3", "1 wrong; checked: the same likelihood as the workspace"),
        ("tables", "missing"),
    ]
    assert found.problems == [problem, problem]


def test_a_scan_is_named_by_its_folder(call: Call, tmp_path: Path) -> None:
    """In contour as in plot and export: the record in it is the one that was written there."""
    folder = tmp_path / "A"
    folder.mkdir()
    record = scan_records.regions("A")[0]
    (folder / "scan.json").write_text(json.dumps(record), "utf-8")
    words = ["--x", "m_heavy_gev", "--y", "m_heavy2_gev", "--where", "m_dm_gev=60", "--json"]
    by_folder, by_file = (
        call("contour", source, *words) for source in (folder, folder / "scan.json")
    )
    assert by_folder.status == 0, by_folder.err
    assert by_folder.record["contours"] == by_file.record["contours"]
    assert call("contour", f"A={folder}", *words).status == 0
    assert call("export", folder, "--csv", tmp_path / "x.csv").status == 0
    assert call("contour", tmp_path, *words).status == 2


def test_the_legend_of_a_ranking_is_one_line_in_order(write: Write) -> None:
    """Before the fit, after the fit, and groups at the end."""
    pytest.importorskip("mplhep", reason="mplhep is an optional extra")
    from darkstats import workflows as w

    where = w.WorkspaceRequest(source=str(write("w.json", workspace())))
    request = w.RankRequest(model=w.ModelRequest(workspace=where), groups=(("all", "*"),))
    (legend,) = w.rank(request).figure().figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["pre-fit +1 σ", "pre-fit −1 σ", "post-fit +1 σ", "post-fit −1 σ", "group"]
    assert len({round(text.get_window_extent().y0) for text in legend.get_texts()}) == 1


def test_places_in_another_format_are_explained(call: Call, write: Write, tmp_path: Path) -> None:
    """Findings point into the workspace that the HS3 document states, and say so."""
    path = tmp_path / "hs3.json"
    assert call("hs3", write("w.json", workspace()), "-o", path).status == 0
    document = json.loads(path.read_text("utf-8"))
    for one in document["distributions"]:
        if one["type"] == "histfactory_dist":
            one["samples"][1]["data"]["contents"] = [-30.0, -20.0]
    done = call("limit", write("negative.json", document))
    assert done.status == 2
    assert "negative-expectation" in done.err
    assert "a channel is a histfactory_dist of its name" in done.err


def test_samples_of_one_name_are_not_chosen_between_in_silence(
    call: Call, write: Write, tmp_path: Path
) -> None:
    """A background of 50 events in one and of 70 in the other: refused, or told which was taken."""
    left, right = write("one.json", workspace(a=0.1)), workspace(a=0.1)
    right["channels"][0]["samples"][1]["data"] = [70.0, 60.0]
    right["channels"][0]["samples"].append({"name": "other", "data": [3.0, 2.0], "modifiers": []})
    other, out = write("two.json", right), tmp_path / "both.json"
    done = call("combine", left, other, "--join", "outer", "--merge-channels", "-o", out)
    assert done.status == 2
    assert "different versions of the sample 'background' in channel 'A'" in done.err
    for join, kept, lost, first in (
        ("left outer", "one.json", "two.json", 50.0),
        ("right outer", "two.json", "one.json", 70.0),
    ):
        done = call("combine", left, other, "--join", join, "--merge-channels", "-o", out)
        assert done.status == 0, done.err
        told = " ".join((done.out + done.err).split())
        assert f"sample 'background' of channel 'A': '{join}' takes" in told
        assert told.index(kept, told.index("takes")) < told.index(lost, told.index("takes"))
        samples = json.loads(out.read_text("utf-8"))["channels"][0]["samples"]
        assert {one["name"]: one["data"][0] for one in samples}["background"] == first
        done = call("combine", left, other, "--join", join, "-o", out)
        assert f"channel 'A': '{join}' takes" in " ".join((done.out + done.err).split())
    right["channels"][0]["samples"][1]["data"] = [50.0, 40.0]
    same = write("three.json", right)
    done = call("combine", left, same, "--join", "outer", "--merge-channels", "-o", out)
    assert done.status == 0, done.err
    assert len(json.loads(out.read_text("utf-8"))["channels"][0]["samples"]) == 3


def test_counts_that_are_left_out_are_told(call: Call, write: Write, tmp_path: Path) -> None:
    """One channel, other counts: the side that is taken is named."""
    left, right = write("one.json", workspace(a=0.1)), workspace(a=0.1)
    right["observations"][0]["data"] = [1.0, 2.0]
    other, out = write("two.json", right), tmp_path / "both.json"
    done = call("combine", left, other, "--join", "right outer", "-o", out)
    assert done.status == 0, done.err
    assert "counts of channel 'A': 'right outer' takes" in " ".join((done.out + done.err).split())
    assert json.loads(out.read_text("utf-8"))["observations"][0]["data"] == [1.0, 2.0]
