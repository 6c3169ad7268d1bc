"""Signal between simulated masses: closed forms, properties, a peer, and steps of a card."""

from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from darkstats.arrays import FloatArray
from darkstats.cli import run
from darkstats.errors import CardError, OptionError
from darkstats.searches.histogram_card import build_templates
from darkstats.templates.morphing import (
    METHODS,
    disagreement,
    integral_morph,
    interpolated_contents,
    interpolated_yield,
)
from darkstats.workspace import PatchSet

EDGES = np.linspace(0.0, 10.0, 41)


def box(low: float, high: float) -> FloatArray:
    """Contents of an even spread from low to high."""
    return np.diff(np.clip((EDGES - low) / (high - low), 0.0, 1.0))


def test_boxes_move_and_widen() -> None:
    """Closed form: quantiles of boxes are straight lines, so ends move on straight lines."""
    for fraction in (0.0, 0.25, 0.5, 1.0):
        found = integral_morph(EDGES, 3.0 * box(1.0, 2.0), box(5.0, 8.0), fraction)
        low, high = 1.0 + 4.0 * fraction, 2.0 + 6.0 * fraction
        np.testing.assert_allclose(found, box(low, high), atol=1e-14)


def test_gaps_stay_gaps() -> None:
    """Two boxes with nothing between them become two boxes with nothing between them."""
    first, second = box(1.0, 2.0) + box(4.0, 5.0), box(2.0, 3.0) + box(7.0, 8.0)
    found = integral_morph(EDGES, first, second, 0.5)
    np.testing.assert_allclose(found, 0.5 * (box(1.5, 2.5) + box(5.5, 6.5)), atol=1e-14)


def test_peaks_keep_their_shape() -> None:
    """Closed form: between two Gaussians the mean and the width are between theirs."""
    edges = np.linspace(0.0, 10.0, 2001)

    def peak(mean: float, width: float) -> FloatArray:
        at = np.array([math.erf((x - mean) / (width * math.sqrt(2.0))) for x in edges])
        return 0.5 * np.diff(at)

    found = integral_morph(edges, peak(3.0, 0.2), peak(6.0, 0.5), 1.0 / 3.0)
    np.testing.assert_allclose(found, peak(4.0, 0.3), atol=2e-5)
    assert disagreement(found, peak(4.0, 0.3)).distance < 1e-4


shapes = arrays(float, 8, elements=st.just(0.0) | st.floats(0.01, 1.0)).filter(
    lambda values: values.sum() > 0.0
)
fractions = st.floats(0.0, 1.0)


@given(shapes, shapes, fractions)
def test_quantiles_are_on_straight_lines(
    first: FloatArray, second: FloatArray, fraction: float
) -> None:
    """Peer: a million evenly spaced quantiles of both, averaged and counted in bins."""
    edges = np.array([0.0, 1.0, 1.5, 2.0, 3.0, 5.0, 6.0, 6.5, 9.0])
    found = integral_morph(edges, first, second, fraction)
    levels = (np.arange(20_000) + 0.5) / 20_000
    quantiles = []
    for contents in (first, second):
        filled = contents > 0.0
        ends = np.cumsum(contents[filled]) / contents.sum()
        k = np.minimum(np.searchsorted(ends, levels), filled.sum() - 1)
        inside = (levels - np.concatenate([[0.0], ends])[k]) / (contents[filled] / contents.sum())[
            k
        ]
        low, high = edges[:-1][filled], edges[1:][filled]
        quantiles.append(low[k] + inside * (high - low)[k])
    between = (1.0 - fraction) * quantiles[0] + fraction * quantiles[1]
    wanted = np.histogram(between, edges)[0] / 20_000
    np.testing.assert_allclose(found, wanted, atol=3e-4)


@given(shapes, shapes, fractions, st.sampled_from(METHODS))
def test_contents_are_between(
    first: FloatArray, second: FloatArray, fraction: float, method: str
) -> None:
    """None negative, the yield is its own interpolation, ends and equal shapes are kept."""
    edges = np.arange(9.0)
    found = interpolated_contents(method, edges, first, second, fraction)
    assert np.all(found >= 0.0)
    wanted = interpolated_yield(float(first.sum()), float(second.sum()), fraction)
    assert found.sum() == pytest.approx(wanted, rel=1e-12)
    for end, contents in ((0.0, first), (1.0, second)):
        kept = interpolated_contents(method, edges, first, second, end)
        np.testing.assert_allclose(kept, contents, atol=1e-12)
    same = interpolated_contents(method, edges, first, 2.0 * first, fraction)
    np.testing.assert_allclose(same, first * 2.0**fraction, atol=1e-12)


@given(shapes, shapes, fractions)
def test_it_does_not_matter_from_which_side(
    first: FloatArray, second: FloatArray, fraction: float
) -> None:
    """The way back is the same way."""
    edges = np.arange(9.0)
    there = integral_morph(edges, first, second, fraction)
    back = integral_morph(edges, second, first, 1.0 - fraction)
    np.testing.assert_allclose(there, back, atol=1e-9)


