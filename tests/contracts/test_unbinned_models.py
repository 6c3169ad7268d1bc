"""The unbinned models of the repository: what they hold, and what they give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.inference import upper_limit
from darkstats.model import compile_workspace
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.searches.output import read_build
from darkstats.searches.plane_grid import PlaneGrid, rapidity_of
from darkstats.searches.pseudo_events import pseudo_events
from darkstats.searches.unbinned.plane import ellipse_of
from darkstats.workspace import read_workspace
from darkstats.workspace.hs3 import Hs3Document, read_hs3, write_hs3

SEARCHES = ("alp", "zprime_invisible_2018", "dark_higgsstrahlung")
SPECTRA = ("alp", "zprime_invisible_2018")
LEVELS = {"alp": 0.95, "zprime_invisible_2018": 0.90, "dark_higgsstrahlung": 0.90}


@pytest.fixture(scope="module")
def documents(repository: Path) -> dict[str, Hs3Document]:
    return {name: read_hs3(repository / "models" / name / "unbinned.json") for name in SEARCHES}


@pytest.mark.parametrize("search", SEARCHES)
def test_every_hypothesis_compiles(search: str, documents: dict[str, Hs3Document]) -> None:
    """A dozen masses each, simulated, with their labels and the cross section of mu = 1."""
    document = documents[search]
    assert document.simulated is True
    assert document.description is not None
    assert document.description.startswith("SIMULATED")
    assert document.search["reference_cross_section_pb"] > 0.0
    assert len(document.analysis_names) >= 12
    for name in document.analysis_names:
        model = compile_hs3(document, name)
        assert model.poi_name == "mu"
        assert tuple(model.values) == tuple(document.search["labels"])
        background = model.inits
        background[model.require_poi()] = 0.0
        rates = model.expected_rates(background)
        assert (rates >= 0.0).all()
        assert rates.sum() > 0.0
        if search == "zprime_invisible_2018":  # simulation is empty here and there; the model not
            assert (rates > 0.0).all()


@pytest.mark.parametrize("search", SEARCHES)
def test_writing_and_reading_keeps_the_likelihood(
    search: str, documents: dict[str, Hs3Document], tmp_path: Path
) -> None:
    """After a round trip through a file the log-likelihood is the same to 1e-9, and better."""
    document = documents[search]
    write_hs3(document.document, tmp_path / "again.json")
    again = read_hs3(tmp_path / "again.json")
    assert again.digest == document.digest
    for name in document.analysis_names[:3]:
        model, other = compile_hs3(document, name), compile_hs3(again, name)
        data, auxdata = model.throw(model.inits, np.random.default_rng(1), 1)
        ours = model.derivatives(model.inits, data, auxdata[0])[0]
        theirs = other.derivatives(model.inits, data, auxdata[0])[0]
        assert theirs == pytest.approx(ours, abs=1e-9)


@pytest.mark.parametrize("search", SEARCHES)
def test_binned_and_unbinned_limits_agree(
    search: str, documents: dict[str, Hs3Document], repository: Path
) -> None:
    """The same simulated events: an unbinned limit is a little stronger, never weaker.

    Half-sigma bins of the bump hunt lose 1 to 3 %; one count in four sigma loses 1 to 5 %, the less
    the fewer events it expects; a count in an ellipse beside one in a ring loses up to a quarter.
    """
    build = read_build(repository / "workspaces" / search)
    events = pseudo_events(
        build.workspace, build.sidecar, seed=1, digest=build.record["card"]["digest"]
    )
    lost = {
        "alp": (0.96, 1.001),
        "zprime_invisible_2018": (0.92, 0.999),
        "dark_higgsstrahlung": (0.75, 0.98),
    }[search]
    for name in documents[search].analysis_names[:4]:
        model = compile_hs3(documents[search], name)
        workspace = read_workspace(
            str(build.workspace_path), patchset=str(build.patch_set_path), point=name
        )
        binned = compile_workspace(workspace)
        channel = model.channels[0]
        spectrum = events[build.sidecar["windows"][name].get("spectrum", "plane")]
        x = np.array([spectrum[observable] for observable in channel.observables])
        ends = np.array(channel.ranges).T[:, :, None]
        x = x[:, ((x >= ends[0]) & (x <= ends[1])).all(axis=0)]
        counted = binned.observation.counts.sum()
        if search == "dark_higgsstrahlung":  # the box holds the ellipse and the ring
            assert x.shape[1] >= counted
        else:
            assert x.shape[1] == counted
        a, b = (
            upper_limit(m, o, cl=LEVELS[search], probe=False, scan_points=0)
            for m, o in ((model, model.observe([x])), (binned, binned.observation))
        )
        assert lost[0] < a.expected[2] / b.expected[2] < lost[1]


def test_the_box_holds_what_the_ellipse_and_the_ring_count(
    documents: dict[str, Hs3Document], repository: Path
) -> None:
    """Signal and background of the unbinned plane, within the ellipse and the ring of the build.

    The signal is a sum of two Gaussians (2 %), the background a smooth sum on few simulated events
    (15 % in the ellipse, or two of their statistical errors).
    """
    build = read_build(repository / "workspaces" / "dark_higgsstrahlung")
    document = documents["dark_higgsstrahlung"]
    reference = document.search["reference_cross_section_pb"]
    for name in document.analysis_names:
        facts = build.sidecar["windows"][name]
        model = compile_hs3(document, name)
        background, signal = np.array(model.inits), np.array(model.inits)
        background[model.require_poi()], signal[model.require_poi()] = 0.0, 1.0
        rates = model.expected_rates(background)
        added = model.expected_rates(signal) - rates
        inside = ellipse_of(facts).distance(*model.grid.points[0]) < 4.0
        counted = facts["signal_events_per_pb"] * reference
        assert added[inside].sum() == pytest.approx(counted, rel=0.02)
        error = 2.0 * facts["background_statistical_error"]
        expected = pytest.approx(facts["background_events"], rel=0.15, abs=error)
        assert rates[inside].sum() == expected


@pytest.mark.parametrize("search", SPECTRA)
def test_pseudo_events_are_the_pseudo_data(search: str, repository: Path) -> None:
    """Filled into the fine bins again, the events are the counts; the same key gives the same."""
    build = read_build(repository / "workspaces" / search)
    digest = build.record["card"]["digest"]
    events = pseudo_events(build.workspace, build.sidecar, seed=1, digest=digest)
    again = pseudo_events(build.workspace, build.sidecar, seed=1, digest=digest)
    other = pseudo_events(build.workspace, build.sidecar, seed=2, digest=digest)
    for observation in build.workspace["observations"]:
        name = observation["name"]
        (column,) = events[name]
        edges = build.sidecar["channels"][name]["edges"]
        counts = np.histogram(events[name][column], edges)[0]
        np.testing.assert_array_equal(counts, observation["data"])
        np.testing.assert_array_equal(again[name][column], events[name][column])
        assert not np.array_equal(other[name][column], events[name][column])


def test_what_passes_the_hard_threshold_passes_the_soft_one(repository: Path) -> None:
    """The soft spectrum holds every event of the hard one, at its own mass."""
    build = read_build(repository / "workspaces" / "alp")
    events = pseudo_events(
        build.workspace, build.sidecar, seed=1, digest=build.record["card"]["digest"]
    )
    hard, soft = (events[name]["mgg_squared_gev2"] for name in ("diphoton_hard", "diphoton_soft"))
    assert np.isin(hard, soft).all()
    assert len(soft) > len(hard)


def test_events_of_the_plane_are_its_pseudo_data(repository: Path) -> None:
    """Filled into the cells again, and into ellipses and rings, the events are the counts."""
    build = read_build(repository / "workspaces" / "dark_higgsstrahlung")
    digest = build.record["card"]["digest"]
    (events,) = pseudo_events(build.workspace, build.sidecar, seed=1, digest=digest).values()
    (other,) = pseudo_events(build.workspace, build.sidecar, seed=2, digest=digest).values()
    grid, cells = PlaneGrid.of_sidecar(build.sidecar["channels"]["plane"])
    mass, recoil = events["m_ll_gev"], events["recoil_mass_squared_gev2"]
    bins = (grid.mass_edges_gev, grid.rapidity_edges)
    counts = np.histogram2d(mass, rapidity_of(mass, recoil), bins=bins)[0].ravel()
    (observation,) = build.workspace["observations"]
    np.testing.assert_array_equal(counts[cells], observation["data"])
    assert counts.sum() == sum(observation["data"])
    assert not np.array_equal(other["m_ll_gev"], mass)


def test_asimov_data_are_no_events(repository: Path) -> None:
    """A build whose data are expectations is refused, with the reason."""
    build = read_build(repository / "workspaces" / "alp")
    observations = [{**o, "data": [0.5] * len(o["data"])} for o in build.workspace["observations"]]
    with pytest.raises(OptionError, match="Asimov data"):
        pseudo_events({"observations": observations}, build.sidecar, seed=1, digest="0" * 64)


def test_documents_are_portable_json(repository: Path) -> None:
    """No number that is none, no path, and small enough to read."""
    for search in SEARCHES:
        path = repository / "models" / search / "unbinned.json"
        text = path.read_text("utf-8")
        assert len(text) < 400_000
        assert "NaN" not in text
        assert "Infinity" not in text
        json.loads(text)
