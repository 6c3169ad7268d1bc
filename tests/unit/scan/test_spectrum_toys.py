"""Toys of the whole spectrum, and roots of all windows on them."""

import copy
import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import darkstats
from darkstats.errors import OptionError
from darkstats.model import Observation
from darkstats.scan.spectrum import SpectrumMap
from darkstats.scan.spectrum_toys import TOYS_PER_BLOCK, Spectrum, noise_key
from darkstats.scan.window_roots import CountingWindows, FittedWindows, roots_of_counts
from darkstats.workspace import Workspace

DIGEST = "ab" * 32


def document(**spectra):
    return {
        "channels": [
            {"name": n, "samples": [{"name": "b", "data": list(d), "modifiers": []}]}
            for n, d in spectra.items()
        ],
        "observations": [{"name": n, "data": list(d)} for n, d in spectra.items()],
        "measurements": [{"name": "m", "config": {"poi": "", "parameters": []}}],
        "version": "1.0.0",
    }


def spectrum(contains=None, errors=None, **spectra):
    plain = document(**spectra)
    for name, error in (errors or {}).items():
        (channel,) = (c for c in plain["channels"] if c["name"] == name)
        channel["samples"][0]["modifiers"].append(
            {"name": "yield", "type": "normsys", "data": {"lo": 1 / (1 + error), "hi": 1 + error}}
        )
    windows = SpectrumMap.of(plain, {"windows": {}, "contains": contains or {}})
    return Spectrum.of(plain, windows, DIGEST)


def counting_model(on, off):
    """On and off counts with a common background error of 10 %, and errors of simulation."""

    def sample(background, error):
        return {
            "name": "b",
            "data": [background],
            "modifiers": [
                {"name": "yield", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}},
                {"name": f"stat_{error}", "type": "staterror", "data": [0.05 * background]},
            ],
        }

    signal = {
        "name": "s",
        "data": [1.0],
        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
    }
    return darkstats.compile_workspace(
        Workspace.from_document(
            {
                "channels": [
                    {"name": "on", "samples": [signal, sample(on, "on")]},
                    {"name": "off", "samples": [sample(off, "off")]},
                ],
                "observations": [{"name": "on", "data": [0]}, {"name": "off", "data": [0]}],
                "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
                "version": "1.0.0",
            }
        )
    )


def test_a_block_is_always_the_same():
    flat = spectrum(a=[3.0] * 20)
    first = flat.draw(5, 2)
    assert first.shape == (TOYS_PER_BLOCK, 20)
    assert np.array_equal(first, flat.draw(5, 2))
    assert np.array_equal(first[:10], flat.draw(5, 2, 10))
    assert not np.array_equal(first, flat.draw(5, 3))
    assert not np.array_equal(first, flat.draw(6, 2))


def test_counts_are_poisson():
    """Mean and variance of 20 x 1024 bins; 5 standard errors."""
    expected = np.linspace(0.2, 30.0, 20)
    counts = spectrum(a=expected).draw(1, 0)
    assert np.all(np.abs(counts.mean(axis=0) - expected) < 5 * np.sqrt(expected / TOYS_PER_BLOCK))
    scatter = np.sqrt((2 + 1 / expected) / TOYS_PER_BLOCK)
    assert np.all(np.abs(counts.var(axis=0) / expected - 1) < 5 * scatter)


def test_events_one_by_one_fill_bins_as_counts_do():
    """Walker's table: frequencies of bins, and independent Poisson counts (5 standard errors)."""
    expected = np.concatenate([np.geomspace(1e-4, 5.0, 30), [0.0, 2.0]])
    flat = spectrum(a=expected)
    begin, events = flat.draw_events(3, 1)
    toy = np.repeat(np.arange(TOYS_PER_BLOCK), np.diff(begin[0]))
    counts = np.zeros((TOYS_PER_BLOCK, len(expected)))
    np.add.at(counts, (toy, events), 1.0)
    error = np.sqrt(np.maximum(expected, 1e-3) / TOYS_PER_BLOCK)
    assert np.all(np.abs(counts.mean(axis=0) - expected) < 5 * error)
    assert counts[:, 30].sum() == 0
    correlation = np.corrcoef(counts[:, 28], counts[:, 31])[0, 1]
    assert abs(correlation) < 5 / math.sqrt(TOYS_PER_BLOCK)
    few_begin, few_events = flat.draw_events(3, 1, 7)
    assert np.array_equal(few_begin, begin[:, :8])
    assert np.array_equal(few_events, events[: begin[0, 7]])


