"""Minima that are not the only ones: far from the data, one-sided, or with variations of 100 %."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from darkstats.errors import FitFailedError, LocalMinimumError
from darkstats.fit import fit, mle
from darkstats.fit.elsewhere import far_from_model, starts_elsewhere
from darkstats.fit.lanes import Problem
from darkstats.inference import hypotest, significance, upper_limit
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import read_workspace
from unbinned_models import compiled, outline

Modifiers = list[dict[str, Any]]


def histosys(name: str, high: list[float], low: list[float]) -> dict[str, Any]:
    return {"name": name, "type": "histosys", "data": {"hi_data": high, "lo_data": low}}


def normsys(name: str, high: float, low: float) -> dict[str, Any]:
    return {"name": name, "type": "normsys", "data": {"hi": high, "lo": low}}


def one_channel(
    observed: list[float], samples: list[tuple[str, list[float], Modifiers]]
) -> HistFactoryModel:
    """The first sample is the signal."""
    poi = {"name": "mu", "type": "normfactor", "data": None}
    return compile_workspace(
        read_workspace(
            json.dumps(
                {
                    "version": "1.0.0",
                    "channels": [
                        {
                            "name": "all",
                            "samples": [
                                {
                                    "name": name,
                                    "data": data,
                                    "modifiers": [*([poi] if k == 0 else []), *modifiers],
                                }
                                for k, (name, data, modifiers) in enumerate(samples)
                            ],
                        }
                    ],
                    "observations": [{"name": "all", "data": observed}],
                    "measurements": [
                        {
                            "name": "m",
                            "config": {
                                "poi": "mu",
                                "parameters": [
                                    {"name": "mu", "inits": [1.0], "bounds": [[0.0, 10.0]]}
                                ],
                            },
                        }
                    ],
                }
            ).encode()
        )
    )


def invisible_side() -> HistFactoryModel:
    """A one-sided variation of the signal alone, which no fit without signal can see.

    The data lie far below the background, and the variation makes the signal negative.
    """
    return one_channel(
        [41.0, 11.0, 5.0, 6.0, 4.0, 1.0, 14.0, 11.0, 17.0],
        [
            (
                "signal",
                [3.82089, 7.72968, 2.41387, 2.2748, 9.02927, 1.62635, 1.93816, 5.88222, 4.63498],
                [
                    histosys(
                        "side",
                        [3.306, 5.819, 1.546, 1.202, 3.755, 1.407, 1.241, 2.446, 4.010],
                        [3.350, 5.982, 1.620, 1.293, 4.205, 1.426, 1.301, 2.739, 4.064],
                    )
                ],
            ),
            (
                "background",
                [55.4241, 21.057, 14.3508, 8.9018, 19.7841, 6.3304, 24.4515, 29.2394, 26.8776],
                [normsys("rate", 1.35944, 1.245)],
            ),
        ],
    )


def two_sizes() -> HistFactoryModel:
    """Asimov data 40 standard deviations away, explained by three parameters in two ways."""
    return one_channel(
        [826.0, 99998536.0],
        [
            ("signal", [2581.67, 4613.6], []),
            (
                "background",
                [836.802, 1e8],
                [
                    histosys("a", [894.648, 87162000.0], [787.219, 111851000.0]),
                    normsys("b", 1.07125, 0.933486),
                    histosys("c", [856.501, 95628200.0], [819.917, 104036000.0]),
                ],
            ),
        ],
    )


def two_ways() -> HistFactoryModel:
    """The same 263 standard deviations away."""
    return one_channel(
        [0.0, 0.0, 3.0],
        [
            ("signal", [13016.7, 12429.2, 8771.2], [normsys("rate", 1.32935, 0.736519)]),
            (
                "background",
                [1.06288, 0.662736, 3.08157],
                [
                    histosys("a", [1.23398, 0.617013, 2.16029], [0.91622, 0.708459, 3.93198]),
                    histosys("b", [1.14267, 0.641413, 2.65194], [0.994487, 0.684059, 3.47815]),
                    {"name": "c", "type": "shapesys", "data": [0.0866376, 0.054021, 0.251185]},
                ],
            ),
            ("other", [0.929006, 0.407585, 2.24054], []),
        ],
    )


def runaway() -> HistFactoryModel:
    """A variation of 100 % empties the signal while the signal strength runs away."""
    tilt = normsys("tilt", 2.60384, 0.01)
    high = [
        10.4879,
        4.29553,
        3.30981,
        2.72649,
        9.79004,
        22.6034,
        22.0252,
        4.11617,
        6.26325,
        4.09788,
        12.0619,
    ]
    return one_channel(
        [4.0, 7.0, 9.0, 1.0, 11.0, 6.0, 8.0, 1.0, 9.0, 8.0, 4.0],
        [
            (
                "signal",
                [
                    5.24393,
                    1.84094,
                    1.24118,
                    0.90883,
                    4.89502,
                    7.53448,
                    11.0126,
                    1.82941,
                    2.5053,
                    1.49014,
                    4.02065,
                ],
                [histosys("empty", high, [0.0] * 11), tilt],
            ),
            (
                "background",
                [
                    2.06418,
                    1.19326,
                    1.55879,
                    1.0387,
                    4.89491,
                    3.03514,
                    4.12164,
                    0.930216,
                    3.80194,
                    1.0972,
                    1.84317,
                ],
                [
                    normsys("rate", 1.52804, 0.01),
                    tilt,
                    {
                        "name": "shape",
                        "type": "shapesys",
                        "data": [
                            2.09169,
                            1.20916,
                            1.57957,
                            1.05254,
                            7.71515,
                            4.78386,
                            4.42509,
                            0.998703,
                            4.08186,
                            1.17798,
                            1.97887,
                        ],
                    },
                ],
            ),
            (
                "other",
                [
                    0.898342,
                    0.0977727,
                    0.170816,
                    0.442823,
                    3.35806,
                    1.7023,
                    1.37602,
                    0.400919,
                    1.90756,
                    0.235603,
                    0.756175,
                ],
                [tilt],
            ),
        ],
    )


def alike() -> HistFactoryModel:
    """Two variations with nearly the same effect: a valley with a minimum at either end."""
    high0 = [182.074, 70.2907, 186.936, 614.604, 61.9654, 104.981]
    low0 = [294.771, 113.798, 189.188, 393.843, 24.1844, 169.959]
    high1 = [191.952, 74.1042, 187.303, 596.15, 58.7674, 110.676]
    low1 = [286.304, 110.529, 189.188, 411.325, 27.1365, 165.077]
    background = [242.757, 93.7176, 189.188, 501.24, 42.3193, 139.969]
    return one_channel(
        [368.0, 145.0, 247.0, 547.0, 49.0, 440.0],
        [
            ("signal", [35.9934, 17.323, 5.28244, 10.8325, 3.15122, 47.9084], []),
            (
                "background",
                background,
                [histosys("a", high0, low0), histosys("b", high1, low1)],
            ),
            ("other", [0.0, 0.0, 0.0, 0.0, 0.0, 171.338], []),
        ],
    )


def ordinary() -> HistFactoryModel:
    return one_channel(
        [12.0, 9.0],
        [
            ("signal", [3.0, 1.0], [normsys("eff", 1.1, 0.9)]),
            ("background", [8.0, 9.0], [histosys("shape", [8.5, 8.6], [7.5, 9.4])]),
        ],
    )


def scanned(model: HistFactoryModel, points: int = 60) -> float:
    """Lowest deviance that conditional fits from many random places reach, for comparison."""
    rng = np.random.default_rng(5)
    lowest = np.inf
    for mu in np.linspace(0.0, 4.0, points):
        start = model.inits + rng.normal(size=model.n_parameters) * 3.0
        start = np.clip(start, model.lower, model.upper)
        try:
            held = fit(model, model.observation, poi_value=float(mu), start=start)
        except FitFailedError:
            continue
        lowest = min(lowest, held.twice_nll)
    return lowest


def test_a_free_fit_finds_the_side_that_no_fit_without_signal_sees() -> None:
    model = invisible_side()
    found = fit(model, model.observation)
    assert found.poi > 1.0
    assert found.twice_nll <= scanned(model) + 1e-6
    assert any("more than one minimum" in note for note in found.warnings)
    test = hypotest(model, model.observation, 0.3)
    assert test.mu_hat == pytest.approx(found.poi, rel=1e-5)
    assert test.statistic == 0.0


@pytest.mark.parametrize(
    ("model", "z"), [(two_sizes(), 40.80708), (two_ways(), 262.91995)], ids=["sizes", "ways"]
)
def test_the_expected_significance_far_away_is_that_of_the_lowest_minimum(
    model: HistFactoryModel, z: float
) -> None:
    found = significance(model, model.observation)
    assert found.expected[2] == pytest.approx(z, rel=1e-6)
    assert found.warnings


def test_two_variations_of_one_effect_are_tried_on_both_sides() -> None:
    """By an independent minimisation, the Asimov deviance at mu = 0.741437 is 6.9298878."""
    model = alike()
    test = hypotest(model, model.observation, 0.741437)
    assert test.statistic_asimov == pytest.approx(6.9298878, abs=2e-6)


def test_a_fit_that_runs_away_is_refused_with_the_lower_point_named() -> None:
    model = runaway()
    at_zero = fit(model, model.observation, poi_value=0.0).twice_nll
    start = model.inits
    start[model.parameter_index("empty")] = -1.0
    assert fit(model, model.observation, poi_value=100.0, start=start).twice_nll < at_zero - 0.5
    with pytest.raises(FitFailedError, match=r"is reached at mu = .*narrow the ranges"):
        fit(model, model.observation, poi_upper=np.inf)
    # within its range, it has a minimum, and a start that nobody gave finds it
    found = fit(model, model.observation)
    assert found.poi == 10.0
    assert found.twice_nll == pytest.approx(5.635974, abs=1e-5)


def test_a_lower_point_without_a_minimum_is_never_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is not reached again is a failure, not the minimum found first."""
    model = invisible_side()
    sound = mle.fit_batch
    calls = []

    def losing(*arguments: Any, **named: Any) -> mle.BatchFit:
        calls.append(named["poi_values"])
        if len(calls) > 3:  # after the first starts, and those elsewhere: only the first again
            named["start"] = np.repeat(np.zeros((1, model.n_parameters)), len(named["start"]), 0)
        return sound(*arguments, **named)

    monkeypatch.setattr(mle, "fit_batch", losing)
    with pytest.raises(FitFailedError, match=r"is reached at .* no minimum could be certified"):
        fit(model, model.observation)


