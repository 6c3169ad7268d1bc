"""From a card to limits: the ALP search with few events, read by us and by pyhf."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyhf
import pytest

import darkstats
from darkstats.errors import OptionError
from darkstats.searches.build import build
from darkstats.searches.card import read_card

CARD = Path(__file__).parents[2] / "models" / "alp.yaml"


@pytest.fixture(scope="module")
def small_card(tmp_path_factory):
    """The shipped card with fewer events."""
    text = CARD.read_text("utf-8")
    for old in ("quick: 1000000", "quick: 50000", "quick: 20000"):
        text = text.replace(old, "quick: 150000" if "1000000" in old else "quick: 10000")
    path = tmp_path_factory.mktemp("card") / "alp.yaml"
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(scope="module")
def built(small_card, tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    build(read_card(small_card), folder / "alp", cache=folder / "cache", quick=True)
    return folder / "alp"


def patch_set(built):
    with gzip.open(built / "patchset.json.gz") as file:
        return json.load(file)


def test_two_builds_have_the_same_bytes(small_card, built, tmp_path):
    build(read_card(small_card), tmp_path / "alp", cache=tmp_path / "cache", quick=True, workers=2)
    names = sorted(path.name for path in built.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "alp").iterdir())
    for name in names:
        assert (built / name).read_bytes() == (tmp_path / "alp" / name).read_bytes()


def test_pyhf_reads_workspace_and_patches(built):
    document = json.loads((built / "background_only.json").read_text("utf-8"))
    pyhf.schema.validate(document, "workspace.json")
    patches = pyhf.PatchSet(patch_set(built))
    patches.verify(document)
    assert len(patches) == 502
    assert patches.description.startswith("SIMULATED")
    workspace = pyhf.Workspace(document)
    for mass in (0.2, 1.997, 4.9, 6.85, 9.7):
        patch = min(patches, key=lambda one: abs(one.values[0] - mass))
        patched = pyhf.Workspace(patches.apply(workspace, patch.name))
        theirs = patched.model(poi_name="mu")
        data = patched.data(theirs)
        ours = darkstats.compile_workspace(
            darkstats.read_workspace(
                str(built / "background_only.json"),
                patchset=str(built / "patchset.json.gz"),
                point=patch.name,
            )
        )
        names = list(theirs.config.par_order)
        values = dict(zip(names, theirs.config.suggested_init(), strict=True))
        values["mu"] = 0.3
        point = np.array([values[name] for name in names])
        expected = theirs.expected_data(point, include_auxdata=False)
        by_name = np.array([values[parameter.name] for parameter in ours.parameters])
        np.testing.assert_allclose(
            np.concatenate([np.ravel(r) for r in [ours.expected_rates(by_name)]]),
            expected,
            rtol=1e-10,
        )
        assert len(data) > 50


def test_an_injected_signal_comes_back(built):
    for name in ("diphoton", "recoil"):
        points = patch_set(built)["patches"]
        point = points[200 if name == "diphoton" else 450]["metadata"]["name"]
        workspace = darkstats.read_workspace(
            str(built / "background_only.json"),
            patchset=str(built / "patchset.json.gz"),
            point=point,
        )
        model = darkstats.compile_workspace(workspace)
        limit = darkstats.upper_limit(model, model.observation, cl=0.95)
        assert 0.02 < limit.expected[2] < 1.5
        injected, _ = darkstats.asimov_data(model, model.observation, mu=0.5)
        found = darkstats.fit_model(model, injected)
        index = [parameter.name for parameter in model.parameters].index("mu")
        assert found.parameters[index] == pytest.approx(0.5, abs=1e-3)


def test_nothing_else_is_overwritten(small_card, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")
    with pytest.raises(OptionError, match="is no built search"):
        build(read_card(small_card), folder, cache=tmp_path / "cache", quick=True)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]