def test_vertical_is_linear_in_each_bin() -> None:
    """Closed form, with yields of their own."""
    first, second = np.array([1.0, 3.0]), np.array([8.0, 8.0])
    found = interpolated_contents("vertical", None, first, second, 0.5)
    np.testing.assert_allclose(found, 8.0 * np.array([0.375, 0.625]))


def test_what_has_no_shape_is_refused() -> None:
    """Nothing, something negative, or no edges."""
    ones = np.ones(2)
    with pytest.raises(OptionError, match="add up to nothing"):
        integral_morph(np.arange(3.0), np.zeros(2), ones, 0.5)
    with pytest.raises(OptionError, match="bin 1 is negative"):
        interpolated_contents("vertical", None, ones, np.array([1.0, -0.1]), 0.5)
    with pytest.raises(OptionError, match="no edges"):
        interpolated_contents("integral", None, ones, ones, 0.5)


def test_disagreement_is_of_yield_and_shape() -> None:
    """By hand."""
    found = disagreement(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 2.0]))
    assert found.yield_ratio == pytest.approx(0.8)
    assert found.distance == pytest.approx(0.1)
    assert found.size == pytest.approx(0.2)


MASSES = (1.0, 2.0, 3.5, 5.0)


def card_of(folder: Path, *, interpolate: str, drop: str = "", widths: float = 0.1) -> Path:
    """Peaks whose mean, width and yield follow the mass, with errors of three kinds."""
    at = {}
    edges = np.linspace(0.0, 8.0, 81)
    for mass in MASSES:
        for name, moved in (("s", 1.0), ("up", 1.02), ("down", 0.98)):
            width = widths * mass + 0.1
            points = [math.erf((x - moved * mass) / (width * math.sqrt(2.0))) for x in edges]
            contents = 0.5 * np.diff(points) * 20.0 * math.exp(-0.4 * mass)
            key = f"{name}_{mass:g}"
            at |= {f"{key}_values": contents, f"{key}_errors": np.sqrt(0.01 * contents),
                   f"{key}_edges": edges}  # fmt: skip
    np.savez(folder / "h.npz", **at)
    lines = [
        "name: mine", "simulated: true", "file: h.npz", "labels: [mass_gev]",
        f"interpolate: {interpolate}", "signals:",
    ]  # fmt: skip
    for mass in MASSES:
        yields = f"{{trigger: [{1 - 0.02 * mass}, {1 + 0.01 * mass}]}}"
        sample = (
            f"{{histogram: s_{mass:g}, yields: {yields}, variations: {{scale: "
            f"{{up: up_{mass:g}, down: down_{mass:g}}}}}}}"
        )
        lines.append(
            f"  m_{mass:g}".replace(".", "p")
            + f": {{values: [{mass}], channels: {{SR: {sample}}}}}"
        )
    lines += ["channels:", "  SR:", "    axis: 'm (GeV)'", "    samples:",
              f"      background: {{free: mu_b, counts: [{', '.join(['3'] * 80)}]}}"]  # fmt: skip
    text = "\n".join(lines) + "\n"
    if drop:
        assert drop in text
        text = text.replace(drop, "")
    path = folder / "card.yaml"
    path.write_text(text, "utf-8")
    return path


def test_signals_between_simulated_ones(tmp_path: Path) -> None:
    """Mean, yield, flat and shape errors follow the mass; the simulated ones are untouched."""
    found = build_templates(
        card_of(tmp_path, interpolate="{method: integral, values: [1.5, 4.25]}")
    )
    assert found.patchset is not None
    assert PatchSet.from_document(found.patchset).select("1.5").name == "mass_gev_1p5"
    assert found.interpolation is not None
    patches = {one["metadata"]["values"][0]: one for one in found.patchset["patches"]}
    assert list(patches) == [1.0, 1.5, 2.0, 3.5, 4.25, 5.0]
    centres = np.linspace(0.05, 7.95, 80)
    for mass in (1.5, 4.25):
        sample = patches[mass]["patch"][0]["value"]
        data = np.array(sample["data"])
        assert data.sum() == pytest.approx(20.0 * math.exp(-0.4 * mass), rel=1e-3)
        assert (centres * data).sum() / data.sum() == pytest.approx(mass, rel=1e-3)
        modifiers = {one["name"]: one for one in sample["modifiers"]}
        assert modifiers["mu"]["type"] == "normfactor"
        trigger = modifiers["trigger"]["data"]
        assert trigger["lo"] == pytest.approx(1.0 - 0.02 * mass)
        up = np.array(modifiers["scale"]["data"]["hi_data"])
        assert (centres * up).sum() / up.sum() == pytest.approx(1.02 * mass, rel=1e-3)
        errors = np.array(modifiers["staterror_SR"]["data"])
        np.testing.assert_allclose(errors**2, 0.01 * data, rtol=1e-9)
    own = np.load(tmp_path / "h.npz")["s_2_values"]
    assert patches[2.0]["patch"][0]["value"]["data"] == own.tolist()


