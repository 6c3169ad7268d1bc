"""Nodes of a posterior, chains and fits behind it are made to fail: the limit stays, or goes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import darkstats.inference.bayes.problem as problems
from darkstats.inference.bayes.laplace.importance import effective_size, pareto_k
from darkstats.inference.bayes.nuts import chains
from darkstats.inference.bayes.nuts.diagnostics import bulk_size, r_hat, tail_size
from darkstats.inference.bayes.nuts.sampler import Chains
from failing_fits import Choice, FailingFits, at_random, every_lane, from_batch, whole_batches

if TYPE_CHECKING:
    from conftest import Call

LIMIT = ("limit", "--method", "bayes", "--threads", 1)


def failing_modes(patch: pytest.MonkeyPatch, choose: Choice) -> None:
    """Conditional modes that are not found, with nonsense in their place."""
    conditional_modes = problems.conditional_modes

    def found(*words: Any) -> Any:
        modes = conditional_modes(*words)
        lost = choose(len(modes.good))
        return replace(
            modes,
            z=np.where(lost[:, None], 3.0 * modes.z + 1.0, modes.z),
            value=np.where(lost, 1e6, modes.value),
            good=modes.good & ~lost,
        )

    patch.setattr(problems, "conditional_modes", found)


def failing_density(patch: pytest.MonkeyPatch, choose: Choice) -> None:
    """Points at which the density is no number."""
    value = problems.NuisanceDensity.value

    def at(self: Any, *words: Any) -> Any:
        values = value(self, *words)
        return np.where(choose(len(values)), np.nan, values)

    patch.setattr(problems.NuisanceDensity, "value", at)


FAULTS: dict[str, Callable[[pytest.MonkeyPatch, Choice], object]] = {
    "fits": FailingFits,
    "modes": failing_modes,
    "densities": failing_density,
}


def choices() -> list[tuple[str, Choice]]:
    return [
        ("some", at_random(0.02, 1)),
        ("many", at_random(0.3, 2)),
        ("whole batches", whole_batches(0.2, 3)),
        ("all from batch 2", from_batch(2)),
        ("all", every_lane),
    ]


def same_or_gone(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """The limit within the errors of both, or none with its reason; the band likewise."""
    for key in ("observed", "expected"):
        pairs = [(expected[key], expected[f"{key}_error"], found[key], found[f"{key}_error"])]
        if key == "expected":
            pairs = list(zip(*pairs[0], strict=True)) if found[key] else []
        for value, error, other, other_error in pairs:
            if other is None:
                assert found[f"{key}_reason"]
            elif value is not None:
                allowed = 5.0 * math.hypot(error, other_error) + 1e-4 * value
                assert abs(other - value) <= allowed, (key, value, other, other_error)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("engine", ["quadrature", "laplace"])
def test_a_limit_stays_or_goes(
    call: Call, monkeypatch: pytest.MonkeyPatch, two_nuisances: Path, engine: str, fault: str
) -> None:
    words = (*LIMIT, two_nuisances, "--engine", engine, "--expected", "none")
    expected = call(*words)
    assert expected.status == 0
    for name, choice in choices():
        with monkeypatch.context() as patch:
            FAULTS[fault](patch, choice)
            done = call(*words)
        assert (done.status == 1) == ("error" in done.record), (name, done.messages)
        if done.status == 0:
            same_or_gone(expected.record, done.record)
    assert done.status == 1 or fault == "fits", "nothing at all was known, and a limit came out"


def test_a_band_stays_or_goes(call: Call, monkeypatch: pytest.MonkeyPatch, binned: Path) -> None:
    """Toys of the band without a limit are counted, and too many of them leave no band."""
    words = (*LIMIT, binned, "--engine", "laplace", "--toys", 60)
    expected = call(*words)
    for fault in ("fits", "modes"):
        for _, choice in choices()[:-1]:
            with monkeypatch.context() as patch:
                FAULTS[fault](patch, choice)
                done = call(*words)
            if done.status == 0:
                same_or_gone(expected.record, done.record)


def test_chains_that_stand_still_agree_on_nothing() -> None:
    """All at one place, each at its own, or no numbers: no convergence, and no draws of worth."""
    rng = np.random.default_rng(1)
    for draws in (
        np.ones((8, 400)),
        np.repeat(rng.normal(size=(8, 1)), 400, axis=1),
        np.where(np.arange(8)[:, None] == 3, np.nan, rng.normal(size=(8, 400))),
    ):
        assert r_hat(draws) > 1e10
    assert bulk_size(np.ones((8, 400))) == tail_size(np.ones((8, 400))) == 0.0


def test_weights_that_are_no_numbers_are_no_good_weights() -> None:
    """A sample of failures has no effective point, and the worst of tails."""
    for bad in (np.full(400, -np.inf), np.full(400, np.nan), np.full(400, np.inf)):
        assert effective_size(bad) == 0.0
        assert pareto_k(bad) == math.inf
    some = np.zeros(400)
    some[7] = np.nan
    assert effective_size(some) == 0.0
    assert pareto_k(some) == math.inf


@pytest.mark.parametrize("still", [1, 32])
def test_a_sampler_with_chains_that_stand_still_is_refused(
    call: Call, monkeypatch: pytest.MonkeyPatch, binned: Path, still: int
) -> None:
    """One of 32 chains at the centre, where no mean would show it; and all of them."""
    transition = chains.transition

    def stuck(target: Any, chains: Chains, **options: Any) -> Any:
        moved = transition(target, chains, **options)
        keep = (np.arange(len(chains.value)) < still)[:, None]
        return replace(
            moved,
            chains=Chains(
                np.where(keep, 0.0, moved.chains.position),
                np.where(keep[:, 0], chains.value, moved.chains.value),
                np.where(keep, chains.gradient, moved.chains.gradient),
            ),
        )

    words = (*LIMIT, binned, "--engine", "nuts", "--expected", "none")
    monkeypatch.setattr(chains, "transition", stuck)
    monkeypatch.setattr(chains.NutsOptions, "__init__", _few_draws(chains.NutsOptions.__init__))
    done = call(*words)
    assert done.status == 1
    assert f"{still} of 32 chains never moved" in done.messages


def _few_draws(make: Any) -> Any:
    def init(self: Any, **options: Any) -> None:
        make(self, **{"block": 60, "most_blocks": 1, "acceptance": (0.8,), **options})

    return init
