"""Measure everything that the validation page states, in one run.

    python -m tests.peers.validation_report --output docs/studies/validation

writes ``validation.json`` (the numbers) and ``validation.md`` (the page); some minutes on one
core. The reference likelihoods are found as in the tests. The exit status is 1 if a number lies
outside its tolerance.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyhf
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm, poisson
from tests.conftest import reference_folder
from tests.peers.converged_minimum import hypothesis_test
from tests.peers.feldman_cousins_grid import BACKGROUNDS, TABLE_IV, published, raised
from tests.peers.validation_page import TOLERANCES, failures, page
from tests.small_models import counting, on_off

from darkstats.fit import fit, profile_interval
from darkstats.inference import hypotest, significance, upper_limit
from darkstats.inference.poisson_counting import poisson_cls_limit, poisson_interval
from darkstats.model import InterpolationCodes, compile_workspace
from darkstats.provenance import package_version, versions
from darkstats.workspace import Workspace, read_workspace

DOUBLE_WELL = "2bin_2channel_coupledhistosys"
SMOOTH = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
VALIDATION_CODES = {"normsys": {"interpcode": "code1"}}  # and with that, histosys by code0
STARTS = 6

Json = dict[str, Any]


def tell(line: str) -> None:
    sys.stderr.write(line + "\n")


def peer_starts(peer: Any, count: int) -> list[np.ndarray]:
    """The suggested start, one on either side of it, and random ones: the minima must be global."""
    first = np.array(peer.config.suggested_init(), dtype=float)
    rng = np.random.default_rng(1)
    random = [first + rng.uniform(-0.5, 0.5, len(first)) for _ in range(count - 3)]
    return [first, first + 0.4, first - 0.4, *random][:count]


def by_pyhf(peer: Any, data: Any, mu: float, statistic: str, optimizer: Any) -> list[float]:
    """CLs, or p0, of pyhf itself: observed and expected."""
    pyhf.set_backend("numpy", optimizer)
    observed, expected = pyhf.infer.hypotest(
        mu, data, peer, test_stat=statistic, return_expected_set=True
    )
    return [float(observed), *(float(value) for value in expected)]


def comparison(
    workspace: Workspace,
    codes: dict[str, dict[str, str]],
    *,
    mu: float,
    statistic: str,
    stated: Json,
    starts: int,
) -> Json:
    """One test: ours, the stated one, from converged minima, and by pyhf at two tolerances."""
    peer = pyhf.Workspace(workspace.document).model(modifier_settings=codes)
    data = pyhf.Workspace(workspace.document).data(peer)
    names = {kind: codes.get(kind, {}).get("interpcode", "code0") for kind in SMOOTH}
    model = compile_workspace(workspace, interpolation=InterpolationCodes(**names))
    result = hypotest(model, model.observation, mu, test_stat=statistic)
    assert result.quoted is not None
    converged = hypothesis_test(peer, data, mu, statistic, starts=peer_starts(peer, starts))
    tight = pyhf.optimize.scipy_optimizer(tolerance=1e-12, maxiter=100_000)
    return {
        "mu": mu,
        "statistic": statistic,
        "parameters": model.n_parameters,
        "ours": [result.quoted.value, *result.quoted_expected],
        "stated": [stated["obs"], *stated["exp"]],
        "converged": [converged.observed, *converged.expected],
        "pyhf_default": by_pyhf(peer, data, mu, statistic, pyhf.optimize.scipy_optimizer()),
        "pyhf_tight": by_pyhf(peer, data, mu, statistic, tight),
        "q": result.statistic,
        "q_asimov": result.statistic_asimov,
        "q_converged": converged.q,
        "q_asimov_converged": converged.q_asimov,
        "edm_converged": converged.edm,
        "warnings": list(result.warnings),
    }


def sbottom(folder: Path) -> Json:
    """The five stated points of ATLAS-SUSY-2018-31."""
    answers = json.loads((folder / "ANSWERS.json").read_text("utf-8"))
    found: Json = {}
    with tarfile.open(next(folder.glob("*.tar.gz"))) as record:

        def member(path: str) -> bytes:
            stream = record.extractfile(path)
            assert stream is not None
            return stream.read()

        for name, answer in answers.items():
            if name.startswith("_"):
                continue
            tell(f"sbottom {name}")
            region, point = name.split("/")
            workspace = read_workspace(
                member(f"{region}/BkgOnly.json"),
                patches=[member(f"{region}/patch.sbottom_{point}.json")],
            )
            found[name] = comparison(
                workspace, SMOOTH, mu=1.0, statistic="qtilde", stated=answer["stated"], starts=1
            )
    return found


def validation(folder: Path) -> Json:
    """The nine workspaces of pyhf's validation suite."""
    answers = json.loads((folder / "ANSWERS.json").read_text("utf-8"))
    found: Json = {}
    for name, answer in answers.items():
        if name.startswith("_"):
            continue
        tell(f"validation {name}")
        found[name] = comparison(
            read_workspace(folder / f"{name}.json"),
            VALIDATION_CODES,
            mu=answer["mu_test"],
            statistic=answer["test_stat"],
            stated=answer["stated"],
            starts=STARTS,
        )
    return found


