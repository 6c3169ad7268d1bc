"""Scans of events over masses, and toys of whole spectra of events."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darkstats.errors import DocumentError, OptionError
from darkstats.execution.jobs import read_inputs
from darkstats.execution.processes import InProcess
from darkstats.execution.run import run_job
from darkstats.inference import significance, upper_limit
from darkstats.look_elsewhere.spectrum_job import TOY_TASKS, collect_tallies, toys_job
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.model.unbinned.observed import observed_events
from darkstats.scan.event_tables import EventsOfScan
from darkstats.scan.job import LIMIT_TASKS, collect_scan, limits_job
from darkstats.scan.mass_hypotheses import EventHypotheses
from darkstats.scan.settings import ScanSettings
from darkstats.scan.unbinned import unbinned_point
from darkstats.scan.unbinned_toys import EventSpectrum, roots_of_spectra
from darkstats.workspace.hs3 import Hs3Document, read_hs3
from darkstats.workspace.hs3.event_files import EventTable
from unbinned_models import compiled, plane

MASSES = ("m_0p5033", "m_0p7525", "m_0p9979")


def table(x: np.ndarray, spectrum: str | None = "diphoton_hard", **changes: object) -> EventTable:
    """Simulated events of one spectrum."""
    column = "recoil_mass_squared_gev2" if spectrum == "recoil" else "mgg_squared_gev2"
    made = EventTable(
        source=f"{spectrum}.npz",
        sha256="0" * 64,
        columns={column: x},
        simulated=True,
        spectrum=spectrum,
    )
    return replace(made, **changes)


@pytest.fixture(scope="module")
def whole(repository: Path) -> Hs3Document:
    return read_hs3(repository / "models" / "alp" / "unbinned.json")


@pytest.fixture(scope="module")
def document(whole: Hs3Document) -> Hs3Document:
    """Three masses of it."""
    analyses = [a for a in whole.document["analyses"] if a["name"] in MASSES]
    analyses.sort(key=lambda analysis: MASSES.index(analysis["name"]))
    return Hs3Document.from_document({**whole.document, "analyses": analyses})


@pytest.fixture(scope="module")
def spectrum() -> np.ndarray:
    """A falling spectrum that fills the windows of the three masses."""
    return np.random.default_rng(5).exponential(0.6, 1500)


def test_a_scan_gives_each_mass_its_limit(document: Hs3Document, spectrum: np.ndarray) -> None:
    """The same numbers as one by one, in one block or in several, with notes on the data."""
    events = EventsOfScan.of([table(spectrum)])
    inputs = EventHypotheses.of_document(document, events)
    settings = ScanSettings(hypotheses_per_block=2)
    job = limits_job(inputs, settings)
    assert job.n_blocks == 2
    blocks = run_job(LIMIT_TASKS[job.kind], job, InProcess())
    scan = collect_scan(inputs, job, settings, [blocks[k] for k in range(job.n_blocks)])
    assert [point.name for point in scan.points] == list(MASSES)
    assert scan.labels == ("m_a_gev",)
    for point in scan.points:
        assert point.status == "ok"
        assert math.isclose(float(point.values[0]), float(point.name[2:].replace("p", ".")))
        model = compile_hs3(document, point.name)
        observation, _ = observed_events(model, events.table_of(document, point.name))
        alone = upper_limit(model, observation, probe=False, scan_points=0)
        assert point.observed == alone.observed
        assert point.expected == alone.expected
        found = significance(model, observation).observed
        assert point.significance == pytest.approx(found, abs=1e-6)
        assert any("outside the range" in note for note in point.warnings)


def test_a_closed_scan_has_expected_values_only(document: Hs3Document) -> None:
    """Without events there is nothing observed, at any mass."""
    settings = ScanSettings(blind=True)
    for name in MASSES[:2]:
        point = unbinned_point(document, name, EventsOfScan(tables={}), settings)
        assert point.observed is None
        assert point.observed_reason
        assert point.expected[2] is not None
        assert point.significance is None


def test_a_deficit_has_no_negative_strength(document: Hs3Document) -> None:
    """A window without an event: a limit, no excess, and a reason for the missing best fit."""
    events = EventsOfScan.of([table(np.array([25.0, 26.0]))])
    point = unbinned_point(document, MASSES[0], events, ScanSettings())
    assert point.status == "ok"
    assert point.observed is not None
    assert 0.0 < point.observed < 0.1
    assert (point.p0, point.significance) == (0.5, 0.0)
    assert point.mu_hat is None
    assert "negative signal strength" in str(point.mu_hat_reason)
    model = compile_hs3(document, MASSES[0])
    with pytest.raises(OptionError, match="leave uncapped away"):
        significance(model, model.observe([np.empty((1, 0))]), uncapped=True)


def test_an_analysis_that_cannot_be_used_is_a_failed_point(document: Hs3Document) -> None:
    """It has its reason and no number, and does not take others with it."""
    bad = table(np.array([0.3, math.nan]))
    point = unbinned_point(document, MASSES[0], EventsOfScan.of([bad]), ScanSettings())
    assert point.status == "failed"
    assert "nan" in str(point.reason)
    assert point.observed is None


def test_every_hypothesis_needs_the_events_of_its_spectrum(
    whole: Hs3Document, spectrum: np.ndarray
) -> None:
    """A missing spectrum, one given twice, a nameless one beside others, and a wrong one."""
    with pytest.raises(OptionError, match="is in the spectrum 'diphoton_soft'"):
        EventHypotheses.of_document(whole, EventsOfScan.of([table(spectrum)]))
    with pytest.raises(OptionError, match="the same spectrum"):
        EventsOfScan.of([table(spectrum), table(spectrum)])
    with pytest.raises(OptionError, match="does not say which spectrum"):
        EventsOfScan.of([table(spectrum), table(spectrum, None)])
    with pytest.raises(DocumentError, match="holds the spectrum 'recoil'"):
        observed_events(
            compile_hs3(whole, MASSES[0]),
            table(spectrum, "recoil", columns={"mgg_squared_gev2": spectrum}),
        )


def test_a_document_without_masses_cannot_be_scanned(document: Hs3Document) -> None:
    """It is refused with what is missing."""
    nameless = {**document.document, "misc": {}}
    with pytest.raises(OptionError, match="does not say its masses"):
        EventHypotheses.of_document(Hs3Document.from_document(nameless), EventsOfScan(tables={}))


def test_events_travel_with_the_job(document: Hs3Document, spectrum: np.ndarray) -> None:
    """Packed and unpacked they are the same, and other events are another job."""
    events = EventsOfScan.of([table(spectrum)])
    inputs = EventHypotheses.of_document(document, events)
    job = limits_job(inputs, ScanSettings())
    again = EventsOfScan.unpacked(read_inputs(job.inputs)["events"])
    column = again.tables["diphoton_hard"].columns["mgg_squared_gev2"]
    np.testing.assert_array_equal(column, spectrum)
    other = EventHypotheses.of_document(document, EventsOfScan.of([table(spectrum + 1e-12)]))
    assert limits_job(other, ScanSettings()).digest != job.digest


def test_roots_of_whole_spectra_are_those_of_single_fits(
    document: Hs3Document, spectrum: np.ndarray
) -> None:
    """An excess is seen at its mass; a deficit has a root of zero."""
    models: list[UnbinnedModel] = [compile_hs3(document, name) for name in MASSES]
    bump = np.random.default_rng(6).normal(0.7525**2, 0.025, 60)
    sets = [np.sort(spectrum), np.sort(np.concatenate([spectrum, bump]))]
    z = np.stack([roots_of_spectra(model, sets) for model in models], axis=1)
    assert not np.isnan(z).any()
    assert z[1, 1] > z[0, 1] + 2.0
    for k, events in enumerate(sets):
        for m, model in enumerate(models):
            low, high = model.channels[0].ranges[0]
            inside = events[(events >= low) & (events < high)]
            found = significance(model, model.observe([inside[None, :]])).observed
            assert found is not None
            assert z[k, m] == pytest.approx(found, abs=1e-4)


def test_a_plane_has_no_spectrum() -> None:
    """Models with two observables are refused, with what to do."""
    with pytest.raises(OptionError, match="one channel and one observable"):
        roots_of_spectra(compiled(plane()), [np.zeros(3)])


@pytest.fixture(scope="module")
def stitched(whole: Hs3Document) -> tuple[list[UnbinnedModel], EventSpectrum]:
    """Windows around the switch of the photon threshold, fitted to events like the expected."""
    names = ("m_3p4890", "m_5p0070", "m_6p4939")
    models = [compile_hs3(whole, name) for name in names]
    observations = []
    for model in models:
        point = np.array(model.inits)
        point[model.require_poi()] = 0.0
        lanes, _ = model.throw(point, np.random.default_rng(8), 1)
        x, weights = lanes.channels[0].events_of(0)
        observations.append(model.observe([x[:, weights > 0.0]]))
    return models, EventSpectrum.of(
        models, observations, digest=whole.digest, contains={"diphoton_soft": "diphoton_hard"}
    )


def test_toys_of_spectra_have_the_expected_numbers(
    stitched: tuple[list[UnbinnedModel], EventSpectrum],
) -> None:
    """Every window gets what the stitched density expects in it, within five standard deviations.

    A window keeps no events that belong to another one, and no two windows throw the same place.
    """
    _, spectrum = stitched
    n = 48
    drawn = spectrum.draw(3, 0, n)
    for name, own in spectrum.spectra.items():
        x = np.linspace(own.edges[0], own.edges[-1], 200_001)
        middle = 0.5 * (x[1:] + x[:-1])
        expected = float((own.density(middle) * np.diff(x)).sum())
        mean = np.mean([len(events) for events in drawn[name]])
        assert abs(mean - expected) < 5.0 * math.sqrt(expected / n) + 1e-3 * expected
        assert all((np.diff(events) >= 0.0).all() for events in drawn[name])


def test_toys_of_spectra_share_events_and_are_keyed(
    stitched: tuple[list[UnbinnedModel], EventSpectrum],
) -> None:
    """What passes the hard threshold passes the soft one where both are known; keys repeat."""
    _, spectrum = stitched
    drawn, again, other = (spectrum.draw(seed, 1, 2) for seed in (3, 3, 4))
    hard, soft = drawn["diphoton_hard"], drawn["diphoton_soft"]
    wide = spectrum.spectra["diphoton_soft"]
    for narrow, all_events in zip(hard, soft, strict=True):
        both = narrow[wide.owner_of(narrow) >= 0]
        assert len(both) > 100
        assert np.isin(both, all_events).all()
        assert len(both) < len(all_events)
    np.testing.assert_array_equal(hard[0], again["diphoton_hard"][0])
    assert not np.array_equal(hard[0], other["diphoton_hard"][0])


def test_roots_of_toys_follow_the_half_normal_law(
    stitched: tuple[list[UnbinnedModel], EventSpectrum],
) -> None:
    """With thousands of events a root exceeds 1 in 16 % of the toys, and is 0 in half of them.

    192 toys at three masses: five binomial errors; the masses are far apart.
    """
    models, spectrum = stitched
    z = np.concatenate([spectrum.roots(models, 5, block, 64) for block in range(3)])
    assert not np.isnan(z).any()
    share, n = (z > 1.0).mean(), z.size
    assert abs(share - 0.1587) < 5.0 * math.sqrt(0.1587 * 0.8413 / n)
    assert abs((z == 0.0).mean() - 0.5) < 5.0 * math.sqrt(0.25 / n)


def test_the_job_of_toys_gives_tallies_of_every_block(
    document: Hs3Document, spectrum: np.ndarray
) -> None:
    """As many maxima as toys, none failed, the same again; without events there are none."""
    inputs = EventHypotheses.of_document(document, EventsOfScan.of([table(spectrum)]))
    scan = limits_job(inputs, ScanSettings())
    job = toys_job(scan, seed=1, n_toys=100, observed={})
    assert job.n_blocks == 2
    blocks = run_job(TOY_TASKS[job.kind], job, InProcess())
    tallies = collect_tallies([blocks[0], blocks[1]])
    assert tallies.maxima.asked == 128
    assert tallies.maxima.ok == 128
    again = run_job(TOY_TASKS[job.kind], job, InProcess(), blocks=[1])
    assert again[1] == blocks[1]
    blind = EventHypotheses.of_document(document, EventsOfScan(tables={}))
    closed = limits_job(blind, ScanSettings())
    with pytest.raises(OptionError, match="no spectrum to throw"):
        TOY_TASKS[job.kind].prepare(read_inputs(closed.inputs), job.settings | {"seed": 1})
