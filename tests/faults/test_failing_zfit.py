"""Fits of zfit's own loss are made to fail, by lanes, by what it evaluates to, and as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("zfit")

from darkstats.model.unbinned import zfit_engine
from darkstats.model.unbinned.zfit_engine import ZfitEngine, ZfitEvaluator
from disturbed_commands import check
from failing_fits import Choice, at_random, every_lane, from_batch
from record_comparison import differences

if TYPE_CHECKING:
    from conftest import Call

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow deprecates what zfit uses


@pytest.fixture(scope="module", autouse=True)
def one_engine() -> Any:
    """The graphs of zfit are traced once for all commands."""
    of_likelihood, traced = ZfitEngine.of_likelihood, ZfitEngine._traced
    engines: list[ZfitEngine] = []

    def known(likelihood: Any, names: Any) -> ZfitEngine:
        if not engines:
            engines.append(of_likelihood(likelihood, names))
        return engines[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ZfitEngine, "of_likelihood", known)
        patch.setattr(zfit_engine, "_LANES_PER_CALL", 16)  # chunks are filled up
        # to compile costs more than all that is evaluated here
        patch.setattr(
            ZfitEngine, "_traced", lambda self, *, curved: traced(self, curved=curved, xla=False)
        )
        yield


@pytest.fixture
def words(few_events: Path) -> tuple[Any, ...]:
    """The limit of a small model by zfit's loss."""
    options = ("--engine", "zfit", "--calculator", "asymptotic", "--unblind", "--threads", 1)
    return ("limit", few_events, *options)


def test_lanes_that_fail(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: tuple[Any, ...]
) -> None:
    """The limit is that of the undisturbed run and the failures are counted, or there is none."""
    choices = [
        ("some lanes", at_random(0.1, 1)),
        ("all from batch 3", from_batch(3)),
    ]
    assert check(call, monkeypatch, words, choices, relative=1e-5) > 0


def lost(patch: pytest.MonkeyPatch, choose: Choice, what: str) -> None:
    """Lanes in which zfit's loss, or its slope, is no number."""
    derivatives = ZfitEvaluator.derivatives

    def at(self: ZfitEvaluator, *words: Any) -> Any:
        value, size, gradient, hessian = derivatives(self, *words)
        chosen = choose(len(value))
        if what == "value":
            value[chosen] = np.nan
        else:
            gradient[chosen] = np.nan
        return value, size, gradient, hessian

    patch.setattr(ZfitEvaluator, "derivatives", at)


FAULTS = {
    "some values": ("value", at_random(0.05, 1)),
    "later slopes": ("gradient", from_batch(30)),
    "all values": ("value", every_lane),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_loss_that_is_no_number(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: tuple[Any, ...], fault: str
) -> None:
    """A step there is not taken; where all are lost there is no limit."""
    what, choice = FAULTS[fault]
    expected = call(*words)
    assert expected.status == 0, expected.messages
    lost(monkeypatch, choice, what)
    done = call(*words)
    assert (done.status == 1) == ("error" in done.record), done.messages
    if done.status == 0:
        assert not list(differences(expected.record, done.record, relative=1e-5))
    else:
        assert done.record["error"] == "FitFailedError"
    assert done.status == (fault != "some values")


@pytest.mark.parametrize("first", [0, 3, 12])
def test_a_graph_that_breaks(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: tuple[Any, ...], first: int
) -> None:
    """What TensorFlow raises is a fit that failed, in the words of zfit, and no internal error."""
    import tensorflow as tf

    graph_of, broken = ZfitEngine.graph, from_batch(first)

    def graph(self: ZfitEngine, widths: Any, *, curved: bool) -> Any:
        sound = graph_of(self, widths, curved=curved)

        def evaluate(*inputs: Any) -> Any:
            if broken(1)[0]:
                raise tf.errors.ResourceExhaustedError(None, None, "no memory for the graph")
            return sound(*inputs)

        return evaluate

    monkeypatch.setattr(ZfitEngine, "graph", graph)
    done = call(*words)
    assert (done.status, done.record["error"]) == (1, "FitFailedError")
    assert "zfit" in done.messages
    assert "no memory for the graph" in done.messages
