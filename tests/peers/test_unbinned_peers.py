"""The unbinned layer beside zfit, hepstats and pyhs3, which share no numerical code with it.

Tolerances: densities and likelihoods are sums of the same closed forms, so that they agree to the
rounding of a sum of a few thousand logarithms, 1e-12 relative; 1e-10 is asked. Limits by zfit's
loss differ by the tolerance of the minimiser alone. hepstats fits with Minuit at its default
tolerance, 1e-3 in EDM, which moves q by as much and a limit by a tenth of a per cent.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from darkstats.fit import FitOptions, fit, fit_batch
from darkstats.inference import upper_limit
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.model.unbinned.tables import density_at
from darkstats.workspace.hs3 import Hs3Document, read_hs3, write_hs3
from darkstats.workspace.hs3.building import bernstein_expression, chebyshev_expression
from unbinned_models import DOCUMENTS, bump, compiled, outline, thrown

UNBINNED = [name for name in DOCUMENTS if name != "joint"]
NO_ZFIT = "zfit is not installed: pip install 'darkstats[unbinned]'"


@pytest.fixture(scope="module")
def zfit() -> Any:
    """zfit, imported without its warnings."""
    import importlib.util
    import warnings

    if importlib.util.find_spec("zfit") is None:
        pytest.skip(NO_ZFIT)
    from darkstats.model.unbinned.zfit_model import import_zfit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_zfit()


pytestmark = pytest.mark.filterwarnings("ignore")


def both(document: dict[str, Any]) -> tuple[UnbinnedModel, Any]:
    from darkstats.model.unbinned.zfit_model import zfit_likelihood

    found = Hs3Document.from_document(document, "test")
    return compile_hs3(found), zfit_likelihood(found)


def points(model: UnbinnedModel, n: int) -> np.ndarray:
    rng = np.random.default_rng(7)
    start = model.inits
    spread = 0.05 * np.where(start == 0.0, 1.0, np.abs(start))
    return np.clip(
        start + spread * rng.uniform(-1.0, 1.0, (n, len(start))), model.lower, model.upper
    )


@pytest.mark.parametrize("name", UNBINNED)
def test_zfit_has_the_same_likelihood(name: str, zfit: Any) -> None:
    """Value and gradient of zfit's own loss, built from the document, at random points."""
    model, likelihood = both(DOCUMENTS[name]())
    observation = thrown(model, model.inits, seed=3)
    data, auxdata = model.stack([observation])
    for point in points(model, 4):
        ours = -model.log_density(point, observation)
        theirs = likelihood.value_of(point, observation.events)
        assert theirs == pytest.approx(ours, rel=1e-12)
        gradient = likelihood.gradient(point, observation.events)
        own = model.derivatives(point, data, auxdata[0])[1]
        np.testing.assert_allclose(gradient, own, rtol=1e-9, atol=1e-9 * np.abs(own).max())


@pytest.mark.parametrize("name", UNBINNED)
def test_the_engine_maps_the_loss_of_zfit(name: str, zfit: Any) -> None:
    """Values, gradients and Hessians of many lanes at once equal the kernels' to 1e-10."""
    from darkstats.model.unbinned.zfit_engine import ZfitEngine

    model, likelihood = both(DOCUMENTS[name]())
    engine = ZfitEngine.of_likelihood(likelihood, model.parameter_names)
    data, auxdata = model.throw(model.inits, np.random.default_rng(1), 5)
    lanes = np.arange(5)
    theirs = engine.evaluator(data, auxdata)
    ours = model.lane_evaluator(data, auxdata, threads=1)
    first, second = points(model, 5), points(model, 10)[5:]
    a, b = theirs.derivatives(first, lanes), ours.derivatives(first, lanes)
    c, d = theirs.derivatives(second, lanes), ours.derivatives(second, lanes)
    # values differ by a constant of the data
    np.testing.assert_allclose(c[0] - a[0], d[0] - b[0], atol=1e-9)
    for k in (2, 3):
        scale = np.abs(b[k]).max()
        np.testing.assert_allclose(a[k], b[k], rtol=1e-10, atol=1e-12 * scale)
    assert abs(engine.check(first[0], data, auxdata)) < 1e-9
    assert abs(engine.check(second[0], data[2], auxdata[2:3])) < 1e-9


