"""Datacards with templates: rates as Combine interpolates them, statistics, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from combine_likelihood import Combined, kappa
from darkstats.conversion.combine_curves import (
    asymmetric_power,
    lognormal_distance,
    vertical_distance,
    vertical_logarithmic,
)
from darkstats.conversion.converted import Conversion
from darkstats.conversion.datacard_building import convert_datacard
from darkstats.conversion.datacard_joining import join
from darkstats.conversion.datacard_reading import read_datacard
from darkstats.errors import CardError
from darkstats.model import InterpolationCodes, compile_workspace

CARD = """imax 1
jmax 1
kmax *
shapes * * h.root $PROCESS $PROCESS_$SYSTEMATIC
bin a
observation -1
bin a a
process s b
process 0 1
rate -1 -1
"""
HISTOGRAMS = {
    "data_obs": [9.0, 12.0, 4.0],
    "s": [1.0, 2.0, 0.5],
    "b": [10.0, 8.0, 5.0],
    "b_eUp": [11.0, 9.5, 4.0],
    "b_eDown": [8.0, 8.0, 5.5],
    "b_tUp": [10.5, 8.0, 4.8],
    "b_tDown": [9.0, 8.5, 5.0],
}
Make = Callable[..., Conversion]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Convert a card whose templates are written first."""
    uproot, hist = pytest.importorskip("uproot"), pytest.importorskip("hist")

    def made(
        lines: str = "",
        card: str = CARD,
        histograms: Mapping[str, Any] = HISTOGRAMS,
        errors: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Conversion:
        with uproot.recreate(tmp_path / "h.root") as file:
            for name, values in histograms.items():
                axis = hist.axis.Regular(len(values), 0, 3)
                one = hist.Hist(axis, storage=hist.storage.Weight())
                one.values()[...] = values
                one.variances()[...] = np.square((errors or {}).get(name, np.zeros(len(values))))
                file[name] = one
        path = tmp_path / "card.txt"
        path.write_text(card + lines)
        return convert_datacard(read_datacard(path), **options)

    return made


def arrays(**changed: list[float]) -> dict[str, np.ndarray]:
    return {name: np.array(values) for name, values in {**HISTOGRAMS, **changed}.items()}


def rates(found: Conversion, **values: float) -> np.ndarray:
    codes = InterpolationCodes.parse(found.interpolation) if found.interpolation else None
    model = compile_workspace(found.workspace, interpolation=codes)
    point = np.array(model.inits, dtype=float)
    for name, value in values.items():
        point[list(model.parameter_names).index(name)] = value
    return np.asarray(model.expected_rates(point))


def modifiers(found: Conversion, process: str) -> dict[str, dict[str, Any]]:
    samples = found.workspace.document["channels"][0]["samples"]
    (one,) = [sample for sample in samples if sample["name"] == process]
    return {f"{m['name']} {m['type']}": m for m in one["modifiers"]}


@pytest.mark.parametrize("theta", [-2.5, -1.0, -0.6, 0.0, 0.5, 1.0, 1.8])
@pytest.mark.parametrize("scale", [1.0, 0.5, 2.0])
def test_shape_is_combines_interpolation(scale: float, theta: float, make: Make) -> None:
    """Fractions as Combine's spline, sums as its log-normal, up to the difference that is told."""
    lines = f"e shape - {scale}\n"
    found = make(lines)
    card = CARD.replace("observation -1", "observation 25").replace("-1 -1", "3.5 23")
    peer = Combined(card + lines, arrays())
    expected = peer.expected(1.0, np.array([theta]))[0][0]
    told = max(one.size or 0.0 for one in found.differences)
    assert told < (0.01 if scale <= 1.0 else 0.1)
    assert rates(found, e=theta) == pytest.approx(expected, rel=1.0001 * told + 1e-9)
    if abs(theta) >= 1.0 or theta == 0.0:
        assert rates(found, e=theta) == pytest.approx(expected, rel=1e-9)


def test_two_shapes_of_one_process(make: Make) -> None:
    """Shifts of the fractions add, factors on the sum multiply, as in Combine."""
    lines = "e shape - 1\nt shape - 0.5\n"
    found = make(lines)
    card = CARD.replace("observation -1", "observation 25").replace("-1 -1", "3.5 23")
    peer = Combined(card + lines, arrays())
    expected = peer.expected(1.0, np.array([1.3, -2.0]))[0][0]
    assert rates(found, e=1.3, t=-2.0) == pytest.approx(expected, rel=1e-9)
    assert any("smallest scale" in one.what for one in found.differences)


def test_shape_of_a_small_change_of_the_sum(make: Make) -> None:
    """Combine leaves out sums that change by less than a thousandth; so does the conversion."""
    histograms = {**HISTOGRAMS, "b_eUp": [11.0, 8.0, 4.01], "b_eDown": [9.0, 8.0, 5.99]}
    assert set(modifiers(make("e shape - 1\n", histograms=histograms), "b")) == {"e histosys"}


def test_shapes_that_change_yields_themselves(make: Make) -> None:
    """autoMCStats in mode 2 interpolates the templates as they are: a histosys alone."""
    found = make("e shape - 1\n* autoMCStats 0 0 2\n")
    assert modifiers(found, "b")["e histosys"]["data"]["hi_data"] == [11.0, 9.5, 4.0]
    assert "e normsys" not in modifiers(found, "b")


def test_shape_n_and_its_difference(make: Make) -> None:
    """shapeN is a histosys of the same ends; the size is that of a direct evaluation."""
    found = make("e shapeN - 1\n")
    (told,) = [one for one in found.differences if "logarithms" in one.what]
    nominal, down, up = (np.array(HISTOGRAMS[name]) for name in ("b", "b_eDown", "b_eUp"))
    down, up = (one * nominal.sum() / one.sum() for one in (down, up))
    worst = 0.0
    for theta in np.linspace(-1.0, 1.0, 401):
        bent = theta * (15 * theta - 10 * theta**3 + 3 * theta**5) / 8.0
        logs = np.log(nominal) + 0.5 * theta * np.log(up / down)
        logs += 0.5 * bent * np.log(up * down / nominal**2)
        wanted = np.exp(logs) / np.exp(logs).sum()
        ours = nominal + 0.5 * theta * (up - down) + 0.5 * bent * (up + down - 2 * nominal)
        worst = max(worst, float(np.max(np.abs(ours / nominal.sum() - wanted) * 23 / nominal)))
    assert told.size == pytest.approx(worst, rel=1e-6)
    assert 1e-4 < worst < 0.02


def test_shape_or_lnn(make: Make) -> None:
    """shape? is lnN where there are no templates, and shape where there are."""
    found = make("e shape? 1.2 1\n")
    assert modifiers(found, "s")["e normsys"]["data"] == pytest.approx({"lo": 1 / 1.2, "hi": 1.2})
    assert "e histosys" in modifiers(found, "b")


def test_mass_keywords_and_rules(tmp_path: Path, make: Make) -> None:
    """$MASS and $CHANNEL are replaced; the rule of a process goes before that of all."""
    card = CARD.replace("bin a\n", "shapes s * h.root $CHANNEL/s$MASS\nbin a\n", 1)
    histograms = {**HISTOGRAMS, "a/s125": [2.0, 2.0, 2.0]}
    found = make(card=card, histograms=histograms, mass="125")
    assert found.sidecar["conversion"]["mass_gev"] == 125.0
    assert rates(found)[0] == 12.0
    with pytest.raises(CardError, match=r"line 5: the card leaves the mass open; say --mass"):
        make(card=card, histograms=histograms)
    path = tmp_path / "card.txt"
    joined = convert_datacard(join([("new", read_datacard(path))]), mass="125")
    assert joined.workspace.channel_names == ("new",)
    assert rates(joined)[0] == 12.0


def test_rates_beside_templates(make: Make) -> None:
    """A rate within a percent of the template scales it, and that is told."""
    found = make(card=CARD.replace("rate -1 -1", "rate -1 23.1"))
    assert rates(found, r=0.0).sum() == pytest.approx(23.1)
    assert any("scaled from 23 events to the rate 23.1" in note for note in found.notes)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "rate": ({"card": CARD.replace("rate -1 -1", "rate -1 20")}, r"rate 20, and .* has 23 events"),
    "data": ({"card": CARD.replace("tion -1", "tion 20")}, r"20 observed events, and 25 in"),
    "one side": (
        {"lines": "u shape - 1\n", "histograms": {**HISTOGRAMS, "b_uUp": [1.0, 1.0, 1.0]}},
        r"line 11: u: the histogram b_uDown is not in",
    ),
    "bins": (
        {"histograms": {**HISTOGRAMS, "s": [1.0, 2.0]}},
        r"h\.root: s has other bins than|has other bins than",
    ),
    "missing": (
        {"histograms": {"b": [1.0], "data_obs": [1.0]}},
        r"line 4: the histogram s is not in",
    ),
    "negative": (
        {"histograms": {**HISTOGRAMS, "b": [10.0, -1.0, 5.0]}},
        r"has -1 events in bin 1, and Combine cuts",
    ),
    "empty": (
        {
            "card": CARD.replace("rate -1 -1", "rate -1 3"),
            "histograms": {**HISTOGRAMS, "b": [0.0, 0.0, 0.0]},
        },
        r"is empty, and its rate is 3",
    ),
    "no events": (
        {"lines": "e shape - 1\n", "histograms": {**HISTOGRAMS, "b_eUp": [0.0, 0.0, 0.0]}},
        r"b_eUp has no events",
    ),
    "keyword": (
        {"card": CARD.replace("root $PROCESS ", "root $PROCESS$YEAR ")},
        r"nobody says what \$YEAR stands for; say --keyword YEAR=VALUE",
    ),
    "file": ({"card": CARD.replace("h.root", "g.root")}, r"line 4: .*g\.root: there is no such"),
    "mixed": (
        {"card": CARD.replace("bin a\n", "shapes s * FAKE\nbin a\n", 1)},
        r"process s in bin a has no template, and others have one",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_templates_that_are_refused(name: str, make: Make) -> None:
    """Files, histograms and rates that do not fit together: with the line that names them."""
    options, words = REFUSED[name]
    with pytest.raises(CardError, match=words):
        make(**options)


def test_statistics_by_threshold(make: Make) -> None:
    """Above the threshold one parameter; below Poisson, Gaussian, or a shift of an empty bin."""
    histograms = {"data_obs": [100, 3, 2, 1.0], "s": [1.0, 1, 1, 1], "b": [100.0, 4, 3, 0.0]}
    errors = {"s": [0.1, 0.5, 0.0, 0.2], "b": [5.0, 2.0, 3.5, 0.3]}
    found = make("* autoMCStats 10\n", histograms=histograms, errors=errors)
    background = modifiers(found, "b")
    assert background["prop_bina staterror"]["data"] == [5.0, 0, 0, 0]
    assert background["prop_bina_b_poisson shapesys"]["data"] == [0, 4.0 / 2.0, 0, 0]
    assert background["prop_bina_b staterror"]["data"] == [0, 0, 3.5, 0]
    assert background["prop_bina_b_bin3 histosys"]["data"]["hi_data"] == [100.0, 4, 3, 0.3]
    signal = modifiers(found, "s")
    assert signal["prop_bina_signal staterror"]["data"] == [0.1, 0, 0, 0]
    assert signal["prop_bina_s_poisson shapesys"]["data"] == pytest.approx([0, 0.5, 0, 0])
    assert signal["prop_bina_s staterror"]["data"] == [0, 0, 0, 0.2]


def test_statistics_at_the_threshold(make: Make) -> None:
    """Numbers of events are rounded; one at the threshold is not beyond it; signals may count."""
    histograms = {"data_obs": [4.0, 4.0], "s": [4.0, 4.0], "b": [4.0, 4.0]}
    errors = {"s": [0.1, 4.0], "b": [1.9, 1.0]}  # 4.43 and 16 events of the background
    at = make("* autoMCStats 4\n", histograms=histograms, errors=errors)
    found = modifiers(at, "b")
    assert found["prop_bina_b_poisson shapesys"]["data"] == [4.0 / 2.0, 0.0]
    assert found["prop_bina staterror"]["data"] == [0.0, 1.0]
    below = make("* autoMCStats 3\n", histograms=histograms, errors=errors)
    assert modifiers(below, "b")["prop_bina staterror"]["data"] == [1.9, 1.0]
    with_signal = make("* autoMCStats 4 1\n", histograms=histograms, errors=errors)
    found = modifiers(with_signal, "b")  # 17.7 and 3.8 events of both
    assert found["prop_bina staterror"]["data"] == [1.9, 0.0]
    assert found["prop_bina_b staterror"]["data"] == [0.0, 1.0]
    assert "prop_bina_s_poisson shapesys" in modifiers(with_signal, "s")


def test_statistics_of_scaled_processes(make: Make) -> None:
    """Relative errors are those at the initial values of rate parameters."""
    errors = {"s": [0.1, 0.1, 0.1], "b": [1.0, 1.0, 1.0], "c": [2.0, 2.0, 2.0]}
    card = CARD.replace("a a\n", "a a a\n").replace("s b", "s b c").replace("0 1", "0 1 2")
    card = card.replace("-1 -1", "-1 -1 -1").replace("jmax 1", "jmax 2")
    histograms = {**HISTOGRAMS, "c": [20.0, 20.0, 20.0]}
    lines = "f rateParam a c 3 [0,9]\n* autoMCStats 0\nk lnN - 1.2 -\n"
    found = make(lines, card, histograms, errors)
    written = [np.array(modifiers(found, p)["prop_bina staterror"]["data"]) for p in "bc"]
    relative = np.hypot(*written) / (np.array(HISTOGRAMS["b"]) + 20.0)
    wanted = np.hypot(1.0, 6.0) / (np.array(HISTOGRAMS["b"]) + 60.0)
    assert relative == pytest.approx(wanted)
    (told,) = [one for one in found.differences if "composition" in one.what]
    assert (told.parameter, told.size) == ("k", pytest.approx(0.0025, abs=0.002))
    own = make(lines, card, histograms, errors, statistics="own")
    assert modifiers(own, "c")["prop_bina_c staterror"]["data"] == [2.0, 2.0, 2.0]


def test_a_constrained_rate_parameter_beside_templates(make: Make) -> None:
    """It scales templates and their errors; beside a shape it is refused."""
    lines = "f rateParam a b 1\nf param 2 0.1\n* autoMCStats 0\n"
    found = make(lines, errors={"s": [0.1] * 3, "b": [1.0, 1.0, 1.0]})
    assert rates(found, f=1.0, r=0.0) == pytest.approx(2.1 * np.array(HISTOGRAMS["b"]))
    assert modifiers(found, "b")["prop_bina staterror"]["data"] == [2.0, 2.0, 2.0]
    assert not [one for one in found.differences if "absolute" in one.what]
    with pytest.raises(CardError, match="beside a shape uncertainty, on b in bin a"):
        make(f"{lines}e shape - 1\n")


def test_curves() -> None:
    """The log-normal of two numbers, and its distances, against the likelihood written apart."""
    theta = np.linspace(-2.0, 2.0, 41)
    wanted = [kappa(x, 0.8, 1.3) for x in theta]
    assert asymmetric_power(theta, 0.8, 1.3) == pytest.approx(wanted)
    assert lognormal_distance(1 / 1.3, 1.3).code1 == pytest.approx(0.0, abs=1e-14)
    distance = lognormal_distance(0.8, 1.3)
    assert 0.0 < distance.code1 < distance.code4 < 0.02
    same = np.array([1.0, 2.0])
    assert vertical_logarithmic(same, same, same, scale=1.0, region=1.0) == pytest.approx(0.0)
    odd = [np.array(v) for v in ([5.0, 5.0], [4.0, 6.0], [7.0, 3.0])]
    assert vertical_distance(*odd, scale=1.0, region=1.0) == 0.0
    assert vertical_distance(*odd, scale=1.0, region=0.5) > 0.0
    assert vertical_distance(*odd, scale=2.0, region=1.0) > 0.0
    # a bin that falls to -2 at one standard deviation, of 5, is 0 to Combine
    deep = [np.array(v) for v in ([5.0, 5.0], [12.0, -2.0], [5.0, 5.0])]
    assert vertical_distance(*deep, scale=1.0, region=1.0) == pytest.approx(0.4)


def test_a_scale_above_one_is_told(make: Make) -> None:
    """Combine smooths within one standard deviation of the scaled parameter, at most."""
    told = [one for one in make("e shape - 2\n").differences if "smallest scale" in one.what]
    assert [one.size or 0.0 for one in told] == [pytest.approx(0.0347, rel=0.5)]


def test_processes_without_events_are_named(make: Make) -> None:
    found = make(card=CARD.replace("rate -1 -1", "rate -1 0"))
    assert "left out, because they expect no event: b in bin a" in found.notes


def test_the_lint_does_not_complain_of_what_is_converted(make: Make) -> None:
    """Yields and shapes apart, and statistics in two modifiers, are a layout and no fault."""
    errors = {"s": [0.01, 0.01, 0.01], "b": [0.2, 2.5, 0.1]}
    found = make("e shape - 1\nt shape - 1\na autoMCStats 20\n", errors=errors)
    kinds = {kind for name, kind in found.workspace.modifiers if name.startswith("prop_bin")}
    assert kinds == {"staterror", "shapesys"}
    shapes = {kind for name, kind in found.workspace.modifiers if name == "e"}
    assert shapes == {"histosys", "normsys"}
    assert {one.code for one in found.workspace.warnings} & {"one-sided", "zero-uncertainty"} == (
        set()
    )
