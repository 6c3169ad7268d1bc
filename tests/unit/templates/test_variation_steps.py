"""Smoothing and symmetrising: closed forms, what is kept, peers, and steps in a card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from darkstats.errors import CardError, OptionError
from darkstats.searches.histogram_card import BuiltTemplates, build_templates
from darkstats.templates.variation_steps import (
    SMOOTHINGS,
    SYMMETRIES,
    change_of,
    local_linear,
    running_medians,
    smoothed_variation,
    symmetrised,
)

contents = arrays(float, st.shared(st.integers(3, 30), key="n"), elements=st.floats(0.5, 100.0))


def test_a_line_stays_and_a_spike_goes() -> None:
    """Closed forms: both methods keep straight lines; medians take a single outlier away."""
    line = 1.0 + 0.01 * np.arange(12)
    np.testing.assert_allclose(running_medians(line), line, rtol=1e-14)
    np.testing.assert_allclose(local_linear(line, np.arange(1.0, 13.0), 3.0), line, rtol=1e-12)
    spiked = line.copy()
    spiked[5] += 1.0
    assert abs(running_medians(spiked)[5] - line[5]) < 0.02
    assert np.ptp(local_linear(spiked, np.ones(12), 3.0)) < 1.0


def test_local_regression_is_weighted_least_squares() -> None:
    """Peer: numpy's polynomial fit in each window with the square roots of the weights."""
    rng = np.random.default_rng(2)
    values, weights = rng.normal(1.0, 0.1, 15), rng.uniform(1.0, 9.0, 15)
    found = local_linear(values, weights, 3.5)
    index = np.arange(15.0)
    for k in range(15):
        kernel = np.clip(1 - np.abs((index - k) / 3.5) ** 3, 0, None) ** 3 * weights
        slope_and_value = np.polyfit(index - k, values, 1, w=np.sqrt(kernel))
        assert found[k] == pytest.approx(slope_and_value[1], rel=1e-10)


@pytest.fixture(scope="module")
def smooth_of_cabinetry() -> Callable[[np.ndarray], np.ndarray]:
    """Imported once, before any clock runs."""
    module = pytest.importorskip("cabinetry.smooth", reason="cabinetry is an optional extra")
    return module.smooth_353qh_twice


@given(values=arrays(float, st.integers(3, 40), elements=st.integers(-6, 6).map(float)))
def test_running_medians_are_those_of_cabinetry(
    smooth_of_cabinetry: Callable[[np.ndarray], np.ndarray], values: np.ndarray
) -> None:
    """Peer: an implementation of 353QH, twice, that shares no code; plateaus and ends included."""
    wanted = smooth_of_cabinetry(values)
    np.testing.assert_allclose(running_medians(values), wanted, rtol=1e-12, atol=1e-12)


@given(contents, contents, st.sampled_from(SMOOTHINGS))
def test_smoothing_keeps_the_yield(nominal: np.ndarray, varied: np.ndarray, method: str) -> None:
    """The total is that of the variation, and scaling both scales the result."""
    try:
        found = smoothed_variation(nominal, varied, method)
    except OptionError:  # a fit that goes below zero everywhere
        return
    assert found.sum() == pytest.approx(varied.sum(), rel=1e-9)
    again = smoothed_variation(2.0 * nominal, 2.0 * varied, method)
    np.testing.assert_allclose(again, 2.0 * found, rtol=1e-9, atol=1e-9)


@given(contents, contents, contents, st.sampled_from(SYMMETRIES))
def test_symmetrised_sides_are_as_far_from_nominal(
    nominal: np.ndarray, low: np.ndarray, high: np.ndarray, how: str
) -> None:
    """Symmetric; what was symmetric stays; `largest` is nowhere nearer than a side was."""
    down, up = symmetrised(nominal, low, high, how)
    np.testing.assert_allclose(up - nominal, nominal - down, rtol=1e-9, atol=1e-9)
    again = symmetrised(nominal, down, up, how)
    np.testing.assert_allclose(again[1], up, rtol=1e-9, atol=1e-9)
    if how == "largest":
        reach = np.maximum(np.abs(high - nominal), np.abs(low - nominal))
        np.testing.assert_allclose(np.abs(up - nominal), reach)
    else:
        np.testing.assert_allclose(up - down, high - low, rtol=1e-9, atol=1e-9)


def test_the_largest_change_is_relative_to_nominal() -> None:
    """2 of 10 is more than 3 of 30."""
    nominal = np.array([10.0, 30.0])
    change = change_of(nominal, nominal, np.array([12.0, 33.0]))
    assert (change.size, change.bin) == (pytest.approx(0.2), 0)


def test_what_cannot_be_smoothed_is_refused() -> None:
    """Two bins, an empty nominal bin, a window for less than a line, nothing left."""
    ones = np.ones(3)
    with pytest.raises(OptionError, match="three bins"):
        smoothed_variation(np.ones(2), np.ones(2), "353QH_twice")
    with pytest.raises(OptionError, match="bin 1: merge bins"):
        smoothed_variation(np.array([1.0, 0.0, 1.0]), ones, "353QH_twice")
    with pytest.raises(OptionError, match="two bins or more"):
        local_linear(ones, ones, 1.5)
    with pytest.raises(OptionError, match="add up to nothing"):
        smoothed_variation(ones, np.zeros(3), "353QH_twice")


