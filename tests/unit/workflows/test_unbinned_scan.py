"""Scans of unbinned models over masses, and full-spectrum toys."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.inference import significance, upper_limit
from darkstats.model.unbinned.model import UnbinnedModel, compile_hs3
from darkstats.workflows.unbinned_inputs import observed_events
from darkstats.workflows.unbinned_scan import scan_masses, spectrum_significances
from darkstats.workspace.event_files import read_events, write_events
from darkstats.workspace.hs3 import Hs3Document, read_hs3
from unbinned_models import compiled, plane

MASSES = ("m_0p5033", "m_0p7525", "m_0p9979")


@pytest.fixture(scope="module")
def document(repository: Path) -> Hs3Document:
    return read_hs3(repository / "models" / "alp" / "unbinned.json")


@pytest.fixture(scope="module")
def spectrum(document: Hs3Document) -> np.ndarray:
    """A falling spectrum that fills the windows of the three masses."""
    rng = np.random.default_rng(5)
    return rng.exponential(0.6, 1500)


def test_a_scan_gives_each_mass_its_limit(
    document: Hs3Document, spectrum: np.ndarray, tmp_path: Path
) -> None:
    """The same numbers as one by one, with the masses and notes beside them."""
    write_events(tmp_path / "e.npz", {"mgg_squared_gev2": spectrum}, {"simulated": True})
    table = read_events(str(tmp_path / "e.npz"))
    done: list[int] = []
    points = scan_masses(document, table, analyses=MASSES, progress=done.append)
    assert [point.name for point in points] == list(MASSES)
    assert sum(done) == 3
    for point in points:
        assert point.reason is None
        assert math.isclose(point.values["m_a_gev"], float(point.name[2:].replace("p", ".")))
        model = compile_hs3(document, point.name)
        observation, _ = observed_events(model, table)
        alone = upper_limit(model, observation, probe=False, scan_points=0)
        assert point.limit is not None
        assert point.limit.observed == alone.observed
        assert point.significance is not None
        assert point.significance.observed == significance(model, observation).observed
        assert any("outside the range" in note for note in point.notes)


def test_a_closed_scan_has_expected_values_only(document: Hs3Document) -> None:
    """Without events there is nothing observed, at any mass."""
    for point in scan_masses(document, None, analyses=MASSES[:2]):
        assert point.limit is not None
        assert point.limit.observed is None
        assert point.limit.expected[2] is not None
        assert point.significance is not None
        assert point.significance.observed is None
    with pytest.raises(OptionError, match="calculator"):
        scan_masses(document, None, calculator="auto")


def test_full_spectrum_toys_see_an_excess_at_every_near_mass(
    document: Hs3Document, spectrum: np.ndarray
) -> None:
    """Signed local significances of whole data sets equal those of single fits."""
    models: list[UnbinnedModel] = [compile_hs3(document, name) for name in MASSES]
    mass = 0.7525
    bump = np.random.default_rng(6).normal(mass**2, 0.025, 60)
    with_signal = np.concatenate([spectrum, bump])
    z = spectrum_significances(models, [spectrum, with_signal])
    assert z.shape == (2, 3)
    assert not np.isnan(z).any()
    assert z[1, 1] > z[0, 1] + 2.0
    for k, events in enumerate((spectrum, with_signal)):
        for m, model in enumerate(models):
            low, high = model.channels[0].ranges[0]
            inside = events[(events >= low) & (events < high)]
            found = significance(model, model.observe([inside[None, :]]), uncapped=True)
            if found.observed is not None and found.observed > 0.0:
                assert z[k, m] == pytest.approx(found.observed, abs=1e-4)
            else:
                assert z[k, m] <= 1e-4
    capped = spectrum_significances(models, [spectrum], signed=False)
    assert (capped >= 0.0).all()
    np.testing.assert_allclose(capped[0], np.maximum(z[0], 0.0), atol=1e-4)


def test_a_plane_has_no_spectrum() -> None:
    """Models with two observables are refused."""
    with pytest.raises(OptionError, match="one channel and one observable"):
        spectrum_significances([compiled(plane())], [np.zeros(3)])