def minima(density: Callable[[float], float]) -> list[list[float]]:
    """Every minimum in [-5, 5] of a function of one nuisance: a scan of 10,001 points, refined."""
    grid = np.linspace(-5.0, 5.0, 10_001)
    values = [density(point) for point in grid]
    found = []
    for i in range(1, len(grid) - 1):
        if values[i] <= values[i - 1] and values[i] < values[i + 1]:
            end = minimize_scalar(
                density,
                bounds=(grid[i - 1], grid[i + 1]),
                method="bounded",
                options={"xatol": 1e-12},
            )
            found.append([float(end.x), float(end.fun)])
    return found


def double_well(folder: Path) -> Json:
    """The minima of the one workspace that has two, by pyhf's density; and who finds which."""
    workspace = read_workspace(folder / f"{DOUBLE_WELL}.json")
    document = pyhf.Workspace(workspace.document)
    peer = document.model(modifier_settings=VALIDATION_CODES)
    data = np.asarray(document.data(peer))
    poi = peer.config.poi_index

    def density(mu: float, alpha: float) -> float:
        point = np.empty(2)
        point[poi], point[1 - poi] = mu, alpha
        return float(-2.0 * peer.logpdf(point, data)[0])

    scan = [[mu, minima(lambda a, mu=mu: density(mu, a))] for mu in np.linspace(0.0, 2.0, 21)]
    programs: Json = {}
    for label, optimizer in {
        "pyhf, SciPy (SLSQP)": pyhf.optimize.scipy_optimizer(),
        "pyhf, SciPy, tolerance 1e-12": pyhf.optimize.scipy_optimizer(tolerance=1e-12),
        "pyhf, iminuit": pyhf.optimize.minuit_optimizer(),
        "pyhf, iminuit, strategy 2": pyhf.optimize.minuit_optimizer(strategy=2, tolerance=1e-4),
    }.items():
        pyhf.set_backend("numpy", optimizer)
        free, free_value = pyhf.infer.mle.fit(data, peer, return_fitted_val=True)
        held, held_value = pyhf.infer.mle.fixed_poi_fit(1.0, data, peer, return_fitted_val=True)
        programs[label] = {
            "free": [float(free[poi]), float(free[1 - poi]), float(free_value)],
            "held": [1.0, float(held[1 - poi]), float(held_value)],
            "cls": by_pyhf(peer, data, 1.0, "q", optimizer)[0],
        }
    codes = InterpolationCodes(normsys="code1", histosys="code0")
    model = compile_workspace(workspace, interpolation=codes)
    ours: Json = {}
    for key, value in (("free", None), ("held", 1.0)):
        found = fit(model, model.observation, poi_value=value)
        mu = found.poi if value is None else value
        alpha = found.value("coupled_histosys")
        ours[key] = [float(mu), alpha, density(mu, alpha)]
    result = hypotest(model, model.observation, 1.0, test_stat="q")
    assert result.quoted is not None
    programs["darkstats"] = ours | {"cls": result.quoted.value}
    return {
        "scan": scan,
        "programs": programs,
        "warnings": list(result.warnings),
        "smooth": smooth_codes(workspace),
    }


def smooth_codes(workspace: Workspace) -> Json:
    """The same file with the default interpolation: two minima without a kink."""
    document = pyhf.Workspace(workspace.document)
    peer = document.model(modifier_settings=SMOOTH)
    starts = peer_starts(peer, STARTS)
    converged = hypothesis_test(peer, document.data(peer), 1.0, "qtilde", starts=starts)
    model = compile_workspace(workspace)
    result = hypotest(model, model.observation, 1.0)
    assert result.quoted is not None
    return {
        "ours": [result.quoted.value, *result.quoted_expected],
        "converged": [converged.observed, *converged.expected],
        "warnings": list(result.warnings),
    }


def _deviance(n: float, mean: float) -> float:
    return 2.0 * (mean - n + (n * math.log(n / mean) if n > 0 else 0.0))


