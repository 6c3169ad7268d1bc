"""Covariance and impacts of models with many parameters: the same numbers, fewer operations."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats import workflows as w
from darkstats.errors import FitFailedError
from darkstats.fit import (
    FitOptions,
    FitResult,
    covariance,
    elsewhere,
    fit,
    fit_batch,
    impacts,
    mle,
    uncertainty,
)
from darkstats.fit.eigenvalues import largest_eigenvalue
from darkstats.model import HistFactoryModel
from large_models import large_document
from small_models import compiled


@pytest.fixture(scope="module")
def best() -> FitResult:
    """Best fit of a model of 111 parameters."""
    model = compiled(large_document(80, 30))
    return fit(model, model.observation)


def _with_spectrum(values: np.ndarray) -> np.ndarray:
    rotation = np.linalg.qr(np.random.default_rng(3).standard_normal((len(values),) * 2))[0]
    found: np.ndarray = rotation @ np.diag(values) @ rotation.T
    return found


@pytest.mark.parametrize(
    "values",
    [
        np.ones(40),
        np.array([3.0]),
        np.linspace(0.5, 7.0, 60),
        np.concatenate([np.full(50, 1.0), [9.0, 9.0]]),
        np.geomspace(1e-8, 2.0, 80),
    ],
    ids=["identity", "one", "even", "twice the same", "steep"],
)
def test_the_largest_eigenvalue_is_found(values: np.ndarray) -> None:
    """Also where it is degenerate, alone or close to others."""
    assert largest_eigenvalue(_with_spectrum(values)) == pytest.approx(values.max(), rel=1e-10)


def test_an_eigenvalue_that_does_not_settle_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step or two tell nothing."""
    monkeypatch.setattr("darkstats.fit.eigenvalues.MOST_STEPS", 2)
    assert largest_eigenvalue(_with_spectrum(np.linspace(0.5, 7.0, 60))) is None


def test_many_parameters_need_no_eigenvalues_but_two(
    best: FitResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The matrix has the same bits, the condition number the same ten digits."""
    full = covariance(best)
    sizes = []
    eigvalsh = np.linalg.eigvalsh

    def counted(matrix: np.ndarray) -> np.ndarray:
        sizes.append(len(matrix))
        found: np.ndarray = eigvalsh(matrix)
        return found

    monkeypatch.setattr(np.linalg, "eigvalsh", counted)
    monkeypatch.setattr(uncertainty, "MANY_PARAMETERS", 20)
    quick = covariance(best)
    assert sizes == []
    assert (quick.matrix == full.matrix).all()
    assert quick.errors == full.errors
    assert quick.condition == pytest.approx(full.condition, rel=1e-10)


@pytest.mark.parametrize("smallest", [0.0, -1e-3, 1e-14])
def test_a_large_hessian_that_is_not_positive_is_refused(
    smallest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal is that of a small one, with the eigenvalue in it."""
    monkeypatch.setattr(uncertainty, "MANY_PARAMETERS", 20)
    matrix = _with_spectrum(np.concatenate([[smallest], np.linspace(0.5, 2.0, 39)]))
    with pytest.raises(FitFailedError, match="smallest eigenvalue"):
        uncertainty._inverse(matrix)


def test_a_large_hessian_of_bad_condition_is_looked_at_in_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The inverse alone would not tell its condition number."""
    monkeypatch.setattr(uncertainty, "MANY_PARAMETERS", 20)
    matrix = _with_spectrum(np.concatenate([[1e-10], np.linspace(0.5, 2.0, 39)]))
    values = np.linalg.eigvalsh(matrix)
    assert uncertainty._inverse(matrix)[1] == float(values[-1] / values[0])


def test_covariance_asks_for_no_parameter_by_name(
    best: FitResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search for each of n names among n is n squared."""

    def refused(*_: Any) -> int:
        raise AssertionError("a parameter was searched for")

    monkeypatch.setattr(type(best.model), "parameter_index", refused)
    assert len(covariance(best).names) > 100


@pytest.fixture(scope="module")
def free() -> FitResult:
    """The same with a signal strength that may be negative: what impacts start from."""
    model = compiled(large_document(20, 12)).with_range("mu", -np.inf, np.inf)
    return fit(model, model.observation)


def _found(best: FitResult, **options: Any) -> list[tuple[Any, ...]]:
    found = impacts(best.model, best.observation, result=best, options=FitOptions(**options))
    return [dataclasses.astuple(impact) for impact in found]


def _lanes_and_steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, int]]:
    seen = []

    def counted(*given: Any, **options: Any) -> Any:
        batch = fit_batch(*given, **options)
        seen.append((options["options"].fallback, int(batch.steps.sum())))
        return batch

    monkeypatch.setattr("darkstats.fit.profile.fit_batch", counted)
    return seen


