"""Folders of builds, read back."""

import json
import shutil
from pathlib import Path

import pytest

from darkstats.errors import InputError
from darkstats.searches.output import read_build
from darkstats.workflows.builds import inspect_build

BUILT = Path(__file__).parents[3] / "workspaces" / "zprime_lfv_2018"
SEARCHES = sorted(path.parent for path in BUILT.parent.glob("*/record.json"))


@pytest.mark.parametrize("folder", SEARCHES, ids=lambda path: path.name)
def test_committed_builds_are_what_their_records_say(folder):
    found = read_build(folder)
    assert found.record["simulated"] is True
    assert found.record["n_patches"] == len(found.sidecar["windows"])
    assert found.record["data"].startswith("simulated")


def test_the_committed_searches_are_there():
    assert {path.name for path in SEARCHES} >= {
        "alp",
        "dark_higgsstrahlung",
        "single_photon",
        "zprime_invisible_2018",
        "zprime_invisible_2020",
        "zprime_lfv_2018",
        "zprime_mumu",
        "zprime_tautau",
    }


def test_a_folder_that_was_touched_is_refused(tmp_path):
    folder = tmp_path / "built"
    shutil.copytree(BUILT, folder)
    path = folder / "background_only.json"
    path.write_text(path.read_text("utf-8").replace("1", "2", 1), "utf-8")
    with pytest.raises(InputError, match="changed since it was built"):
        read_build(folder)
    path.unlink()
    with pytest.raises(InputError, match="missing"):
        read_build(folder)
    (folder / "record.json").write_text("{}", "utf-8")
    with pytest.raises(InputError, match="not the record"):
        read_build(folder)
    with pytest.raises(InputError, match="no built search"):
        read_build(tmp_path)


def test_inspection_draws_and_lists(tmp_path):
    pytest.importorskip("matplotlib", reason="figures are an optional extra")
    pytest.importorskip("mplhep", reason="figures are an optional extra")
    for name in ("zprime_lfv_2018", "dark_higgsstrahlung"):
        outcome = inspect_build(BUILT.parent / name)
        assert outcome.record()["name"] == name
        drawing = outcome.figure()
        drawing.save(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
        total = sum(
            json.loads((BUILT.parent / name / "record.json").read_text("utf-8"))["summary"][
                "yields"
            ]
            .popitem()[1]
            .values()
        )
        key = "expected" if "expected" in drawing.columns else "total"
        assert total > 0.0
        assert sum(drawing.columns[key]) > 0.0
