"""From a card to limits: the ALP search with few events, read by us and by pyhf."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyhf
import pytest

import darkstats
from darkstats.errors import CardError, OptionError
from darkstats.searches.build import build
from darkstats.searches.card import read_card

CARD = Path(__file__).parents[2] / "models" / "alp.yaml"


@pytest.fixture(scope="module")
def small_card(tmp_path_factory):
    """The shipped card with fewer events."""
    text = CARD.read_text("utf-8")
    for old, new in ((1000000, 150000), (500000, 75000), (50000, 10000), (20000, 10000)):
        text = text.replace(f"quick: {old}}}", f"quick: {new}}}")
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


CHANGES = {
    "data: pseudo ": "data: asimov ",
    "efficiency_reference: born": "efficiency_reference: isr",
    "n_orders: 3": "n_orders: 1",
    "extents: [1.0, 0.8, 1.2]": "extents: [1.0, 0.8]\n    largest_order: 5",
}


@pytest.fixture(scope="module")
def with_options(small_card, tmp_path_factory):
    """The same simulation, with another choice of backgrounds; data are the expected spectrum."""
    folder = tmp_path_factory.mktemp("options")
    path = folder / "alp.yaml"
    text = small_card.read_text("utf-8")
    for old, new in CHANGES.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    build(read_card(path), folder / "alp", cache=folder / "cache", quick=True)
    return folder / "alp"


def sidecar_of(folder):
    return json.loads((folder / "background_only.meta.json").read_text("utf-8"))


def test_the_choice_of_backgrounds_is_in_the_record(built, with_options):
    record = json.loads((with_options / "record.json").read_text("utf-8"))
    said = record["summary"]["background_choice"]
    assert (said["quote"], said["extents"], said["n_orders"]) == ("least_favourable", [1.0, 0.8], 1)
    assert record["summary"]["efficiency_reference"] == "isr"
    windows = sidecar_of(with_options)["windows"].values()
    for facts in windows:
        good = abs(facts["spurious_signal_sigma"]) <= 0.25
        assert good == (facts["mass_gev"] not in said["not_described"])
        assert good == (facts["backgrounds_accepted"] > 0)
        assert 1 <= facts["backgrounds_accepted"] <= 2 or not good
        assert facts["extent"] in (1.0, 0.8)
        assert facts["spurious_signal_error"] >= abs(facts["spurious_signal"])
    shipped = json.loads((built / "record.json").read_text())["summary"]
    assert shipped["background_choice"]["n_orders"] == 3
    assert "efficiency_reference" not in shipped


def test_efficiencies_with_radiation_refer_to_what_is_left_of_the_cross_section(
    built, with_options
):
    """One mean weight divides every efficiency: 0.95 at low mass, 0.78 at the upper end."""
    born, radiated = (
        [w["efficiency"] for w in sidecar_of(folder)["windows"].values()]
        for folder in (built, with_options)
    )
    ratio = np.array(born) / np.array(radiated)
    # 10,000 weights have a standard deviation of 0.2 to 0.5 about their mean.
    assert ratio[0] == pytest.approx(0.953, abs=0.01)
    assert ratio[-1] == pytest.approx(0.781, abs=0.02)


def test_the_spurious_signal_is_a_nuisance_parameter(with_options):
    """What the background invents is a shift of the expected counts by so much signal."""
    document = json.loads((with_options / "background_only.json").read_text("utf-8"))
    patches = pyhf.PatchSet(patch_set(with_options))
    patch = next(p for p in patches if p.values[0] > 0.25)
    facts = sidecar_of(with_options)["windows"][patch.name]
    patched = pyhf.Workspace(patches.apply(pyhf.Workspace(document), patch.name))
    model = patched.model(poi_name="mu")
    values = np.array(model.config.suggested_init())
    values[model.config.poi_index] = 0.0
    shift = np.array(values)
    shift[model.config.par_slice("spurious_signal")] = 1.0
    moved = model.expected_data(shift, include_auxdata=False) - model.expected_data(
        values, include_auxdata=False
    )
    signal = next(s for s in patched["channels"][0]["samples"] if s["name"] == "signal")
    expected = facts["spurious_signal_error"] * np.array(signal["data"])
    np.testing.assert_allclose(moved, expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_limits_of_the_built_search_do_not_jump(with_options):
    """Another order or range may be taken half a resolution further; the limit moves little.

    With so few simulated events ranges and orders differ by up to an eighth in their limits, the
    resolution by 2 % from one hypothesis to the next.
    """
    limits = []
    patches = patch_set(with_options)["patches"]
    for patch in patches[100:112]:
        model = darkstats.compile_workspace(
            darkstats.read_workspace(
                str(with_options / "background_only.json"),
                patchset=str(with_options / "patchset.json.gz"),
                point=patch["metadata"]["name"],
            )
        )
        data = model.observation
        found = darkstats.upper_limit(model, data, cl=0.95, scan_points=0, probe=False)
        limits.append(found.expected[2])
    steps = np.abs(np.diff(np.log(limits)))
    assert steps.max() < 0.15


def test_a_spurious_term_needs_a_choice(small_card, tmp_path):
    text = small_card.read_text("utf-8")
    path = tmp_path / "alp.yaml"
    begin, end = text.index("  background_choice:"), text.index("  spurious_term:")
    path.write_text(text[:begin] + text[end:])
    with pytest.raises(CardError, match="background_choice"):
        read_card(path)