def test_an_ordinary_fit_gets_no_starts_elsewhere() -> None:
    model = ordinary()
    found = fit(model, model.observation)
    problem = Problem.of(model, fix_poi=False, fixed={}, poi_lower=None, poi_upper=None)
    point, deviance = found.parameters, found.twice_nll
    assert not far_from_model(problem, model.observation, point, deviance)
    assert len(starts_elsewhere(problem, model.observation, point, deviance)) == 0
    assert found.certification.starts == 2
    far = point.copy()
    far[model.parameter_index("shape")] = 4.0
    assert far_from_model(problem, model.observation, far, deviance)
    assert far_from_model(problem, model.observation, point, 60.0)
    points = starts_elsewhere(problem, model.observation, point, 60.0)
    assert (points >= problem.lower).all()
    assert (points <= problem.upper).all()
    assert len(np.unique(points, axis=0)) > 20


def test_a_lower_point_is_not_hidden_by_a_retry() -> None:
    """No event: a background below zero cancels the signal in every bin, at a deviance of 4.83.

    Fits that started there failed and were tried again from the ordinary start, so that all agreed
    on the local minimum with 20.59; limit and test were computed from it.
    """
    modifiers = [
        histosys(
            "huge0",
            [2.29654, 3.89908, 2.35834, 5.55025, 6.41276, 10.5309],
            [0.0] * 6,
        ),
        normsys("huge1", 1.68715, 0.01),
        {
            "name": "shape",
            "type": "shapesys",
            "data": [0.787395, 1.21531, 0.67382, 1.46382, 1.57049, 2.4071],
        },
    ]
    model = one_channel(
        [0.0] * 6,
        [
            ("signal", [0.227013, 0.64649, 0.347958, 1.74668, 1.00633, 1.73654], []),
            ("background", [1.14827, 1.77231, 0.982641, 2.13471, 2.29027, 3.51031], modifiers),
        ],
    )
    with pytest.raises(LocalMinimumError, match=r"the lowest one found has 20\.59") as failure:
        fit(model, model.observation, poi_value=1.70029)
    assert failure.value.reached < 10.0
    with pytest.raises(LocalMinimumError):
        hypotest(model, model.observation, mu=1.70029)