def test_impacts_start_where_the_parabola_ends(
    free: FitResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch for each parameter, at most a step for each fit, and the same numbers."""
    with monkeypatch.context() as patch:
        patch.setattr("darkstats.fit.profile._Shifted.parabolic", lambda *_: None)
        slow = _lanes_and_steps(patch)
        expected = _found(free)
    seen = _lanes_and_steps(monkeypatch)
    found = _found(free)
    assert len(seen) == len(slow) == len(found) == 32
    assert sum(steps for _, steps in seen) <= 0.6 * sum(steps for _, steps in slow)
    for one, other in zip(found, expected, strict=True):
        assert one[0] == other[0]
        assert one[1:] == pytest.approx(other[1:], abs=1e-9)


def test_impacts_whose_parabola_leads_astray_start_at_the_best_fit(
    free: FitResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the first start has no likelihood, everything is as without it, bit for bit."""
    with monkeypatch.context() as patch:
        patch.setattr("darkstats.fit.profile._Shifted.parabolic", lambda *_: None)
        expected = _found(free)
    monkeypatch.setattr(
        "darkstats.fit.profile._Shifted.parabolic",
        lambda self, p, values: np.full((len(values), len(self.rows)), np.nan),
    )
    seen = _lanes_and_steps(monkeypatch)
    assert _found(free, threads=1) == expected
    assert [with_ladder for with_ladder, _ in seen] == [False, True] * len(expected)


def test_impacts_do_not_depend_on_threads(free: FitResult) -> None:
    """Each parameter is a task of its own."""
    assert _found(free, threads=1) == _found(free, threads=3)


def test_ranking_takes_one_covariance(
    monkeypatch: pytest.MonkeyPatch, example_workspaces: dict[str, Path]
) -> None:
    """The error of the parameter of interest and the shifts come from the same matrix."""
    taken = []

    def counted(result: FitResult) -> Any:
        taken.append(result)
        return covariance(result)

    for place in ("darkstats.fit", "darkstats.fit.profile", "darkstats.fit.uncertainty"):
        monkeypatch.setattr(f"{place}.covariance", counted)
    source = w.WorkspaceRequest(source=str(example_workspaces["three_channels"]))
    w.rank(w.RankRequest(model=w.ModelRequest(workspace=source)))
    assert len(taken) == 1


def _far_from_its_data(n_nuisance: int) -> HistFactoryModel:
    """A model whose data no nuisance parameter explains."""
    document = large_document(60, n_nuisance)
    document["observations"][0]["data"][7] = 3.0e4
    return compiled(document)


def test_few_starts_elsewhere_where_a_fit_is_dear_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fit of 500 nuisance parameters in 2,000 bins far from its data took three minutes."""
    model = _far_from_its_data(30)
    whole = fit(model, model.observation)
    assert not any("further minima" in one for one in whole.warnings)
    sound, lanes = mle.fit_batch, []

    def counted(*given: Any, **options: Any) -> Any:
        lanes.append((len(options["start"]), options["options"].max_steps))
        return sound(*given, **options)

    monkeypatch.setattr(mle, "fit_batch", counted)
    monkeypatch.setattr(elsewhere, "_BUDGET", 3.5 * 50 * (15.0 + 200.0) * 32 * 60)
    few = fit(model, model.observation)
    assert (3, 100) in lanes
    assert sum(n for n, _ in lanes) < 20
    assert few.twice_nll == pytest.approx(whole.twice_nll, abs=1e-6)
    assert any(re.search(r"for which 3 of \d\d starts were tried", one) for one in few.warnings)
    monkeypatch.setattr(elsewhere, "_BUDGET", 0.0)
    none = fit(model, model.observation)
    assert any(re.search(r"for which 0 of \d\d starts were tried", one) for one in none.warnings)


def test_a_dear_fit_near_its_data_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "_BUDGET", 0.0)
    model = compiled(large_document(60, 30))
    assert fit(model, model.observation).warnings == ()