def test_a_loss_of_a_user_is_minimised(zfit: Any) -> None:
    """Two channels that share a width, with a constraint: the engine finds Minuit's minimum."""
    from darkstats.fit.newton import newton_lanes
    from darkstats.model.unbinned.zfit_engine import ZfitEngine

    a, b = zfit.Space("a", 0.0, 1.0), zfit.Space("b", 0.0, 2.0)
    width = zfit.Parameter("own_width", 0.05, 0.01, 0.3)
    counts = [
        zfit.Parameter(f"own_n{k}", v, 0.0, 5000.0) for k, v in enumerate((100, 400, 80, 300))
    ]
    slope = zfit.Parameter("own_slope", -1.0, -10.0, 10.0)
    models = [
        zfit.pdf.SumPDF(
            [
                zfit.pdf.Gauss(0.5, width, obs=a, extended=counts[0]),
                zfit.pdf.Exponential(slope, obs=a, extended=counts[1]),
            ]
        ),
        zfit.pdf.SumPDF(
            [
                zfit.pdf.Gauss(1.2, width, obs=b, extended=counts[2]),
                zfit.pdf.Uniform(0.0, 2.0, obs=b, extended=counts[3]),
            ]
        ),
    ]
    rng = np.random.default_rng(5)
    events = [
        np.concatenate([rng.normal(0.5, 0.05, 110), rng.uniform(size=380)]),
        np.concatenate([rng.normal(1.2, 0.05, 75), 2.0 * rng.uniform(size=310)]),
    ]
    constraint = zfit.constraint.GaussianConstraint(width, 0.06, sigma=0.01)
    data = [zfit.Data.from_numpy(obs=s, array=x) for s, x in zip((a, b), events, strict=True)]
    loss = zfit.loss.ExtendedUnbinnedNLL(models, data, constraints=[constraint])
    minuit = zfit.minimize.Minuit(tol=1e-6).minimize(loss)
    engine = ZfitEngine.of_loss(loss)
    document = bump()
    shaped = compiled(document)  # only lays out the events
    lanes = [shaped.observe([x[None, :]]).events.channels[0] for x in events]
    from darkstats.fit.lanes import Problem
    from darkstats.model.event_lanes import EventLanes

    evaluator = engine.evaluator(EventLanes(channels=tuple(lanes)), np.zeros((1, 6)))
    start = np.array([[float(p.value()) for p in engine.parameters]])
    low = np.array([float(p.lower) for p in engine.parameters])
    high = np.array([float(p.upper) for p in engine.parameters])
    problem = Problem(
        model=shaped, free=np.ones(6, dtype=np.int64), lower=low, upper=high, values=start[0]
    )
    found = newton_lanes(problem, evaluator, start, FitOptions())
    assert found.status(1e-9)[0] == 0
    theirs = [float(minuit.params[p]["value"]) for p in engine.parameters]
    errors = 1.0 / np.sqrt(np.diag(evaluator.derivatives(found.parameters, np.zeros(1, int))[3][0]))
    assert (np.abs(found.parameters[0] - theirs) < 0.01 * errors).all()
    assert (
        found.value[0] <= evaluator.derivatives(np.array([theirs]), np.zeros(1, int))[0][0] + 1e-9
    )


def shape(distribution: dict[str, Any], low: float, high: float) -> UnbinnedModel:
    return compiled(
        outline(
            [{"name": "f", **distribution}],
            [("n", 1.0, 0.0, 10.0)],
            yields={"f": "n"},
            axes=(("x", low, high),),
            constants=[("s", 0.3), ("al", 1.2), ("ar", 1.7), ("nl", 2.5), ("nr", 6.0), ("m", 4.2)],
        )
    )


def test_shapes_equal_those_of_zfit(zfit: Any) -> None:
    """Gaussian, both Crystal Balls, exponential, Chebyshev and Bernstein to 1e-10."""
    low, high = 2.0, 6.0
    space = zfit.Space("x", low, high)
    x = np.linspace(low, high, 400)
    cb = {"m": "x", "m0": "m"}
    double = {
        "sigma_L": "s",
        "sigma_R": "s",
        "alpha_L": "al",
        "alpha_R": "ar",
        "n_L": "nl",
        "n_R": "nr",
    }
    axis = ("x", low, high)
    bernstein = " + ".join(
        f"{c} * ({bernstein_expression(k, 4, *axis)})"
        for k, c in enumerate((1.0, 0.3, 2.0, 0.1, 0.7))
    )
    pdf = zfit.pdf
    pairs = [
        (
            {"type": "gaussian_dist", "x": "x", "mean": "m", "sigma": "s"},
            pdf.Gauss(4.2, 0.3, space),
        ),
        ({"type": "exponential_dist", "x": "x", "c": 0.7}, pdf.Exponential(-0.7, space)),
        (
            {"type": "crystalball_dist", **cb, "sigma": "s", "alpha": "al", "n": "nl"},
            pdf.CrystalBall(4.2, 0.3, 1.2, 2.5, space),
        ),
        (
            {"type": "crystalball_doublesided_dist", **cb, **double},
            pdf.DoubleCB(4.2, 0.3, 1.2, 2.5, 1.7, 6.0, space),
        ),
        (
            {"type": "generic_dist", "expression": chebyshev_expression((0.4, -0.2, 0.1), *axis)},
            pdf.Chebyshev(space, [0.4, -0.2, 0.1]),
        ),
        (
            {"type": "generic_dist", "expression": bernstein},
            pdf.Bernstein(space, [1.0, 0.3, 2.0, 0.1, 0.7]),
        ),
    ]
    for item, theirs in pairs:
        model = shape(item, low, high)
        ours = density_at(model.channels[0], np.ones((1, 1)), x[None, :])[0]
        np.testing.assert_allclose(ours, np.asarray(theirs.pdf(x)), rtol=1e-10, err_msg=str(item))