def test_starts_in_a_valley_too_narrow_to_follow_prove_nothing() -> None:
    """Variations of 100 % cancel a signal of 10 million times its yield to the seventh digit.

    Starts near a place in that valley all ended there, and an edge of the band of 2.3e7 was printed
    for 3.0e7.
    """
    model = one_channel(
        [56.0, 53.0, 91.0, 103.0, 113.0],
        [
            (
                "signal",
                [1.68438, 2.31887, 3.45909, 1.37474, 1.07255],
                [
                    histosys(
                        "huge0",
                        [0.673752, 1.79712, 3.97795, 2.09648, 2.03784],
                        [2.69501, 2.84062, 2.94023, 0.653002, 0.107255],
                    ),
                    histosys(
                        "huge1",
                        [0.673752, 1.79712, 3.97795, 2.09648, 2.03784],
                        [2.69501, 2.84062, 2.94023, 0.653002, 0.107255],
                    ),
                    histosys(
                        "huge2",
                        [3.36876, 5.21746, 8.64773, 3.78054, 3.21765],
                        [0.0, 0.0, 0.0, 0.0, 0.0],
                    ),
                ],
            ),
            (
                "background",
                [54.4536, 37.8881, 72.1958, 86.7373, 86.2508],
                [
                    histosys(
                        "huge1",
                        [21.7814, 29.3633, 83.0252, 132.274, 163.877],
                        [87.1258, 46.4129, 61.3664, 41.2002, 8.62508],
                    ),
                    histosys(
                        "huge2",
                        [108.907, 85.2482, 180.49, 238.528, 258.752],
                        [0.0, 0.0, 0.0, 0.0, 0.0],
                    ),
                    {
                        "name": "shape0",
                        "type": "shapesys",
                        "data": [33.0931, 23.0258, 43.8756, 52.7129, 52.4173],
                    },
                ],
            ),
            (
                "other",
                [14.2197, 16.4285, 25.0865, 28.1755, 46.3903],
                [
                    histosys(
                        "huge1",
                        [5.68788, 12.7321, 28.8495, 42.9676, 88.1416],
                        [22.7515, 20.1249, 21.3235, 13.3834, 4.63903],
                    ),
                    histosys(
                        "huge2",
                        [28.4394, 36.9641, 62.7163, 77.4826, 139.171],
                        [0.0, 0.0, 0.0, 0.0, 0.0],
                    ),
                ],
            ),
        ],
    )
    with pytest.raises(FitFailedError, match="from one of 22 starts only"):
        upper_limit(model, model.observation, method="pcl", probe=False)


