"""Interpolation codes against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import OptionError, UnknownNameError
from darkstats.model import HistFactoryModel, InterpolationCodes, compile_workspace
from darkstats.model.interpolation import normsys_coefficients
from darkstats.workspace import Workspace
from small_models import compiled

factors = st.floats(0.3, 3.0)


def test_a_code_that_is_not_named_keeps_its_default() -> None:
    """Not so in pyhf, which changes the other one."""
    both = InterpolationCodes.parse("normsys=code1, histosys=code0")
    assert (both.normsys, both.histosys) == ("code1", "code0")
    assert InterpolationCodes.parse("normsys=code1") == InterpolationCodes(normsys="code1")
    assert InterpolationCodes.parse("histosys=code2") == InterpolationCodes(histosys="code2")
    for text in ("", "normsys=code1,normsys=code4", "code4", "normsys=code1,shapesys=code0"):
        with pytest.raises(OptionError, match="normsys"):
            InterpolationCodes.parse(text)


@pytest.mark.parametrize("bad", [{"normsys": "code2"}, {"histosys": "code1"}])
def test_unknown_codes_list_the_known(bad: dict[str, str]) -> None:
    """An unknown code is refused with the list of known ones."""
    with pytest.raises(UnknownNameError, match="choose one of"):
        InterpolationCodes(**bad)


@given(hi=factors, lo=factors)
def test_code4_joins_smoothly(hi: float, lo: float) -> None:
    """The polynomial has value, slope and curvature of the exponentials at plus and minus one."""
    _, _, *a = normsys_coefficients(hi, lo)
    poly = np.polynomial.Polynomial([1.0, *a])
    for side, base in ((1.0, hi), (-1.0, lo)):
        log = math.log(base)
        assert poly(side) == pytest.approx(base, abs=1e-12)
        assert poly.deriv(1)(side) == pytest.approx(side * base * log, abs=1e-11)
        assert poly.deriv(2)(side) == pytest.approx(base * log * log, abs=1e-10)


def _model(codes: InterpolationCodes) -> HistFactoryModel:
    modifiers = [
        {"name": "norm", "type": "normsys", "data": {"hi": 1.3, "lo": 0.8}},
        {"name": "shape", "type": "histosys", "data": {"hi_data": [14.0], "lo_data": [9.0]}},
    ]
    document = {
        "version": "1.0.0",
        "channels": [
            {"name": "c", "samples": [{"name": "b", "data": [10.0], "modifiers": modifiers}]}
        ],
        "observations": [{"name": "c", "data": [10.0]}],
        "measurements": [{"name": "m", "config": {"poi": "", "parameters": []}}],
    }
    return compile_workspace(Workspace.from_document(document), interpolation=codes)


@pytest.mark.parametrize("alpha", [-2.0, -1.0, -0.4, 0.0, 0.4, 1.0, 2.0])
def test_exponential_and_piecewise_linear(alpha: float) -> None:
    """code1 is hi^alpha or lo^-alpha, code0 moves linearly towards either variation."""
    model = _model(InterpolationCodes(normsys="code1", histosys="code0"))
    norm, shape = model.parameter_index("norm"), model.parameter_index("shape")
    point = model.inits
    point[norm] = alpha
    expected = 1.3**alpha if alpha > 0 else 0.8**-alpha
    assert model.expected_rates(point)[0] == pytest.approx(10.0 * expected, rel=1e-14)
    point = model.inits
    point[shape] = alpha
    expected = 10.0 + alpha * (4.0 if alpha > 0 else 1.0)
    assert model.expected_rates(point)[0] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("codes", [InterpolationCodes(), InterpolationCodes(histosys="code2")])
def test_variations_are_met_at_one_sigma(codes: InterpolationCodes) -> None:
    """Every code reproduces the given variations at plus and minus one sigma, and is continuous."""
    model = _model(codes)
    shape = model.parameter_index("shape")
    for alpha, expected in ((1.0, 14.0), (-1.0, 9.0), (1.0 + 1e-9, 14.0), (-1.0 - 1e-9, 9.0)):
        point = model.inits
        point[shape] = alpha
        assert model.expected_rates(point)[0] == pytest.approx(expected, rel=1e-8)


def test_parameters_shared_by_normsys_and_histosys() -> None:
    """One name on a normsys and a histosys is one parameter that moves both."""
    modifiers = [
        {"name": "x", "type": "normsys", "data": {"hi": 1.2, "lo": 0.9}},
        {"name": "x", "type": "histosys", "data": {"hi_data": [12.0], "lo_data": [9.0]}},
        {"name": "mu", "type": "normfactor", "data": None},
    ]
    document = {
        "version": "1.0.0",
        "channels": [
            {"name": "c", "samples": [{"name": "b", "data": [10.0], "modifiers": modifiers}]}
        ],
        "observations": [{"name": "c", "data": [10.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
    model = compiled(document)
    assert model.parameter_names == ("x", "mu")
    assert model.expected_rates(np.array([1.0, 2.0]))[0] == pytest.approx(2.0 * 1.2 * 12.0)