@pytest.mark.parametrize("name", ["bump", "bernstein"])
def test_limits_by_the_loss_of_zfit(name: str, zfit: Any) -> None:
    """The same limit finder over zfit's loss gives the same limits, to far better than 1 %."""
    from darkstats.model.unbinned.zfit_engine import ZfitEngine

    model, likelihood = both(DOCUMENTS[name]())
    observation = thrown(model, model.inits, seed=2)
    engine = ZfitEngine.of_likelihood(likelihood, model.parameter_names)
    ours = upper_limit(model, observation, probe=False, scan_points=0)
    theirs = upper_limit(model.with_engine(engine), observation, probe=False, scan_points=0)
    assert theirs.observed == pytest.approx(ours.observed, rel=1e-5)
    np.testing.assert_allclose(theirs.expected, ours.expected, rtol=1e-5)


def test_the_referee_agrees_and_notices(zfit: Any) -> None:
    """zfit evaluates the quoted minima; a limit at a wrong place is not confirmed by accident."""
    from dataclasses import replace

    from darkstats.referee_unbinned import referee_unbinned_limit

    document = Hs3Document.from_document(bump(), "test")
    model = compile_hs3(document)
    observation = thrown(model, model.inits, seed=2)
    limit = upper_limit(model, observation, probe=False, scan_points=0)
    verdict = referee_unbinned_limit(document, model, observation, limit)
    assert verdict.status == "agrees", verdict
    assert verdict.program == "zfit"
    assert abs(verdict.comparisons[0].difference) < 1e-8
    # a model that is not that of the document
    other = bump()
    other["functions"][0]["expression"] = "mu * 51 * exp(0.1 * alpha)"
    wrong = Hs3Document.from_document(other, "test")
    assert referee_unbinned_limit(wrong, model, observation, limit).status == "differs"
    closed = replace(limit, observed=None, observed_reason="blinded")
    assert referee_unbinned_limit(document, model, observation, closed).status == "not repeated"


def test_hepstats_gives_the_same_p_values(zfit: Any) -> None:
    """CLs+b of hepstats' asymptotic calculator at five signal strengths, and a limit from them."""
    hepstats = pytest.importorskip("hepstats.hypotests", reason="hepstats is not installed")
    from hepstats.hypotests.calculators import AsymptoticCalculator
    from hepstats.hypotests.parameters import POI, POIarray

    document = bump()
    document["parameter_points"][0]["parameters"][0]["value"] = 0.3
    model, likelihood = both(document)
    observation = thrown(model, model.inits, seed=12)
    best = fit(model, observation, poi_lower=0.0, poi_upper=math.inf)
    assert best.poi > 0.1  # q and q-tilde are then the same above the best fit
    ours = upper_limit(
        model, observation, method="clsb", test_stat="q", probe=False, scan_points=0, poi_lower=-0.5
    )
    x, weights = observation.events.channels[0].events_of(0)
    loss = likelihood.loss([x[:, weights > 0.0]])
    poi = likelihood.parameters[0]
    poi.lower, poi.upper = -0.5, 10.0
    calculator = AsymptoticCalculator(loss, zfit.minimize.Minuit(), asimov_bins=200)
    strengths = [float(f) * ours.observed for f in (0.8, 0.9, 1.0, 1.1, 1.2)]
    limit = hepstats.UpperLimit(calculator, POIarray(poi, strengths), POI(poi, 0.0), qtilde=False)
    theirs = np.asarray(limit.pvalues(CLs=False)["clsb"])
    from darkstats.inference import hypotest

    own = [
        hypotest(model, observation, mu, test_stat="q", poi_lower=-0.5).clsb.value
        for mu in strengths
    ]
    np.testing.assert_allclose(theirs, own, rtol=0.02, atol=1e-4)
    crossing = np.interp(math.log(0.05), np.log(theirs[::-1]), strengths[::-1])
    assert crossing == pytest.approx(ours.observed, rel=0.01)


