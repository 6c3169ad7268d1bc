"""Public datacards of Combine: documented answers, and its likelihood written a second time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

import darkstats
from combine_likelihood import Combined
from darkstats.cli import run
from darkstats.conversion.converted import Conversion
from darkstats.conversion.datacard_building import convert_datacard
from darkstats.conversion.datacard_reading import read_datacard
from darkstats.fit import fit
from darkstats.model import InterpolationCodes, compile_workspace
from darkstats.workspace import Workspace
from public_datacards import CARDS, templates

Make = Callable[..., Conversion]
CLS = pytest.approx((0.05, 0.05), rel=3e-3)
COUNTING = [name for name in CARDS if name != "shapes"]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Convert a public card, or a text."""

    def made(text: str, **options: Any) -> Conversion:
        path = tmp_path / "card.txt"
        path.write_text(CARDS.get(text, text))
        return convert_datacard(read_datacard(path), **options)

    return made


def codes(found: Conversion) -> InterpolationCodes:
    text = found.interpolation
    return InterpolationCodes() if text is None else InterpolationCodes.parse(text)


def limits(found: Conversion) -> darkstats.UpperLimit:
    model = compile_workspace(found.workspace, interpolation=codes(found))
    return darkstats.upper_limit(model, model.observation, cl=0.95)