def closed_forms() -> list[Json]:
    """Cases whose answer is known without a fit; the answers are computed here, by SciPy."""
    found: list[Json] = []

    def add(what: str, ours: float | None, exact: float) -> None:
        assert ours is not None
        found.append({"what": what, "ours": float(ours), "exact": float(exact)})

    for b in (0.3, 3.0):
        add(f"CLs limit (exact), n = 0, b = {b:g}", poisson_cls_limit(0, b), -math.log(0.05))
        add(
            f"90 % CLs limit (exact), n = 0, b = {b:g}",
            poisson_cls_limit(0, b, cl=0.9),
            -math.log(0.1),
        )
    for n, b in ((1, 0.5), (5, 3.0), (12, 10.0)):
        exact = brentq(
            lambda s, n=n, b=b: poisson.cdf(n, s + b) - 0.05 * poisson.cdf(n, b),
            0.0,
            60.0,
            xtol=1e-13,
        )
        add(f"CLs limit (exact), n = {n}, b = {b:g}", poisson_cls_limit(n, b), exact)
    for n, b in ((0, 3.0), (4, 3.0), (16, 10.0)):
        model = counting(n, 1.0, b)

        def log_cls(s: float, n: int = n, b: float = b) -> float:
            best = max(n - b, 0.0)
            q = 0.0 if best > s else _deviance(n, s + b) - _deviance(n, best + b)
            q_asimov = _deviance(b, s + b)
            a, x = math.sqrt(q_asimov), math.sqrt(q)
            if q > q_asimov:
                x = (q + q_asimov) / (2.0 * a)
            return float(norm.logsf(x) - norm.logsf(x - a)) - math.log(0.05)

        exact = brentq(log_cls, 1e-6, 100.0, xtol=1e-13)
        ours = upper_limit(model, model.observation, probe=False).observed
        add(f"asymptotic CLs limit, n = {n}, b = {b:g}", ours, exact)
    for n_on, n_off, tau in ((20, 10, 1.0), (9, 20, 4.0), (130, 100, 1.0)):
        alpha, total = 1.0 / tau, n_on + n_off
        exact = math.sqrt(
            2.0 * n_on * math.log((1 + alpha) / alpha * n_on / total)
            + 2.0 * n_off * math.log((1 + alpha) * n_off / total)
        )
        model = on_off(n_on, n_off, tau)
        ours = significance(model, model.observation).observed
        add(f"on/off significance, {n_on} on, {n_off} off, tau = {tau:g}", ours, exact)
    for n, b in ((9, 3.0), (40, 25.0)):
        model = counting(n, 5.0, b)  # mu in units of five events
        interval = profile_interval(model, model.observation, "mu")

        def rise(s: float, n: int = n, b: float = b) -> float:
            return _deviance(n, s + b) - 1.0

        best = n - b
        what = f"likelihood-ratio interval, n = {n}, b = {b:g}"
        lower, upper = brentq(rise, 1e-9, best, xtol=1e-13), brentq(rise, best, 99.0, xtol=1e-13)
        add(f"{what}, lower end", interval.lower, lower / 5.0)
        add(f"{what}, upper end", interval.upper, upper / 5.0)
    for s, b in ((5.0, 9.0), (2.0, 0.5)):
        model = counting(b, s, b)
        ours = significance(model, model.observation).expected[2]
        exact = math.sqrt(2.0 * ((s + b) * math.log1p(s / b) - s))
        add(f"median significance, s = {s:g}, b = {b:g}", ours, exact)
    return found


def feldman_cousins() -> list[Json]:
    """Fifty intervals: ours, a plain grid's, and those of the published table."""
    tell("Feldman-Cousins on a grid")
    grid = raised(BACKGROUNDS, n_max=max(TABLE_IV), top=10.0)
    rows = []
    for n in TABLE_IV:
        for i, b in enumerate(BACKGROUNDS):
            ours = poisson_interval(n, b, raised=True)
            rows.append(
                {
                    "n": n,
                    "background": b,
                    "ours": [ours.lower, ours.upper],
                    "grid": [float(end) for end in grid[i, n]],
                    "published": list(published(n, b)),
                }
            )
    return rows


def measure(folder: Path) -> Json:
    """Everything on the page."""
    peers = {name: package_version(name) for name in ("pyhf", "scipy", "iminuit")}
    return {
        "schema": "darkstats.validation/1",
        "versions": versions(peers),
        "tolerances": TOLERANCES,
        "sbottom": sbottom(folder / "atlas_susy_2018_31"),
        "validation": validation(folder / "pyhf_validation"),
        "double_well": double_well(folder / "pyhf_validation"),
        "closed_forms": closed_forms(),
        "feldman_cousins": feldman_cousins(),
    }


def main() -> int:
    """Measure, and write the two files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("validation"), help="stem of the files")
    parser.add_argument("--render", action="store_true", help="write the page from the JSON again")
    options = parser.parse_args()
    logging.getLogger("pyhf").setLevel(logging.ERROR)
    record = options.output.with_suffix(".json")
    if options.render:
        found = json.loads(record.read_text("utf-8"))
    else:
        folder = reference_folder()
        if folder is None:
            tell("the reference likelihoods are not here: set DARKSTATS_DATA")
            return 2
        found = measure(folder)
        record.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    options.output.with_suffix(".md").write_text(page(found), encoding="utf-8")
    wrong = failures(found)
    for line in wrong:
        tell(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