def test_yields_fluctuate_together():
    """Two channels with one error of 20 %: variance and correlation of their counts."""
    both = spectrum(errors={"a": 0.2, "b": 0.2}, a=[100.0], b=[100.0], c=[100.0])
    assert len(both.sources) == 2
    counts = np.zeros((TOYS_PER_BLOCK, 3))
    begin, events = both.draw_events(3, 1)
    for source in range(2):
        lengths = np.diff(begin[source])
        part = events[begin[source, 0] : begin[source, -1]]
        np.add.at(counts, (np.repeat(np.arange(TOYS_PER_BLOCK), lengths), part), 1.0)
    variance = 100 + 100**2 * math.log(1.2) ** 2
    assert counts[:, 0].var() == pytest.approx(variance, rel=0.25)
    assert counts[:, 2].var() == pytest.approx(100.0, rel=0.25)
    assert np.corrcoef(counts[:, 0], counts[:, 1])[0, 1] == pytest.approx(0.77, abs=0.08)
    assert abs(np.corrcoef(counts[:, 0], counts[:, 2])[0, 1]) < 0.15


def test_nested_channels_share_their_events():
    inner, outer = np.array([5.0, 2.0]), np.array([8.0, 2.0])
    both = spectrum(contains={"outer": "inner"}, inner=inner, outer=outer)
    counts = both.draw(1, 0)
    assert np.all(counts[:, 2:] >= counts[:, :2])
    assert np.array_equal(counts[:, 1], counts[:, 3])
    assert counts[:, 2].mean() == pytest.approx(8.0, abs=5 * math.sqrt(8 / TOYS_PER_BLOCK))
    with pytest.raises(OptionError, match="event by event"):
        both.draw_events(1, 0)


def test_an_empty_spectrum_is_refused():
    with pytest.raises(OptionError, match="expects no events"):
        spectrum(a=[0.0, 0.0])


def windows_of(names, fills, plain):
    windows = SpectrumMap.of(plain, {"windows": dict(zip(names, fills, strict=True))})
    return windows, [windows.window(name) for name in names]


@pytest.fixture(scope="module")
def counting():
    """Three windows of a spectrum of 40 bins; the two last overlap."""
    plain = document(a=[0.4] * 40)
    fills = [
        {
            "on": {"spectrum": "a", "bins": [[start, 4]]},
            "off": {"spectrum": "a", "bins": [[start - 8, 6, start + 6, 6]]},
        }
        for start in (10, 18, 20)
    ]
    windows, chosen = windows_of(("x", "y", "z"), fills, plain)
    flat = Spectrum.of(plain, windows, DIGEST)
    models = [counting_model(1.6, 4.8) for _ in chosen]
    return models, chosen, flat


def test_tables_and_fits_give_the_same_roots(counting):
    """Looked up or fitted with the same auxiliary data: the same to the tolerance of fits."""
    models, chosen, flat = counting
    tables = CountingWindows.of(("x", "y", "z"), models, chosen, flat)
    found = tables.roots(flat, 7, 0, 300)
    begin, events = flat.draw_events(7, 0, 300)
    fine = np.zeros((300, 40))
    np.add.at(fine, (np.repeat(np.arange(300), np.diff(begin[0])), events), 1.0)
    for k, (model, window) in enumerate(zip(models, chosen, strict=True)):
        auxdata = np.repeat(model.observation.auxdata[np.newaxis], 300, axis=0)
        start = model.inits.copy()
        start[model.require_poi()] = 0.0
        fitted = roots_of_counts(model, window.gather(fine), auxdata, start=start)
        np.testing.assert_allclose(found[:, k], fitted, atol=3e-5)
    assert tables.failed == 0


def test_roots_are_those_of_the_significance(counting):
    """For single data sets, against the certified significance."""
    (model, *_), _, _ = counting
    index = model.parameter_index("mu")
    start = model.inits.copy()
    start[index] = 0.0
    for counts in ([0.0, 5.0], [3.0, 2.0], [9.0, 4.0], [2.0, 20.0]):
        data = Observation(counts=np.array(counts), auxdata=model.observation.auxdata)
        wanted = darkstats.significance(model, data).observed
        (root,) = roots_of_counts(model, np.array([counts]), data.auxdata[np.newaxis], start=start)
        assert root == pytest.approx(wanted, abs=2e-5)


