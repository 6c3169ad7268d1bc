"""Pages on the newer searches hold what their commands found."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import darkstats
from darkstats.searches.card import read_card
from example_scripts import example_script

NEWER = {
    "single_photon", "zprime_tautau", "b_to_k_alp", "inelastic_dark_matter",
    *(f"b_to_{kaon}_scalar{decay}" for kaon in ("k", "kstar")
      for decay in ("", "_ee", "_pipi", "_kk")),
}  # fmt: skip


@pytest.fixture(scope="module")
def studies(repository: Path) -> Path:
    return repository / "docs/studies"


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def in_page(table: str, page: Path) -> None:
    text = page.read_text("utf-8")
    for line in table.splitlines():
        assert line in text, f"{page.name}: {line}"


def test_closure_of_every_search_is_on_the_page(studies: Path) -> None:
    """5,000 toys at fourteen hypotheses; every failed fit is in the table."""
    found = read(studies / "closure-searches.json")
    script = example_script("closure")
    assert set(found) >= NEWER
    assert all(len(rows) == 14 for rows in found.values())
    in_page(script.summary(found), studies / "closure.md")
    page = (studies / "closure.md").read_text("utf-8")
    fits = sum(4 * 5000 for rows in found.values() for _ in rows)
    assert f"{fits:,}" in page


def test_pulls_are_what_skewed_counts_make_them(studies: Path) -> None:
    """Mean of the pulls, where there are many events, beside -gamma/6; 5,000 toys have 0.014."""
    rows = [row for found in read(studies / "closure-searches.json").values() for row in found]
    many = [row for row in rows if row["events"] > 25.0]
    off = np.array([row["drawn_pull_mean"] - row["pull_mean_of_skewness"] for row in many])
    assert len(many) > 40
    assert np.sqrt(np.mean(off**2)) < 0.02
    assert all(0.95 < row["drawn_pull_width"] < 1.05 for row in many)


def test_spurious_signals_are_on_the_page(studies: Path, repository: Path) -> None:
    found = read(studies / "spurious-searches.json")
    script = example_script("spurious_signal")
    in_page(script.table(found), studies / "closure.md")
    assert set(found) >= NEWER
    for name in ("single_photon", "zprime_tautau", "b_to_k_alp"):
        assert found[name]["card"] == read_card(repository / f"models/{name}.yaml").digest
        assert not found[name]["quick"]
    smooth = found["zprime_tautau"]["summary"]["smoothing"]
    assert smooth["largest"] < script.ASKED_SIGMA


def test_what_decides_single_photons_is_on_the_page(studies: Path, repository: Path) -> None:
    """The card, changed in one choice a time; larger losses and their errors are never better."""
    found = read(studies / "single-photon-limits.json")
    script = example_script("single_photon_limits")
    in_page(script.table(found), repository / "docs/how-to/single-photon.md")
    assert found["card"] == read_card(repository / "models/single_photon.yaml").digest
    limits = {name: np.array(rows)[:, 1] for name, rows in found["limits"].items()}
    assert list(limits) == list(script.VARIATIONS)
    errors = [limits[f"loss errors {words}"] for words in ("0", "10 %", "30 %", "50 %")]
    assert all((one <= 1.001 * two).all() for one, two in itertools.pairwise(errors))
    assert (limits["efficiency 0.75"] < limits["card"]).all()
    assert (limits["no veto beyond the calorimeter"] > 0.99 * limits["card"]).all()
    simulation = read(studies / "single-photon-simulation.json")
    assert simulation["card"] == found["card"]


def test_global_significances_are_on_the_page(studies: Path) -> None:
    """A p-value of toys that did not fail, or the reason why there is none."""
    found = read(studies / "global-searches.json")
    script = example_script("global_table")
    assert set(found) >= NEWER
    in_page(script.table(dict(sorted(found.items()))), studies / "scans.md")
    for row in found.values():
        if "reason" not in row:
            assert row["toys"]["asked"] >= 1024
            assert 0.0 < row["p_global"] <= 1.0
            assert "Asimov" not in row["data"] or row["other_valid_methods"] == []


def test_the_threshold_of_tau_pairs(studies: Path, repository: Path) -> None:
    """The quadratic costs a factor of two at 3.6 GeV without a side band, and little elsewhere."""
    script = example_script("tautau_threshold")
    record = read(studies / "tautau-threshold.json")
    in_page(script.table(record["rows"]), repository / "docs/how-to/tau-pairs.md")
    first, *_, last = record["rows"]
    assert 1.9 < first["20 sigma above 2 m_tau"] < 2.2
    assert last["20 sigma above 2 m_tau"] == last["20 sigma"] < 1.0
    assert first["published_fb"] == 2.31


def test_a_polynomial_holds_the_counts_that_it_was_fitted_to() -> None:
    """The background of the workspace is the quadratic itself, where counts are one."""
    script = example_script("tautau_threshold")
    edges = np.linspace(10.0, 20.0, 11)
    counts = 3.0 + 0.2 * (edges[:-1] - 10.0) + 0.05 * (edges[:-1] - 10.0) ** 2
    signal = {"name": "signal", "data": [0.0] * 4 + [1.0, 1.0] + [0.0] * 4,
              "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}  # fmt: skip
    document = script.floating(signal, edges, counts)
    np.testing.assert_allclose(document["observations"][0]["data"], counts, rtol=1e-9)
    inner = np.array([4, 8, 12, 17, 20])
    grid = np.linspace(0.0, 24.0, 25)
    places = script.around(inner, grid, 2.1, 24.0)
    assert places.tolist() == [4, 8, 12, 17, 20, 24]
    assert script.placed([1.0, 2.0, 3.0, 4.0], inner, places) == [1.0, 2.0, 3.0, 4.0, 0.0]


def test_published_limits_of_b_mesons_have_a_floor(studies: Path, repository: Path) -> None:
    """The shares of the efficiency factorise: kaon and leptons, at each lifetime."""
    shares = read(studies / "fidelity-b-mesons.json")["efficiency_shares"]
    page = (repository / "docs/how-to/b-mesons.md").read_text("utf-8")
    for columns in shares.values():
        for words in example_script("b_mesons").FACTORS:
            assert 0.65 < columns[words][1] < 0.9
            assert f"{columns[words][1]:.2f}" in page
        for name in ("b_to_k_scalar", "b_to_kstar_scalar"):
            assert 1.0 < columns[f"{name}, published over floor"][1] < 1.08
            assert f"{columns[name][1]:.2f}" in page


def test_cards_of_electrons_have_the_conversions(studies: Path, repository: Path) -> None:
    """What the simulation of conversions gives, above 0.1, to the digits of the card."""
    record = read(studies / "b-to-k-conversions.json")
    for name in ("b_to_k_scalar_ee", "b_to_kstar_scalar_ee"):
        settings = read_card(repository / f"models/{name}.yaml").settings
        for row in record[name]:
            extra = row.get("continuum_conversions", 0.0) + row.get("kstar_gamma", 0.0)
            assert settings.expected(row["mass_gev"]) == pytest.approx(0.1 + extra, abs=0.006)
    assert record["continuum_events"] >= 200_000


def test_vertex_tails_as_phase_space(studies: Path) -> None:
    """As many as flat ones over the whole range; none where phase space ends."""
    script = example_script("b_to_k_conversions")
    first, last = 2.0 * script.M_KAON_GEV, script.M_B_GEV - script.M_KSTAR_GEV
    grid = np.linspace(first, last, 2001)
    name = "b_to_kstar_scalar_kk"
    ratios = [script.phase_space_over_flat(name, mass, first, last) for mass in grid]
    assert np.trapezoid(ratios, grid) / (last - first) == pytest.approx(1.0, abs=1e-4)
    assert ratios[0] == ratios[-1] == 0.0
    record = read(studies / "b-to-k-conversions.json")
    most = {k: max(r["vertex_tails_phase_space"] for r in record[k]) for k in script.PROMPT}
    assert most["b_to_k_scalar_kk"] == pytest.approx(0.95, abs=0.005)
    assert all(value < 0.7 for key, value in most.items() if key != "b_to_k_scalar_kk")


def test_conversions_are_pairs_of_little_mass() -> None:
    """Energy is shared, the mass squared is m_e^2 (1 + u^2) / x (1 - x), and falls steeply."""
    script = example_script("b_to_k_conversions")
    rng = np.random.default_rng(1)
    photon = np.tile([2.6, 0.0, 0.0, 2.6], (50_000, 1))
    one, two = script.pairs(photon, rng)
    both = one + two
    np.testing.assert_allclose(both[:, 3], 2.6, rtol=1e-12)
    mass2 = both[:, 0] ** 2 - (both[:, 1:] ** 2).sum(axis=1)
    share = one[:, 3] / 2.6
    across2 = one[:, 1] ** 2 + one[:, 2] ** 2
    wanted = (script.M_E**2 + across2) / (share * (1.0 - share))
    far = (share * (1.0 - share) > 0.02) & (across2 < 1e-3)  # narrow pairs
    np.testing.assert_allclose(mass2[far], wanted[far], rtol=2e-2)
    assert np.mean(across2 < script.M_E**2) == pytest.approx(0.5, abs=0.01)
    # of 1 - 4/3 x (1 - x)
    assert np.var(share) == pytest.approx(13.0 / 140.0, abs=0.002)


def count(expected: float, error: float = 1e-6) -> darkstats.Model:
    return darkstats.compile_workspace(example_script("spurious_signal")._count(expected, error))


@pytest.mark.parametrize(("found", "expected"), [(110.0, 100.0), (90.0, 100.0), (3.0, 4.0)])
def test_a_spurious_signal_is_the_signed_root_of_a_count(found: float, expected: float) -> None:
    """Of one count with a known background: sqrt(2 (n log(n / b) - n + b)), with its sign."""
    script = example_script("spurious_signal")
    root, failed = script.roots(count(expected), np.array([[found]]))
    deviance = 2.0 * (found * np.log(found / expected) - found + expected)
    assert failed == 0
    assert root[0] == pytest.approx(np.sign(found - expected) * np.sqrt(deviance), rel=1e-4)


def test_what_is_known_badly_hides_a_spurious_signal() -> None:
    """With an error of the background the same count is a smaller one; errors give a spread."""
    script = example_script("spurious_signal")
    sets = {"independent": (np.array([120.0]), np.array([[5.0]]))}
    known, hidden = (script.one_window(count(100.0, error), sets, 1) for error in (1e-6, 0.5))
    assert known["independent"] > 1.8 > hidden["independent"] > 0.0
    assert known["failed"] == hidden["failed"] == 0
    assert known["independent_expected_spread"] == pytest.approx(0.5, rel=0.15)


def test_the_skewness_of_a_count_moves_the_mean_of_its_pulls() -> None:
    """-1 / (6 sqrt(N)), and pulls of toys agree with it within their error."""
    script = example_script("closure")
    model = count(50.0)
    found = script.close(model, np.array([50.0]), 14.0, 20_000, 3)
    assert found["pull_mean_of_skewness"] == pytest.approx(-1.0 / (6.0 * np.sqrt(64.0)), rel=1e-6)
    assert found["fixed_pull_mean"] == pytest.approx(found["pull_mean_of_skewness"], abs=0.03)
    assert found["fixed_failed"] == found["drawn_failed"] == 0
    # the estimate of one count is the count: its bias is that of what was thrown
    assert found["fixed_bias_over_spread"] == pytest.approx(
        found["counts_off_over_spread"], abs=2e-3
    )


def test_errors_of_smoothed_simulation(studies: Path, repository: Path) -> None:
    """The page has the record, and one hypothesis comes out again."""
    script = example_script("smoothing_errors")
    found = read(studies / "smoothing-errors.json")
    text = (studies / "closure.md").read_text("utf-8")
    assert set(found) >= {"zprime_mumu", "zprime_mumu_cuts", "muonphilic_scalar", "zprime_tautau"}
    for name, one in found.items():
        assert script.line(name, one["rows"]) in text
    # what the simulation costs, asked for below a tenth of the limit
    for name in ("zprime_tautau", "zprime_tautau_high"):
        assert max(row["cost"] for row in found[name]["rows"]) < 1.1
    again = script.rows(repository / "workspaces/zprime_tautau", 1)
    assert again[0] == pytest.approx(found["zprime_tautau"]["rows"][0], rel=1e-3)