CARD = """name: mine
channels:
  SR:
    samples:
      signal: {counts: [1, 2, 1, 1, 1], free: mu}
      background:
        counts: [10, 10, 10, 10, 10]
        variations:
          scale: {up: {counts: [11, 11, 16, 11, 11]}, down: {counts: [9, 9, 9, 9, 10.5]}STEPS}
"""


def built(tmp_path: Path, steps: str, card: str = CARD) -> BuiltTemplates:
    path = tmp_path / "card.yaml"
    path.write_text(card.replace("STEPS", steps), "utf-8")
    return build_templates(path)


def sides(found: BuiltTemplates) -> tuple[list[float], list[float]]:
    data = found.workspace.document["channels"][0]["samples"][1]["modifiers"][0]["data"]
    return data["hi_data"], data["lo_data"]


def test_steps_of_a_card_change_what_they_say(tmp_path: Path) -> None:
    """Smooth, then symmetrise; each is in the record with its largest change, and is told."""
    found = built(tmp_path, ", smooth: 353QH_twice")
    up, down = sides(found)
    assert up == pytest.approx([12.0] * 5)  # the spike goes, the yield stays
    assert [one["step"] for one in found.steps] == ["smooth", "smooth"]
    assert found.steps[0]["largest_change"] == pytest.approx(0.4)
    assert found.steps[0]["bin"] == 2
    assert any("40.00% of nominal, in bin 2" in note for note in found.notes)
    assert any("J. H. Friedman" in note for note in found.notes)
    found = built(tmp_path, ", symmetrise: half_difference")
    up, down = sides(found)
    assert up == pytest.approx([11.0, 11.0, 13.5, 11.0, 10.25])
    assert down == pytest.approx([9.0, 9.0, 6.5, 9.0, 9.75])
    assert any("same side of nominal in bin 4" in note for note in found.notes)
    up, down = sides(built(tmp_path, ", symmetrise: largest"))
    assert up == pytest.approx([11.0, 11.0, 16.0, 11.0, 11.0])
    both = built(
        tmp_path, ", smooth: {method: local_linear, bandwidth: 4}, symmetrise: half_difference"
    )
    assert [one["step"] for one in both.steps] == ["smooth", "smooth", "symmetrise", "symmetrise"]
    assert both.steps[0]["bandwidth_bins"] == 4.0


def test_without_a_step_nothing_is_changed(tmp_path: Path) -> None:
    """Contents to the bit."""
    found = built(tmp_path, "")
    assert sides(found) == ([11.0, 11.0, 16.0, 11.0, 11.0], [9.0, 9.0, 9.0, 9.0, 10.5])
    assert found.steps == ()


ONE_SIDED = CARD.replace(", down: {counts: [9, 9, 9, 9, 10.5]}", "")
MISTAKES = {
    "method": (CARD, ", smooth: spline", "choose one of 353QH_twice, local_linear"),
    "bandwidth": (CARD, ", smooth: {method: 353QH_twice, bandwidth: 3}", "has no bandwidth"),
    "narrow": (CARD, ", smooth: {method: local_linear, bandwidth: 1}", "1 is less than 2"),
    "how": (CARD, ", symmetrise: mean", "choose one of half_difference, largest"),
    "mirror": (CARD, ", mirror: true", "symmetrise: largest takes both"),
    "both": (ONE_SIDED, ", mirror: true, symmetrise: largest", "beside 'mirror'"),
    "one": (ONE_SIDED, ", symmetrise: largest", "or mirror: true"),
    "empty": (CARD.replace("[10, 10", "[10, 0"), ", smooth: 353QH_twice", "merge bins"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_steps_that_cannot_be_done_name_the_place(tmp_path: Path, name: str) -> None:
    """Line and key, and what to write."""
    card, steps, message = MISTAKES[name]
    with pytest.raises(CardError) as caught:
        built(tmp_path, steps, card)
    assert message in str(caught.value)
    assert "variations.scale" in str(caught.value)


def test_the_figure_shows_both_sides_before_and_after(tmp_path: Path) -> None:
    """One panel a step, with its numbers; without a step there is no figure, and a reason."""
    pytest.importorskip("mplhep", reason="mplhep is an optional extra")
    from darkstats import workflows as w

    built(tmp_path, ", smooth: 353QH_twice, symmetrise: half_difference")
    request = w.TemplateRequest(card=str(tmp_path / "card.yaml"), output=str(tmp_path / "out"))
    drawing = w.build_template(request).figure("steps")
    assert len(drawing.figure.axes) == 2
    assert set(drawing.columns["step"]) == {"smooth", "symmetrise"}
    assert drawing.columns["before"][:5] == [11.0, 11.0, 16.0, 11.0, 11.0]
    labels = {text.get_text() for text in drawing.figure.axes[0].get_legend().get_texts()}
    assert labels == {"up, before", "up, after", "down, before", "down, after"}
    built(tmp_path, "")
    with pytest.raises(OptionError, match="plot variations=FILE"):
        w.build_template(request).figure("steps")