def test_leave_one_out_is_recorded_and_told(tmp_path: Path) -> None:
    """Each inner mass, in the record, the notes, the sidecar and a figure."""
    pytest.importorskip("mplhep", reason="mplhep is an optional extra")
    path = card_of(tmp_path, interpolate="{method: integral, values: {from: 1, to: 5, step: 0.5}}")
    out = io.StringIO()
    figure = tmp_path / "i.png"
    words = ["template", "build", str(path), "-o", str(tmp_path / "out"), "--json",
             "--plot", f"interpolation={figure}"]  # fmt: skip
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert run(words) == 0
    assert figure.stat().st_size > 10_000
    record: dict[str, Any] = json.loads(out.getvalue())
    made = record["interpolation"]
    assert made["interpolated"] == [1.5, 2.5, 3.0, 4.0, 4.5]
    assert [one["value"] for one in made["leave_one_out"]] == [2.0, 3.5]
    for one in made["leave_one_out"]:
        assert one["yield_ratio"] == pytest.approx(1.0, abs=1e-3)
        assert one["distance"] < 0.02
    assert "Read" in made["reference"]
    assert any("without its simulation m_" in note for note in record["notes"])
    sidecar = json.loads((tmp_path / "out/background_only.meta.json").read_text("utf-8"))
    assert sidecar["templates"]["interpolation"]["method"] == "integral"
    assert "simulated" not in sidecar["templates"]["interpolation"]["leave_one_out"][0]


def test_a_method_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """Peaks that move are no case for vertical interpolation, and leave-one-out sees it."""
    asked = "{method: vertical, values: [1.5]}"
    with pytest.raises(CardError, match="is allowed; simulate masses in between"):
        build_templates(card_of(tmp_path, interpolate=asked))
    asked = "{method: vertical, values: [1.5], tolerance: 0.9}"
    assert build_templates(card_of(tmp_path, interpolate=asked)).interpolation is not None


MISTAKES = {
    "below": ("{method: integral, values: [0.5]}", "", "outside the simulated masses, 1 to 5"),
    "above": ("{method: integral, values: {from: 2, to: 6, step: 1}}", "", "nothing is extrapol"),
    "own": ("{method: integral, values: [2]}", "", "2 is simulated"),
    "twice": ("{method: integral, values: [1.5, 1.5]}", "", "or one twice"),
    "none": ("{method: integral, values: []}", "", "names no mass"),
    "method": ("{method: spline, values: [1.5]}", "", "choose one of integral, vertical"),
    "grid": ("{method: integral, values: {from: 1, to: 5, step: 1.0e-9}}", "", "at most 10000"),
    "labels": ("{method: integral, values: [1.5]}", "labels: [mass_gev]\n", None),
    "errors": ("{method: integral, values: [1.5]}",
               "yields: {trigger: [0.96, 1.02]}, ", "only one of them has trigger"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_what_cannot_be_interpolated_names_the_place(tmp_path: Path, name: str) -> None:
    """Ranges, names, errors of one neighbour alone."""
    interpolate, drop, message = MISTAKES[name]
    path = card_of(tmp_path, interpolate=interpolate, drop=drop)
    if message is None:  # one number without a name of its own is fine
        assert build_templates(path).interpolation is not None
        return
    with pytest.raises(CardError) as caught:
        build_templates(path)
    assert message in str(caught.value)
    assert "interpolate" in str(caught.value)


def test_two_masses_cannot_be_validated(tmp_path: Path) -> None:
    """Leave-one-out needs a mass between two others."""
    path = card_of(tmp_path, interpolate="{method: integral, values: [1.5]}")
    lines = path.read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(("  m_3p5", "  m_5"))]
    path.write_text("\n".join(kept) + "\n", "utf-8")
    with pytest.raises(CardError, match="simulate three"):
        build_templates(path)


@pytest.mark.parametrize("mass", [1.0, 2.0])
def test_a_simulated_mass_without_events_is_no_help(tmp_path: Path, mass: float) -> None:
    """Whether it is a neighbour, or the one that is left out of three."""
    path = card_of(tmp_path, interpolate="{method: integral, values: [1.5]}")
    arrays_ = dict(np.load(tmp_path / "h.npz"))
    arrays_[f"s_{mass:g}_values"] = 0.0 * arrays_[f"s_{mass:g}_values"]
    np.savez(tmp_path / "h.npz", **arrays_)
    lines = path.read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("  m_5")]
    path.write_text("\n".join(kept) + "\n", "utf-8")
    with pytest.raises(CardError, match=r"channel SR.*the contents add up to nothing"):
        build_templates(path)
