"""Covariance and impacts of models with many parameters: the same numbers, fewer operations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from darkstats.errors import FitFailedError
from darkstats.fit import FitResult, covariance, fit, uncertainty
from darkstats.fit.eigenvalues import largest_eigenvalue
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