def record(found: Conversion, tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """What a command prints on the written workspace, at the recommended codes."""
    path, out = tmp_path / "workspace.json", tmp_path / "record.json"
    path.write_text(json.dumps(found.workspace.document))
    command = [arguments[0], str(path), *arguments[1:], "-o", str(out)]
    assert run([*command, "--interpolation", str(codes(found))]) == 0
    return json.loads(out.read_text())


@pytest.mark.parametrize("name", COUNTING)
def test_limits_of_counting_cards_are_those_of_combines_likelihood(name: str, make: Make) -> None:
    """At the observed and the median limit CLs is 5 % in the likelihood that is minimised here.

    CLs falls at least as fast as 1/r near a limit: 0.3 % of CLs is 0.3 % of r, or less.
    """
    found = limits(make(name))
    assert Combined(CARDS[name]).cls(found.observed, found.expected[2]) == CLS


def test_documented_asymptotic_limits(make: Make) -> None:
    """realistic-counting-experiment: r < 1.6281, expected 1.4329, 2.3281, 3.9800 at 16, 50, 84 %.

    Combine states an accuracy of 0.005 for the limit; its quantiles 16 % and 84 % are not quite
    those of one standard deviation, 15.87 % and 84.13 %.
    """
    found = limits(make("realistic"))
    assert found.observed == pytest.approx(1.6281, abs=0.005)
    assert found.expected[1:4] == pytest.approx([1.4329, 2.3281, 3.9800], rel=0.005)


def exact_credible_limit(signal: float, lumi: float, efficiency: float, back: float) -> float:
    """Flat prior, no event observed: the posterior of r is a mixture of exponentials.

    Backgrounds that share no parameter with the signal drop out; one that shares the luminosity
    weighs its values.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    a, b = np.meshgrid(nodes, nodes)
    rates = signal * lumi**a * efficiency**b
    prior = np.outer(weights, weights) * np.exp(-back * lumi**a)

    def beyond(r: float) -> float:
        return float(np.sum(prior * np.exp(-rates * r) / rates))

    return float(brentq(lambda r: beyond(r) / beyond(0.0) - 0.05, 0.01, 50.0))


def test_credible_limits_are_those_of_the_integral(make: Make, tmp_path: Path) -> None:
    """realistic-counting-experiment by its integral, which leaves no room for a Markov chain."""
    found = record(make("realistic"), tmp_path, "limit", "--method", "bayes", "--cl", "0.95")
    exact = exact_credible_limit(1.47, 1.11, 1.16, 0.06)
    assert found["observed"] == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "documented", "error"),
    [("simple", 0.672292, 0.001), ("realistic", 2.20438, 3 * 0.0144695)],
)
def test_documented_bayesian_limits(
    name: str, documented: float, error: float, make: Make, tmp_path: Path
) -> None:
    """BayesianSimple and MarkovChainMC of the documentation, flat prior, 95 % credibility."""
    found = record(make(name), tmp_path, "limit", "--method", "bayes", "--cl", "0.95")
    assert found["observed"] == pytest.approx(documented, abs=error)


def test_documented_fit_and_significance(make: Make, tmp_path: Path) -> None:
    """The statistical routines tutorial: r = 0.260 -1.004 +1.265, significance 0.24."""
    converted = make("routines")
    found = record(converted, tmp_path, "significance")
    assert found["observed"] == pytest.approx(0.24, abs=0.005)
    fitted = record(converted, tmp_path, "fit", "--minos", "r")
    assert fitted["mle_parameters"]["r"] == pytest.approx([0.260], abs=0.001)
    (interval,) = fitted["intervals"]
    assert interval["upper"] - fitted["mle_parameters"]["r"][0] == pytest.approx(1.265, abs=0.002)


def test_documented_fit_of_two_signals(make: Make) -> None:
    """Combine's reference multi-signal: r_ggH = 0.882, r_qqH = 4.683, each signal with its own."""
    document = json.loads(json.dumps(make("multi_signal").workspace.document))
    for channel in document["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["name"] == "r":
                    modifier["name"] = f"r_{sample['name'][:3]}"
    document["measurements"][0]["config"] = {
        "poi": "r_ggH",
        "parameters": [
            {"name": name, "inits": [1.0], "bounds": [[0.0, 20.0]]} for name in ("r_ggH", "r_qqH")
        ],
    }
    model = compile_workspace(Workspace.from_document(document))
    fitted = fit(model, model.observation)
    values = dict(zip(model.parameter_names, fitted.parameters, strict=True))
    assert values["r_ggH"] == pytest.approx(0.882, abs=0.002)
    assert values["r_qqH"] == pytest.approx(4.683, abs=0.005)


def test_a_control_region_is_gmn(make: Make) -> None:
    """The two cards of issue 161 state one likelihood: observed and expected limits agree."""
    region, gamma = (limits(make(name)) for name in ("control_region", "gamma"))
    assert gamma.observed == pytest.approx(region.observed, rel=1e-4)
    assert gamma.expected == pytest.approx(region.expected, rel=1e-3)


def write_shapes(folder: Path, errors: float | None = None) -> None:
    """Write the templates of the tutorial; with relative errors where asked."""
    uproot = pytest.importorskip("uproot")
    hist = pytest.importorskip("hist")
    with uproot.recreate(folder / "simple-shapes.root") as file:
        for name, values in templates().items():
            made = hist.Hist(hist.axis.Regular(len(values), 0, 10), storage=hist.storage.Weight())
            made.values()[...] = values
            made.variances()[...] = 0.0 if errors is None else (errors * values) ** 2
            file[name] = made


def scaled_templates() -> dict[str, Any]:
    """Templates with the sums that the rates state."""
    found = templates()
    for name, values in found.items():
        process = name.partition("_")[0]
        if process in {"signal", "background"}:
            rate = {"signal": 10.0, "background": 100.0}[process]
            found[name] = values * rate / templates()[process].sum()
    return found


def test_shapes_of_the_tutorial(make: Make, tmp_path: Path) -> None:
    """simple-shapes: limits as of Combine's vertical interpolation, which code 4p states."""
    write_shapes(tmp_path)
    converted = make("shapes")
    found = limits(converted)
    peer = Combined(CARDS["shapes"], scaled_templates())
    assert peer.cls(found.observed, found.expected[2]) == CLS
    assert converted.sidecar["channels"]["bin1"]["edges"][:2] == [0.0, 1.0]


@pytest.mark.parametrize("statistics", ["shared", "own"])
@pytest.mark.parametrize("shapes", [False, True])
def test_statistics_of_the_tutorial(
    statistics: str, shapes: bool, make: Make, tmp_path: Path
) -> None:
    """autoMCStats with many events behind each bin: one Gaussian for the total.

    Without shape uncertainties the profile likelihoods are the same. (Expected limits differ by
    half a percent: Combine's Asimov data pull one parameter whose error grows with the signal.)
    With them Combine keeps absolute errors where a staterror follows the templates: the conversion
    says so, with the size.
    """
    write_shapes(tmp_path, errors=0.15)
    lines = [line for line in CARDS["shapes"].splitlines() if shapes or " shape " not in line]
    card = "\n".join(lines) + "\n"
    scaled = scaled_templates()
    errors = {name: 0.15 * scaled[name] for name in ("signal", "background")}
    converted = make(card + "* autoMCStats 10\n", statistics=statistics)
    peer = Combined(card, scaled, errors)
    model = compile_workspace(converted.workspace, interpolation=codes(converted))
    lowest = fit(model, model.observation, poi_lower=0.0).twice_nll
    best = peer.fit(peer.data, peer.measured())[:2]
    for r in (0.0, 0.5, 1.0, 2.0):
        ours = fit(model, model.observation, poi_value=r).twice_nll - lowest
        theirs = 2.0 * (peer.fit(peer.data, peer.measured(), r)[0] - best[0])
        assert ours == pytest.approx(theirs, rel=0.05 if shapes else 1e-3, abs=1e-4), r
    told = [one for one in converted.differences if "absolute" in one.what]
    assert bool(told) == shapes
    found = limits(converted)
    assert peer.cls(found.observed, found.expected[2]) == pytest.approx((0.05, 0.05), rel=0.04)


@pytest.mark.parametrize(("threshold", "kind"), [(0, "staterror"), (10, "shapesys")])
def test_pyhf_reads_the_likelihood_of_a_converted_card(
    threshold: int, kind: str, make: Make, tmp_path: Path
) -> None:
    """Shapes, shared and separate statistics, products: log-likelihoods differ by one constant."""
    pyhf = pytest.importorskip("pyhf")
    write_shapes(tmp_path, errors=0.4)
    lines = "f rateParam * background 1 [0,3]\ng rateParam * signal @0 f\n"
    converted = make(f"{CARDS['shapes']}{lines}* autoMCStats {threshold}\n")
    assert any(found == kind for _, found in converted.workspace.modifiers)
    theirs = pyhf.Workspace(converted.workspace.document)
    their_model = theirs.model()
    data = theirs.data(their_model)
    model = compile_workspace(converted.workspace)
    names = list(model.parameter_names)
    start = np.array(their_model.config.suggested_init())
    free = ~np.array(their_model.config.suggested_fixed())
    random = np.random.default_rng(1)
    constants = []
    for _ in range(4):
        point = start + 0.1 * random.normal(size=start.size) * free
        ours = np.array(model.inits, dtype=float)
        for name, value in zip(their_model.config.par_names, point, strict=True):
            ours[names.index(name)] = value
        value = float(their_model.logpdf(point, data)[0])
        constants.append(value - model.log_density(ours, model.observation))
    assert np.ptp(constants) < 1e-9