def test_deficits_have_a_root_of_exactly_zero(counting):
    models, chosen, flat = counting
    roots = CountingWindows.of(("x", "y", "z"), models, chosen, flat).roots(flat, 7, 0, 1024)
    share = np.mean(roots == 0.0)
    assert 0.3 < share < 0.8
    assert not np.any((roots > 0.0) & (roots < 1e-4))


def test_overlapping_windows_are_correlated_and_distant_ones_are_not(counting):
    models, chosen, flat = counting
    roots = CountingWindows.of(("x", "y", "z"), models, chosen, flat).roots(flat, 7, 0, 1024)
    correlation = np.corrcoef(roots.T)
    assert correlation[1, 2] > 0.3
    assert abs(correlation[0, 2]) < 0.2


def test_a_window_of_three_bins_is_no_counting_window(counting):
    models, chosen, flat = counting
    wide = copy.copy(models)
    example = Path(__file__).parents[3] / "workspaces/examples/three_channels.json"
    other = darkstats.compile_workspace(darkstats.read_workspace(str(example)))
    assert not CountingWindows.suits([*wide, other])
    with pytest.raises(OptionError, match="one count"):
        CountingWindows.of(("a",), [other], chosen[:1], flat)


def test_fitted_windows_draw_shared_nuisances_once(counting):
    """The same name is the same number in all windows; errors of simulation belong to each."""
    (model, *_), _, _ = counting
    keys = {p.name: noise_key(p, "w") for p in model.parameters if p.constrained}
    assert keys["yield"] == "yield"
    assert all(key == f"w/{name}" for name, key in keys.items() if name != "yield")


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("charm_simulation_sum", True),
        ("tautau_simulation_row2_slope", True),
        ("signal_simulation", False),
        ("charm_yield", False),
        ("charm_simulation_sum_rule", False),
    ],
)
def test_modes_of_smoothed_simulation_belong_to_their_window(counting, name, local):
    """Windows far apart share no simulation, though their modes have one name."""
    (model, *_), _, _ = counting
    shared = next(p for p in model.parameters if p.name == "yield")
    key = noise_key(dataclasses.replace(shared, name=name), "w")
    assert key == (f"w/{name}" if local else name)


def test_both_kinds_of_toys_have_the_same_tails():
    """Auxiliary data drawn, or yields drawn: alike to first order, and held data are narrower.

    40 events over 120 in the sideband, a common error of 10 %: P(root > 1) within 0.05 (1024 toys).
    """
    plain = document(a=[10.0] * 40)
    fill = {"on": {"spectrum": "a", "bins": [[14, 4]]},
            "off": {"spectrum": "a", "bins": [[4, 6, 22, 6]]}}  # fmt: skip
    windows, chosen = windows_of(("x",), [fill], plain)
    models = [counting_model(40.0, 120.0)]
    sample = plain["channels"][0]["samples"][0]
    held = Spectrum.of(plain, windows, DIGEST)
    sample["modifiers"] = [{"name": "yield", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}}]
    fluctuating = Spectrum.of(plain, windows, DIGEST)
    tables = CountingWindows.of(("x",), models, chosen, held)
    yields = tables.roots(fluctuating, 7, 0, 1024)[:, 0]
    fitted = FittedWindows.of(("x",), models, chosen, held).roots(held, 8, 0, 1024)[:, 0]
    assert not np.isnan(fitted).any()
    assert abs(np.mean(yields > 1.0) - np.mean(fitted > 1.0)) < 0.05
    still = tables.roots(held, 7, 0, 1024)[:, 0]
    assert still.std() < min(yields.std(), fitted.std())


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.0, 50.0), min_size=1, max_size=12).filter(lambda x: sum(x) > 0))
def test_alias_tables_keep_probabilities(expected):
    flat = spectrum(a=expected)
    share, other = flat.sources[0].alias
    n = len(expected)
    kept = share / n
    np.add.at(kept, other, (1.0 - share) / n)
    np.testing.assert_allclose(kept, np.array(expected) / sum(expected), atol=1e-12)


def test_json_of_a_document_is_its_digest():
    from darkstats.workspace import pyhf_digest

    plain = document(a=[1.0])
    assert pyhf_digest(plain) == pyhf_digest(json.loads(json.dumps(plain)))