def test_toys_of_hepstats_give_the_same_p_value(zfit: Any) -> None:
    """CLs+b and CLb from 60 toys of hepstats' frequentist calculator and from 4000 of ours.

    The toys of hepstats are drawn with a seed. How many reach beyond is binomial with our p-value,
    and a count that chance brings in less than one of 10^5 cases is refused: a p-value that is off
    by 0.25 would be found with a power above 0.9. hepstats keeps the observations of constraints;
    the model has none.
    """
    pytest.importorskip("hepstats.hypotests", reason="hepstats is not installed")
    from hepstats.hypotests.calculators import FrequentistCalculator
    from hepstats.hypotests.parameters import POI, POIarray

    from darkstats.inference import ToyOptions, hypotest

    document = outline(
        [
            {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": 0.5, "sigma": 0.05},
            {"name": "bkg", "type": "exponential_dist", "x": "x", "c": "c"},
        ],
        [("ns", 10.0, -20.0, 200.0), ("nb", 200.0, 0.0, 1000.0), ("c", 2.0, -10.0, 20.0)],
        yields={"sig": "ns", "bkg": "nb"},
    )
    model, likelihood = both(document)
    observation = thrown(model, model.inits, seed=5)
    best = fit(model, observation)
    assert best.poi > 1.0
    tested = best.poi + 12.0
    ours = hypotest(
        model,
        observation,
        tested,
        test_stat="q",
        poi_lower=-20.0,
        calculator="toys",
        toys=ToyOptions(n_toys=4000, seed=1),
    )
    x, weights = observation.events.channels[0].events_of(0)
    loss = likelihood.loss([x[:, weights > 0.0]])
    poi = likelihood.parameters[0]
    n_toys = 60
    zfit.settings.set_seed(7)
    calculator = FrequentistCalculator(
        loss, zfit.minimize.Minuit(), ntoysnull=n_toys, ntoysalt=n_toys
    )
    null, alternative = calculator.pvalue(
        POIarray(poi, [tested]), POI(poi, 0.0), qtilde=False, onesided=True
    )
    for theirs, own in ((float(null[0]), ours.clsb), (float(alternative[0]), ours.clb)):
        assert own is not None
        beyond = round(theirs * n_toys)
        assert theirs * n_toys == pytest.approx(beyond, abs=1e-6)
        chances = [scipy.stats.binomtest(beyond, n_toys, own.value + k * own.error).pvalue
                   for k in (-1.0, 0.0, 1.0)]  # fmt: skip
        assert max(chances) > 1e-5


def wide() -> dict[str, Any]:
    """What pyhs3's 64-point quadrature resolves: no narrow peak."""
    return outline(
        [
            {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": 2.2, "sigma": "width"},
            {
                "name": "bkg",
                "type": "generic_dist",
                "expression": chebyshev_expression(("c1", "c2"), "x", 1.0, 4.0),
            },
            {"name": "tail", "type": "exponential_dist", "x": "x", "c": "d"},
            {
                "name": "constraint",
                "type": "gaussian_dist",
                "x": "aux_a",
                "mean": "a",
                "sigma": 1.0,
            },
        ],
        [
            ("mu", 1.0, 0.0, 10.0),
            ("nb", 300.0, 0.0, 5000.0),
            ("nt", 100.0, 0.0, 5000.0),
            ("c1", 0.2, -1.0, 1.0),
            ("c2", -0.1, -1.0, 1.0),
            ("d", 0.9, 0.0, 5.0),
            ("a", 0.3, -5.0, 5.0),
        ],
        yields={"sig": "nsig", "bkg": "nb", "tail": "nt"},
        axes=(("x", 1.0, 4.0),),
        functions=[
            {"name": "nsig", "type": "generic_function", "expression": "mu * 40 * exp(0.1 * a)"},
            {"name": "width", "type": "generic_function", "expression": "0.4 * (1 + 0.1 * a)"},
        ],
        constants=[("aux_a", 0.0)],
        constraints=["constraint"],
        entries=[[float(v)] for v in np.random.default_rng(3).uniform(1.0, 4.0, 200)],
    )


def test_pyhs3_reads_what_we_write(tmp_path: Path) -> None:
    """Written, read by pyhs3, and evaluated there: the same log-likelihood to 1e-9."""
    pyhs3 = pytest.importorskip("pyhs3", reason="pyhs3 is not installed")
    write_hs3(wide(), tmp_path / "model.json")
    model = compile_hs3(read_hs3(tmp_path / "model.json"))
    workspace = pyhs3.Workspace.load(str(tmp_path / "model.json"))
    theirs = workspace.model(workspace.analyses["analysis"], progress=False)
    from pyhs3.compile import function

    inputs = [*theirs.data, *theirs.free_params]
    from pytensor.graph.traversal import explicit_graph_inputs

    variables = {v.name: v for v in explicit_graph_inputs([theirs.log_prob])}
    names = [name for name in inputs if name in variables]
    evaluate = function([variables[name] for name in names], theirs.log_prob)
    for point in points(model, 3):
        values = {**theirs.data, **dict(zip(model.parameter_names, point, strict=True))}
        found = float(np.ravel(evaluate(*(np.asarray(values[name]) for name in names)))[0])
        ours = model.log_density(point, model.observation)
        assert found == pytest.approx(ours, rel=1e-9)


# Minuit wanders along the degenerate tails of the crystal ball; the engine test covers it.
@pytest.mark.parametrize("name", [name for name in UNBINNED if name != "crystal ball"])
def test_toys_have_the_minima_of_zfit(name: str, zfit: Any) -> None:
    """Three toys: the kernels' minimum is never above that of zfit with Minuit."""
    model, likelihood = both(DOCUMENTS[name]())
    data, auxdata = model.throw(model.inits, np.random.default_rng(4), 3)
    batch = fit_batch(model, data, auxdata, start=model.inits, poi_lower=0.0)
    for lane in range(3):
        likelihood.set_values(model.inits)
        likelihood.set_auxiliary(
            dict(zip(model.parameter_names, auxdata[lane].tolist(), strict=True))
        )
        parts = [channel.events_of(lane) for channel in data.channels]
        loss = likelihood.loss([x[:, w > 0.0] for x, w in parts])
        zfit.minimize.Minuit(tol=1e-4).minimize(loss)
        theirs = np.array([float(p.value()) for p in likelihood.parameters])
        at = [likelihood.value_of(p, data[lane]) for p in (batch.parameters[lane], theirs)]
        assert at[0] <= at[1] + 1e-6


def test_the_emcee_sampler_of_zfit_draws_the_same_posterior(zfit: Any) -> None:
    """The credible limit of 90 % is the quantile of zfit's own ensemble sampler.

    Priors are flat in wide ranges; the constraint term is in zfit's loss. The error of the sampler
    is that of the means of eight groups of walkers, which know their scatter to a quarter: five of
    it are allowed, and it must be below 5 %.
    """
    for package in ("emcee", "arviz"):  # zfit asks ArviZ for the diagnostics of a chain
        pytest.importorskip(package, reason=f"{package} is not installed")
    import warnings

    from darkstats.inference.bayes import credible_limit

    model, likelihood = both(bump())
    truth = np.array(model.inits)
    truth[model.require_poi()] = 0.0
    observation = thrown(model, truth, seed=2)
    exact = credible_limit(model, observation, cl=0.9, expected="none")
    assert observation.events is not None
    events = [part.events_of(0) for part in observation.events.channels]
    loss = likelihood.loss([x[:, w > 0.0] for x, w in events])
    likelihood.set_values(np.array(exact.posterior.moments()[:1] + tuple(model.inits[1:])))
    ends = {"mu": (0.0, 10.0), "nb": (500.0, 2000.0), "c": (-5.0, 20.0), "alpha": (-8.0, 8.0)}
    for name, parameter in zip(model.parameter_names, likelihood.parameters, strict=True):
        parameter.lower, parameter.upper = ends[name]
        parameter.set_prior(zfit.prior.Uniform(*ends[name]))
    walkers, steps = 32, 1200
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.random.seed(7)  # noqa: NPY002 -- emcee's own generator
        sampler = zfit.mcmc.EmceeSampler(nwalkers=walkers)
        drawn = sampler.sample(
            loss=loss, params=list(likelihood.parameters), n_samples=steps, n_warmup=600
        )
    chain = np.asarray(drawn.samples)[:, 0].reshape(steps, walkers)
    groups = [np.quantile(part, 0.9) for part in np.split(chain, 8, axis=1)]
    error = float(np.std(groups, ddof=1)) / math.sqrt(len(groups))
    theirs = float(np.quantile(chain, 0.9))
    assert exact.observed is not None
    assert error < 0.05 * exact.observed
    assert abs(theirs - exact.observed) < 5.0 * error
