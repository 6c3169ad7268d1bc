"""From cards to folders for the recoil searches: few events, read by us, pyhf and cabinetry."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyhf
import pytest

import darkstats
from darkstats.scan.spectrum import SpectrumMap, read_fill
from darkstats.searches.build import build
from darkstats.searches.card import read_card

MODELS = Path(__file__).parents[2] / "models"
SMALLER = {
    "zprime_invisible_2018": {
        "quick: 400000}": "quick: 20000}",
        "events_per_block: 100000": "events_per_block: 10000",
        "quick: 1000000}": "quick: 200000}",
        "quick: 20000}\n  events_per_block: 20000": "quick: 5000}\n  events_per_block: 5000",
    },
    "zprime_lfv_2018": {"quick: 2000000}": "quick: 200000}"},
    "zprime_invisible_2020": {
        "quick: 1000000}": "quick: 200000}",
        "quick: 2000000}": "quick: 200000}",
        "quick: 20000}\n  events_per_block: 20000": "quick: 5000}\n  events_per_block: 5000",
    },
    "dark_higgsstrahlung": {
        "quick: 1000000}": "quick: 200000}",
        "quick: 2000000}": "quick: 400000}",
        "step_sigma: 1.1 ": "step_sigma: 6.0 ",
    },
}


def small_card(name, folder):
    text = (MODELS / f"{name}.yaml").read_text("utf-8")
    for old, new in SMALLER[name].items():
        assert old in text, old
        text = text.replace(old, new)
    path = folder / f"{name}.yaml"
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(scope="module", params=sorted(SMALLER))
def built(request, tmp_path_factory):
    if "pythia" in (MODELS / f"{request.param}.yaml").read_text("utf-8"):
        pytest.importorskip("pythia8mc", reason="PYTHIA 8 is an optional extra")
    folder = tmp_path_factory.mktemp(request.param)
    card = read_card(small_card(request.param, folder))
    build(card, folder / "out", cache=folder / "cache", quick=True)
    return folder / "out"


def load(folder, stem):
    plain = folder / f"{stem}.json"
    if plain.is_file():
        return json.loads(plain.read_text("utf-8")), str(plain)
    with gzip.open(folder / f"{stem}.json.gz") as file:
        return json.load(file), str(folder / f"{stem}.json.gz")


def test_pyhf_reads_it_and_finds_the_same_likelihood(built):
    document, source = load(built, "background_only")
    patches, patch_source = load(built, "patchset")
    pyhf.schema.validate(document, "workspace.json")
    patch_set = pyhf.PatchSet(patches)
    patch_set.verify(document)
    assert patch_set.description.startswith("SIMULATED")
    workspace = pyhf.Workspace(document)
    names = [patch.name for patch in patch_set]
    rng = np.random.default_rng(3)
    for name in names[:: max(1, len(names) // 4)]:
        patched = pyhf.Workspace(patch_set.apply(workspace, name))
        theirs = patched.model(poi_name="mu", validate=False)
        ours = darkstats.compile_workspace(
            darkstats.read_workspace(source, patchset=patch_source, point=name)
        )
        data = patched.data(theirs)
        point = np.array(theirs.config.suggested_init())
        point *= rng.uniform(0.95, 1.05, len(point))
        by_name = {}
        for parameter in theirs.config.par_order:
            part = theirs.config.par_slice(parameter)
            for k, value in enumerate(point[part]):
                size = part.stop - part.start
                kind = theirs.config.param_set(parameter)
                by_name[parameter if kind.is_scalar else f"{parameter}[{k}]"] = value
                assert size >= 1
        ordered = np.array([by_name[p.name] for p in ours.parameters])
        expected = float(np.squeeze(theirs.logpdf(point, data)))
        found = ours.log_density(ordered, ours.observation)
        assert found == pytest.approx(expected, rel=1e-10, abs=1e-9)


def test_the_spectrum_fills_every_window(built):
    """Data and background of each patch are sums over the background-only workspace."""
    document, _ = load(built, "background_only")
    patches, _ = load(built, "patchset")
    path = next(built.glob("fill.json*"))
    windows = SpectrumMap.of(document, read_fill(path))
    data = {o["name"]: o["data"] for o in document["observations"]}
    fine_data = np.concatenate([data[name] for name, _ in windows.channels])
    fine = np.concatenate(
        [np.sum([s["data"] for s in c["samples"]], axis=0) for c in document["channels"]]
    )
    for patch in patches["patches"][:: max(1, len(patches["patches"]) // 30)]:
        window = windows.window(patch["metadata"]["name"])
        channels, observations = (operation["value"] for operation in patch["patch"][:2])
        observed = np.concatenate([o["data"] for o in observations])
        background = np.concatenate(
            [
                np.sum([s["data"] for s in c["samples"] if s["name"] != "signal"], axis=0)
                for c in channels
            ]
        )
        assert window.gather(fine_data).tolist() == observed.tolist()
        np.testing.assert_allclose(window.gather(fine), background, rtol=1e-4, atol=3e-4)


def test_the_likelihood_alone_says_where_the_efficiency_is_in_its_cross_section(built):
    sidecar, _ = load(built, "background_only.meta")
    lfv = built.parent.name.startswith("zprime_lfv")
    assert sidecar.get("benchmarks", []) == (["lfv_efficiency"] if lfv else [])


def test_cabinetry_reads_a_window(built):
    cabinetry = pytest.importorskip("cabinetry", reason="cabinetry is an optional extra")
    document, _ = load(built, "background_only")
    patches, _ = load(built, "patchset")
    patch_set = pyhf.PatchSet(patches)
    name = patches["patches"][len(patches["patches"]) // 2]["metadata"]["name"]
    patched = patch_set.apply(pyhf.Workspace(document), name)
    model, data = cabinetry.model_utils.model_and_data(patched)
    prediction = cabinetry.model_utils.prediction(model)
    assert len(prediction.model_yields) == len(patched["channels"])
    assert len(data) == model.config.nmaindata + model.config.nauxdata


def test_every_table_says_that_it_is_simulated(built):
    record = json.loads((built / "record.json").read_text("utf-8"))
    sidecar = json.loads((built / "background_only.meta.json").read_text("utf-8"))
    assert record["simulated"] is True
    assert sidecar["simulated"] is True
    assert record["data"].startswith("simulated")
    assert "simulated" in record["title"]


def test_limits_come_out_of_some_windows(built):
    _, source = load(built, "background_only")
    patches, patch_source = load(built, "patchset")
    names = [patch["metadata"]["name"] for patch in patches["patches"]]
    for name in names[:: max(1, len(names) // 3)]:
        model = darkstats.compile_workspace(
            darkstats.read_workspace(source, patchset=patch_source, point=name)
        )
        limit = darkstats.upper_limit(model, model.observation, cl=0.9)
        assert limit.expected[2] > 0.0
        assert limit.observed > 0.0


def test_a_killed_build_resumes_to_the_same_bytes(tmp_path):
    card = small_card("dark_higgsstrahlung", tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from darkstats.searches.build import build\n"
        "from darkstats.searches.card import read_card\n"
        "build(read_card(sys.argv[1]), Path(sys.argv[2]), cache=Path(sys.argv[3]), quick=True)\n"
    )

    def command(output, cache):
        return [sys.executable, "-c", code, str(card), str(output), str(cache)]

    subprocess.run(command(tmp_path / "whole", tmp_path / "cache_1"), check=True)
    cache = tmp_path / "cache_2"
    kills = 0
    for limit_s in (1.5, 2.5):
        process = subprocess.Popen(command(tmp_path / "killed", cache), start_new_session=True)
        end = time.monotonic() + limit_s
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills >= 1
    subprocess.run(command(tmp_path / "killed", cache), check=True)
    for path in sorted((tmp_path / "whole").iterdir()):
        assert path.read_bytes() == (tmp_path / "killed" / path.name).read_bytes()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".killed")]
