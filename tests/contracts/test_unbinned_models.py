"""The unbinned models of the repository: what they hold, and what they give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from darkstats.inference import upper_limit
from darkstats.model import compile_workspace
from darkstats.model.unbinned.model import compile_hs3
from darkstats.searches.output import read_build
from darkstats.searches.pseudo_events import pseudo_events
from darkstats.workspace import read_workspace
from darkstats.workspace.hs3 import Hs3Document, read_hs3, write_hs3

SEARCHES = ("alp", "zprime_invisible_2018", "dark_higgsstrahlung")
SPECTRA = ("alp", "zprime_invisible_2018")


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


@pytest.mark.parametrize("search", SPECTRA)
def test_binned_and_unbinned_limits_agree(
    search: str, documents: dict[str, Hs3Document], repository: Path
) -> None:
    """The same simulated events: an unbinned limit is a little stronger, never weaker.

    Half-sigma bins of the bump hunt lose 1 to 3 %, one count in four sigma loses 3 to 7 %.
    """
    build = read_build(repository / "workspaces" / search)
    events = pseudo_events(
        build.workspace, build.sidecar, seed=1, digest=build.record["card"]["digest"]
    )
    level = {"alp": 0.95, "zprime_invisible_2018": 0.90}[search]
    lost = {"alp": (0.96, 1.001), "zprime_invisible_2018": (0.92, 0.98)}[search]
    for name in documents[search].analysis_names[:4]:
        model = compile_hs3(documents[search], name)
        workspace = read_workspace(
            str(build.workspace_path), patchset=str(build.patch_set_path), point=name
        )
        binned = compile_workspace(workspace)
        (observable,), ((low, high),) = model.channels[0].observables, model.channels[0].ranges
        x = events[build.sidecar["windows"][name]["spectrum"]][observable]
        x = x[(x >= low) & (x <= high)]
        assert len(x) == binned.observation.counts.sum()
        a, b = (
            upper_limit(m, o, cl=level, probe=False, scan_points=0)
            for m, o in ((model, model.observe([x[None, :]])), (binned, binned.observation))
        )
        assert lost[0] < a.expected[2] / b.expected[2] < lost[1]


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


def test_documents_are_portable_json(repository: Path) -> None:
    """No number that is none, no path, and small enough to read."""
    for search in SEARCHES:
        path = repository / "models" / search / "unbinned.json"
        text = path.read_text("utf-8")
        assert len(text) < 400_000
        assert "NaN" not in text
        assert "Infinity" not in text
        json.loads(text)
