"""Projections: the same physics has the same limit, in whatever modifier and place it stands.

A relative uncertainty may be a normsys, a histosys, a shapesys, a staterror or a lumi, and its
width may stand in the modifier or in the measurement. What is expected here is worked out by hand:
yields times the factor, widths times the shrinking, parameters held at their nominal values.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pytest

from darkstats.errors import LimitNotFoundError, OptionError
from darkstats.inference import blinded_observation, upper_limit
from darkstats.model import compile_workspace
from darkstats.scan.projection import SYSTEMATICS, projected
from darkstats.workspace import Workspace, lint

Document = dict[str, Any]


def document(
    modifiers: list[Document], *parameters: Document, signal: float = 10.0, background: float = 50.0
) -> Document:
    """One bin; the modifiers scale its background, and its signal where they are luminosity."""
    mu = {"name": "mu", "type": "normfactor", "data": None}
    on_signal = [m for m in modifiers if m["type"] == "lumi"]
    samples = [
        {"name": "signal", "data": [signal], "modifiers": [mu, *on_signal]},
        {"name": "background", "data": [background], "modifiers": modifiers},
    ]
    return {
        "channels": [{"name": "A", "samples": samples}],
        "observations": [{"name": "A", "data": [background]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": list(parameters)}}],
        "version": "1.0.0",
    }


def normsys(width: float) -> Document:
    modifier = {"name": "k", "type": "normsys", "data": {"lo": 1.0 - width, "hi": 1.0 + width}}
    return document([modifier])


def histosys(width: float) -> Document:
    data = {"lo_data": [50.0 * (1.0 - width)], "hi_data": [50.0 * (1.0 + width)]}
    return document([{"name": "k", "type": "histosys", "data": data}])


def staterror(width: float) -> Document:
    return document([{"name": "k", "type": "staterror", "data": [50.0 * width]}])


def staterror_by_sigmas(width: float) -> Document:
    return document(
        [{"name": "k", "type": "staterror", "data": [7.0]}], {"name": "k", "sigmas": [width]}
    )


def shapesys(width: float) -> Document:
    return document([{"name": "k", "type": "shapesys", "data": [50.0 * width]}])


def shapesys_by_factors(width: float) -> Document:
    counts = [width**-2]
    return document(
        [{"name": "k", "type": "shapesys", "data": [7.0]}],
        {"name": "k", "factors": counts, "auxdata": counts},
    )


def luminosity(width: float, nominal: float = 1.0, **settings: Any) -> Document:
    entry = {
        "name": "lumi", "auxdata": [nominal], "sigmas": [width], "inits": [nominal],
        "bounds": [[0.0, 10.0]], **settings,
    }  # fmt: skip
    lumi = {"name": "lumi", "type": "lumi", "data": None}
    return document([lumi], entry, signal=10.0 / nominal, background=50.0 / nominal)


def signal_and_background(width: float) -> Document:
    """The twin of a luminosity: a histosys is as linear as its factor."""
    found = histosys(width)
    data = {"lo_data": [10.0 * (1.0 - width)], "hi_data": [10.0 * (1.0 + width)]}
    signal = found["channels"][0]["samples"][0]
    signal["modifiers"].append({"name": "k", "type": "histosys", "data": data})
    return found


WAYS: dict[str, Callable[[float], Document]] = {
    f.__name__: f
    for f in (normsys, histosys, staterror, staterror_by_sigmas, shapesys, shapesys_by_factors)
}


def expected(made: Document) -> tuple[float | None, ...]:
    model = compile_workspace(Workspace.from_document(made))
    data = blinded_observation(model)
    return upper_limit(model, data, blind=True, scan_points=0, probe=False).expected


def by_hand(way: Callable[[float], Document], width: float, factor: float) -> Document:
    """The document written anew with this width, all its events times ``factor``."""
    found = way(width)
    for sample in found["channels"][0]["samples"]:
        sample["data"] = [factor * n for n in sample["data"]]
        for modifier in sample["modifiers"]:
            data = modifier["data"]
            if modifier["type"] in {"staterror", "shapesys"}:
                modifier["data"] = [factor * n for n in data]
            elif modifier["type"] == "histosys":
                modifier["data"] = {side: [factor * n for n in data[side]] for side in data}
    return found


@pytest.mark.parametrize("factor", [0.1, 0.5, 4.0, 1000.0])
@pytest.mark.parametrize("systematics", SYSTEMATICS)
@pytest.mark.parametrize("way", WAYS)
def test_a_projection_is_the_document_written_with_the_width_that_was_stated(
    way, systematics, factor
):
    width = 0.2 / (sqrt(factor) if systematics == "statistical" else 1.0)
    found = expected(projected(WAYS[way](0.2), factor, systematics=systematics))
    if systematics == "none":
        twin = document([], signal=10.0 * factor, background=50.0 * factor)
    else:
        twin = by_hand(WAYS[way], width, factor)
    assert found == pytest.approx(expected(twin), rel=1e-9)


@pytest.mark.parametrize(("factor", "median"), [(1.0, 3.7010), (100.0, 0.24846), (1000.0, 0.07673)])
def test_a_luminosity_error_falls_like_all_others(factor, median):
    """10 over 50 with 20%: 3.2285 at 100 times the luminosity where its width stands still."""
    found = expected(projected(luminosity(0.2), factor, systematics="statistical"))
    assert found[2] == pytest.approx(median, rel=3e-5)
    twin = projected(signal_and_background(0.2), factor, systematics="statistical")
    assert found == pytest.approx(expected(twin), rel=1e-6)


@pytest.mark.parametrize("nominal", [1.0, 2.0, 36.1])
@pytest.mark.parametrize("factor", [0.3, 1.0, 100.0])
@pytest.mark.parametrize("systematics", SYSTEMATICS)
def test_the_unit_of_the_luminosity_does_not_matter(systematics, factor, nominal):
    """Yields for one unit, and a luminosity of ``nominal`` units."""
    made = luminosity(0.1 * nominal, nominal, bounds=[[0.0, 10.0 * nominal]])
    found = expected(projected(made, factor, systematics=systematics))
    unit = expected(projected(luminosity(0.1), factor, systematics=systematics))
    assert found == pytest.approx(unit, rel=1e-6)


def test_without_systematics_a_luminosity_keeps_its_value():
    """Auxiliary datum 2: 2.2240 where the modifier goes and takes its factor along."""
    made = luminosity(0.4, 2.0)
    found = expected(projected(made, 1.0, systematics="none"))
    assert found[2] == pytest.approx(1.5168, rel=3e-5)
    held = luminosity(0.4, 2.0, fixed=True)
    assert found == pytest.approx(expected(held), rel=1e-9)


HELD: dict[str, tuple[Document, Document]] = {
    "pull": (normsys(0.2), {"name": "k", "auxdata": [0.7], "inits": [0.0]}),
    "pull of a shape": (histosys(0.2), {"name": "k", "auxdata": [-0.4]}),
    "fixed pull": (normsys(0.2), {"name": "k", "fixed": True, "inits": [1.5]}),
    "gamma": (staterror(0.2), {"name": "k", "auxdata": [1.3], "bounds": [[0.5, 2.0]]}),
    "counts": (shapesys(0.2), {"name": "k", "auxdata": [35.0]}),
    "counts and factors": (shapesys(0.2), {"name": "k", "auxdata": [30.0], "factors": [20.0]}),
    "beyond its bounds": (normsys(0.2), {"name": "k", "auxdata": [2.0], "bounds": [[-1.0, 1.0]]}),
}
NOMINAL = {
    "pull": 0.7, "pull of a shape": -0.4, "fixed pull": 1.5, "gamma": 1.3, "counts": 35.0 / 25.0,
    "counts and factors": 1.5, "beyond its bounds": 2.0,
}  # fmt: skip


@pytest.mark.parametrize("case", HELD)
@pytest.mark.parametrize("factor", [1.0, 100.0])
def test_without_systematics_each_parameter_stands_at_its_nominal_value(case, factor):
    made, entry = copy.deepcopy(HELD[case])
    held = copy.deepcopy(made)
    made["measurements"][0]["config"]["parameters"] = [entry]
    value = NOMINAL[case]
    held["measurements"][0]["config"]["parameters"] = [
        {"name": "k", "inits": [value], "fixed": True}
    ]
    assert not [f for f in lint(made) if f.severity == "error"]
    found = expected(projected(made, factor, systematics="none"))
    for sample in held["channels"][0]["samples"]:
        for modifier in sample["modifiers"]:
            if modifier["type"] == "histosys":
                data = modifier["data"]
                modifier["data"] = {side: [factor * n for n in data[side]] for side in data}
            elif modifier["type"] in {"staterror", "shapesys"}:
                modifier["data"] = [factor * n for n in modifier["data"]]
        sample["data"] = [factor * n for n in sample["data"]]
    assert found == pytest.approx(expected(held), rel=1e-9)


def test_counts_of_a_shapesys_keep_their_nominal_value():
    """Auxiliary counts grow with what is expected of them: gamma stays where it was."""
    made = shapesys(0.2)
    made["measurements"][0]["config"]["parameters"] = [{"name": "k", "auxdata": [35.0]}]
    found = compile_workspace(
        Workspace.from_document(projected(made, 100.0, systematics="statistical"))
    )
    gamma = found.parameters[found.parameter_index("k[0]")]
    assert gamma.auxdata / gamma.width == pytest.approx(35.0 / 25.0)
    assert gamma.width == pytest.approx(2500.0)


def test_the_range_of_a_factor_grows_with_its_width():
    """A range of five standard deviations would be one of 1.6 at a tenth of the luminosity."""
    made = luminosity(0.02, bounds=[[0.9, 1.1]])
    found = projected(made, 0.1, systematics="statistical")
    (entry,) = found["measurements"][0]["config"]["parameters"]
    assert entry["sigmas"] == [pytest.approx(0.02 * sqrt(10.0))]
    assert entry["bounds"] == [pytest.approx([1.0 - 0.1 * sqrt(10.0), 1.0 + 0.1 * sqrt(10.0)])]
    wide = projected(luminosity(0.02), 0.1, systematics="statistical")
    assert expected(found) == pytest.approx(expected(wide), rel=1e-6)


@pytest.mark.parametrize("systematics", SYSTEMATICS)
def test_the_parameter_of_interest_is_no_systematic_error(systematics):
    """A limit on a pull: it is neither dropped nor shrunk."""
    made = normsys(0.2)
    made["measurements"][0]["config"]["poi"] = "k"
    found = projected(made, 4.0, systematics=systematics)
    kept = [m for m in found["channels"][0]["samples"][1]["modifiers"] if m["name"] == "k"]
    assert [m["data"] for m in kept] == [{"lo": 0.8, "hi": 1.2}]


def test_an_error_that_grows_beyond_the_yield_is_refused():
    with pytest.raises(OptionError, match=r"normsys 'k' .* -158 % .*--systematics same"):
        projected(normsys(0.5), 0.1, systematics="statistical")


def test_every_measurement_is_scaled_and_the_document_is_left_alone():
    made = luminosity(0.2)
    made["measurements"].append({**copy.deepcopy(made["measurements"][0]), "name": "other"})
    before = copy.deepcopy(made)
    found = projected(made, 4.0, systematics="statistical")
    sigmas = [m["config"]["parameters"][0]["sigmas"] for m in found["measurements"]]
    assert sigmas == [[0.1], [0.1]]
    assert made == before


def test_a_limit_that_does_not_exist_is_not_printed():
    """A luminosity that is known to 63% may be zero: the strength has no upper limit."""
    with pytest.raises(LimitNotFoundError):
        expected(projected(luminosity(0.2), 0.1, systematics="statistical"))


def test_blinded_data_stand_at_the_auxiliary_data():
    """Not at the value where the minimiser is told to start."""
    made = luminosity(0.2)
    made["measurements"][0]["config"]["parameters"][0]["inits"] = [1.3]
    model = compile_workspace(Workspace.from_document(made))
    data = blinded_observation(model)
    np.testing.assert_allclose(data.counts, [50.0])
    assert expected(made) == pytest.approx(expected(luminosity(0.2)), rel=1e-6)