def test_a_shape_that_a_few_events_leave_open_is_tried_at_both_ends() -> None:
    """Five events: a slope of 5 is a minimum, and 15, where its range ends, a lower one.

    The Asimov data were those of the local minimum, and their significance 1.136 for 1.386.
    """
    events = [0.42260925640220653, 0.008559981971050285, 0.37244396369084243]
    events += [0.23679591362585317, 0.4727107720392283]
    model = compiled(
        outline(
            [
                {
                    "name": "peak",
                    "type": "gaussian_dist",
                    "x": "x",
                    "mean": 0.35686584331413396,
                    "sigma": 0.07730350923761117,
                },
                {"name": "smooth", "type": "exponential_dist", "x": "x", "c": "slope"},
                {
                    "name": "constraint_eff",
                    "type": "gaussian_dist",
                    "x": "aux_eff",
                    "mean": "eff",
                    "sigma": 1.0,
                },
            ],
            [
                ("mu", 1.0, 0.0, 50.0),
                ("n_smooth", 2.0, 0.0, 70.0),
                ("slope", 3.253934174616174, -10.0, 15.0),
                ("eff", 0.0, -5.0, 5.0),
            ],
            yields={"peak": "n_peak", "smooth": "n_smooth"},
            functions=[
                {
                    "name": "n_peak",
                    "type": "generic_function",
                    "expression": "mu * 1.48959 * exp(0.232 * eff)",
                }
            ],
            constants=[("aux_eff", 0.0)],
            constraints=["constraint_eff"],
            entries=[[x] for x in events],
        )
    )
    found = significance(model, model.observation)
    assert found.expected[2] == pytest.approx(1.38565879, rel=1e-6)
    assert fit(model, model.observation, poi_value=1.0).value("slope") == pytest.approx(15.0)
