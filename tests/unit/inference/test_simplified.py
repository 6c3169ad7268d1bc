"""A simplified likelihood says of the background what the full one says, and no count twice."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from darkstats.errors import NotCertifiedError, OptionError, UnknownNameError
from darkstats.fit import fit
from darkstats.inference import upper_limit
from darkstats.inference.simplified import SimplifiedLikelihood, compare_limits, simplify
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import Workspace, read_workspace

Document = dict[str, Any]
MU = {"name": "mu", "type": "normfactor", "data": None}


def document(
    background: list[float], modifiers: list[Document], data: list[float], signal: list[float]
) -> Document:
    samples = [
        {"name": "s", "data": signal, "modifiers": [MU]},
        {"name": "b", "data": background, "modifiers": modifiers},
    ]
    return {
        "channels": [{"name": "A", "samples": samples}],
        "observations": [{"name": "A", "data": data}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def shape(name: str, low: list[float], high: list[float]) -> Document:
    return {"name": name, "type": "histosys", "data": {"lo_data": low, "hi_data": high}}


def made(
    whole: Document, **options: Any
) -> tuple[Workspace, HistFactoryModel, SimplifiedLikelihood]:
    workspace = Workspace.from_document(whole)
    model = compile_workspace(workspace)
    return workspace, model, simplify(workspace, model, **options)


def changes(whole: Document, **options: Any) -> np.ndarray:
    _, model, found = made(whole, **options)
    compared = compare_limits(model, compile_workspace(found.workspace))
    return np.array(compared.changes, dtype=float)


def test_one_gaussian_bin_keeps_its_limit() -> None:
    """A background of 50 ± 6, linear: the covariance is 36, and the limits are the full ones."""
    whole = document([50.0], [shape("u", [44.0], [56.0])], [53.0], [10.0])
    _, _, found = made(whole)
    assert found.covariance == pytest.approx(np.array([[36.0]]), rel=1e-9)
    assert found.background == pytest.approx([50.0], rel=1e-9)
    assert changes(whole) == pytest.approx(np.zeros(6), abs=1e-7)


def test_covariance_of_two_nuisance_parameters() -> None:
    """C = u u^T + v v^T, whatever data say in the same bins: they are not used twice."""
    u, v = np.array([5.0, -2.0]), np.array([1.0, 4.0])
    base = np.array([60.0, 40.0])
    modifiers = [
        shape("u", list(base - u), list(base + u)),
        shape("v", list(base - v), list(base + v)),
    ]
    whole = document(list(base), modifiers, [70.0, 30.0], [5.0, 1.0])
    _, _, found = made(whole)
    assert found.covariance == pytest.approx(np.outer(u, u) + np.outer(v, v), rel=1e-9)
    assert found.background == pytest.approx(base, rel=1e-9)
    assert changes(whole) == pytest.approx(np.zeros(6), abs=1e-7)


@pytest.mark.parametrize("seed", range(5))
def test_linear_models_keep_their_limits(seed: int) -> None:
    """Any number of linear nuisance parameters in three bins is three of them, and no limit moves.

    The signal has some of them, too: two further directions at most are its own.
    """
    rng = np.random.default_rng(seed)
    base, signal = rng.uniform(30.0, 90.0, 3), rng.uniform(2.0, 9.0, 3)
    names = [f"n{k}" for k in range(8)]
    moves = {name: rng.normal(0.0, 2.0, 3) for name in names}
    whole = document(
        list(base),
        [shape(name, list(base - moves[name]), list(base + moves[name])) for name in names],
        list(rng.poisson(base).astype(float)),
        list(signal),
    )
    for name in names[:2]:
        step = 0.05 * signal * rng.normal(0.0, 1.0, 3)
        whole["channels"][0]["samples"][0]["modifiers"] = [
            *whole["channels"][0]["samples"][0]["modifiers"],
            shape(name, list(signal - step), list(signal + step)),
        ]
    _, model, found = made(whole)
    assert (found.eigen, found.free, found.parameters_before) == (3, 0, 9)
    assert found.signal_only <= 2
    compared = compare_limits(model, compile_workspace(found.workspace))
    assert np.array(compared.changes, dtype=float) == pytest.approx(np.zeros(6), abs=2e-5)


def test_a_control_region_becomes_a_covariance(example_workspaces: dict[str, Any]) -> None:
    """Off counts n with exposure t: n / t expected, with error sqrt(n) / t."""
    workspace = read_workspace(example_workspaces["on_off"])
    counts = {one["name"]: one["data"][0] for one in workspace.document["observations"]}
    model = compile_workspace(workspace)
    (on,) = {channel for channel, _ in _signals(workspace)}
    (off,) = set(counts) - {on}
    found = simplify(workspace, model, keep=(on,))
    # The parabola stands at the fit of both regions: its centre is exact to second order only.
    yields = {
        channel["name"]: next(s for s in channel["samples"] if s["name"] == "background")["data"][0]
        for channel in workspace.document["channels"]
    }
    ratio = yields[on] / yields[off]
    level = (counts[on] + counts[off]) / (yields[on] + yields[off])
    error = level * yields[off] * ratio / counts[off] ** 0.5
    assert np.sqrt(found.covariance[0, 0]) == pytest.approx(error, rel=1e-6)
    assert found.background[0] == pytest.approx(counts[off] * ratio, rel=0.05)
    assert (found.left_out, found.kept) == ((off,), (on,))


def _signals(workspace: Workspace) -> list[tuple[str, str]]:
    return [
        (channel["name"], sample["name"])
        for channel in workspace.document["channels"]
        for sample in channel["samples"]
        if any(modifier["name"] == "mu" for modifier in sample["modifiers"])
    ]


@pytest.mark.parametrize("name", ["two_bins", "on_off", "three_channels", "bump_hunt"])
def test_background_only_fits_agree(example_workspaces: dict[str, Any], name: str) -> None:
    """Both have their minimum without signal at the same expected events, to first order."""
    workspace = read_workspace(example_workspaces[name])
    model = compile_workspace(workspace)
    found = simplify(workspace, model)
    small = compile_workspace(found.workspace)
    one = fit(model, model.observation, poi_value=0.0)
    two = fit(small, small.observation, poi_value=0.0)
    full = {c.name: model.expected_rates(one.parameters)[c.start : c.stop] for c in model.channels}
    for channel in small.channels:
        rates = small.expected_rates(two.parameters)[channel.start : channel.stop]
        assert rates == pytest.approx(full[channel.name], rel=2e-3)


def test_free_directions_stay_free(example_workspaces: dict[str, Any]) -> None:
    """A level that only the kept bins determine has no error of its own: the limit is the same."""
    workspace = read_workspace(example_workspaces["on_off"])
    model = compile_workspace(workspace)
    found = simplify(workspace, model)
    assert (found.eigen, found.free) == (0, 1)
    assert found.covariance == pytest.approx(np.zeros((2, 2)), abs=1e-12)
    compared = compare_limits(model, compile_workspace(found.workspace))
    assert compared.largest is not None
    assert compared.largest < 1e-7


def test_poisson_constraints_of_single_bins_stay_poisson() -> None:
    """Few auxiliary events: a Gaussian of the same width would move the limit by 14 %."""
    modifier = {"name": "u", "type": "shapesys", "data": [3.0]}
    assert changes(document([4.0], [modifier], [5.0], [6.0])) == pytest.approx(
        np.zeros(6), abs=1e-7
    )


def test_quadratic_response_of_one_parameter_is_exact() -> None:
    """Up and down are those of the full model; mean and third moment are a + c and 6b²c + 8c³."""
    whole = document([50.0], [shape("u", [45.0], [59.0])], [50.0], [10.0])
    assert changes(whole, response="quadratic") == pytest.approx(np.zeros(6), abs=1e-7)
    assert abs(changes(whole, response="linear")).max() > 1e-3
    _, _, found = made(whole, response="quadratic")
    b, c = 7.0, 2.0
    assert found.carried_third_moment == pytest.approx([6.0 * b * b * c + 8.0 * c**3], rel=1e-6)
    assert found.third_moment is not None
    assert found.third_moment[0] > 0.0  # of code4p, which is no parabola


def test_moments_of_toys_are_those_of_the_fit() -> None:
    """For a linear model they differ by their statistical error alone, and a seed fixes them."""
    base, u = np.array([60.0, 40.0]), np.array([5.0, -2.0])
    whole = document(
        list(base), [shape("u", list(base - u), list(base + u))], [62.0, 39.0], [5.0, 1.0]
    )
    _, _, drawn = made(whole, moments="toys", n_toys=20_000, seed=3)
    assert drawn.covariance == pytest.approx(np.outer(u, u), rel=0.03)
    _, _, again = made(whole, moments="toys", n_toys=20_000, seed=3)
    assert drawn.workspace.digest == again.workspace.digest
    _, _, other = made(whole, moments="toys", n_toys=20_000, seed=4)
    assert drawn.workspace.digest != other.workspace.digest


def test_the_background_does_not_depend_on_the_signal() -> None:
    """Two signals have one simplified background: a signal can take the place of another."""
    base = [60.0, 40.0]
    modifiers = [shape("u", [55.0, 42.0], [65.0, 38.0])]
    documents = [document(base, modifiers, [62.0, 39.0], s) for s in ([5.0, 1.0], [1.0, 9.0])]
    backgrounds = [
        [s for s in made(one)[2].workspace.document["channels"][0]["samples"] if s["name"] != "s"]
        for one in documents
    ]
    assert backgrounds[0] == backgrounds[1]


def test_a_parameter_at_the_end_of_its_range_is_refused() -> None:
    """No events where a free factor acts: it rests at 0, and no Gaussian says so."""
    factor = {"name": "level", "type": "normfactor", "data": None}
    whole = document([5.0], [factor], [0.0], [1.0])
    with pytest.raises(NotCertifiedError, match="level"):
        made(whole)


def test_a_parameter_that_nothing_determines_is_refused() -> None:
    """A free factor of the signal alone means nothing without signal."""
    whole = document([50.0], [shape("u", [44.0], [56.0])], [53.0], [10.0])
    alone = {"name": "alone", "type": "normfactor", "data": None}
    whole["channels"][0]["samples"][0]["modifiers"] = [MU, alone]
    with pytest.raises(NotCertifiedError, match="alone"):
        made(whole)


def test_odd_requests_are_refused() -> None:
    """Channels that are not there, responses that are none, channels without signal."""
    whole = document([50.0], [shape("u", [44.0], [56.0])], [53.0], [10.0])
    whole["channels"].append(
        {"name": "B", "samples": [{"name": "b", "data": [20.0], "modifiers": []}]}
    )
    whole["observations"].append({"name": "B", "data": [21.0]})
    with pytest.raises(UnknownNameError, match="nowhere"):
        made(whole, keep=("nowhere",))
    with pytest.raises(OptionError, match="acts on no sample"):
        made(whole, keep=("B",))
    with pytest.raises(UnknownNameError, match="cubic"):
        made(whole, response="cubic")
    with pytest.raises(UnknownNameError, match="guess"):
        made(whole, moments="guess")
    with pytest.raises(OptionError, match="100"):
        made(whole, n_toys=10)


def test_what_is_doubtful_is_said() -> None:
    """An error of more than a third of few events, and no event seen there."""
    whole = document([3.0, 60.0], [shape("u", [1.0, 55.0], [5.0, 65.0])], [0.0, 62.0], [2.0, 1.0])
    _, _, found = made(whole)
    assert any("1 bin(s)" in said and "bin 0" in said for said in found.warnings)
    assert any("no events" in said for said in found.warnings)


def test_pyhf_reads_it_and_agrees(example_workspaces: dict[str, Any]) -> None:
    """CLs of the written document by pyhf, at the limit: 5 %."""
    pyhf = pytest.importorskip("pyhf")
    workspace = read_workspace(example_workspaces["three_channels"])
    found = simplify(workspace, compile_workspace(workspace))
    small = compile_workspace(found.workspace)
    limit = upper_limit(small, small.observation, probe=False, scan_points=0)
    theirs = pyhf.Workspace(json.loads(json.dumps(found.workspace.document)))
    model = theirs.model()
    cls = pyhf.infer.hypotest(limit.observed, theirs.data(model), model, test_stat="qtilde")
    assert float(cls) == pytest.approx(0.05, abs=2e-4)


def test_names_of_the_signal_are_left_alone() -> None:
    """A signal sample may be called background, and the document stays valid."""
    whole = document([50.0], [shape("u", [44.0], [56.0])], [53.0], [10.0])
    whole["channels"][0]["samples"][0]["name"] = "background"
    whole["channels"][0]["samples"][1]["name"] = "rest"
    _, _, found = made(whole)
    assert set(found.workspace.sample_names) == {"background", "total_background"}
    assert changes(whole) == pytest.approx(np.zeros(6), abs=1e-7)


def test_channels_in_any_order() -> None:
    """Bins belong to their channels, whichever comes first in the document."""
    first = document([50.0, 20.0], [shape("u", [44.0, 21.0], [56.0, 19.0])], [53.0, 18.0],
                     [10.0, 1.0])  # fmt: skip
    second = json.loads(json.dumps(first["channels"][0]))
    first["channels"][0]["name"] = "Z"
    first["observations"][0]["name"] = "Z"
    for sample in second["samples"]:
        sample["data"] = [2.0 * value for value in sample["data"]]
    second["samples"][1]["modifiers"] = [shape("u", [70.0, 43.0], [130.0, 37.0])]
    first["channels"].append(second)
    first["observations"].append({"name": "A", "data": [104.0, 41.0]})
    _, _, found = made(first)
    assert [name for name, _ in found.places] == ["Z", "Z", "A", "A"]
    u = np.array([6.0, -1.0, 30.0, -3.0])
    assert found.covariance == pytest.approx(np.outer(u, u), rel=1e-8)
    assert changes(first) == pytest.approx(np.zeros(6), abs=1e-6)
    assert found.workspace.document["observations"][1] == {"name": "A", "data": [104.0, 41.0]}


def test_a_free_background_keeps_its_floor() -> None:
    """One bin, a free background below the signal: the limit is what is seen above the floor.

    A free direction without the range of its factor would leave no limit of that size.
    """
    factor = {"name": "level", "type": "normfactor", "data": None}
    whole = document([10.0], [factor], [11.0], [5.0])
    whole["channels"][0]["samples"].append(
        {"name": "rest", "data": [90.0], "modifiers": [
            {"name": "u", "type": "normsys", "data": {"hi": 1.05, "lo": 1 / 1.05}}]}
    )  # fmt: skip
    whole["observations"][0]["data"] = [100.0]
    assert abs(changes(whole)).max() < 0.02
