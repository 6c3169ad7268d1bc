"""Fits of every verb are made to fail at random: no printed number depends on one that failed.

Whatever happens to single lanes, a command prints the number of the undisturbed run, or none: then
it says so, by its exit status or in the place of the number, and the record counts the failures.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import darkstats.inference.curve as curves
from darkstats.inference.curve import ProfileCurve
from disturbed_commands import check, disturbed
from failing_fits import Choice, at_random, from_batch, whole_batches

if TYPE_CHECKING:
    from conftest import Call


def faults() -> list[tuple[str, Choice]]:
    """Name and choice of each fault, from the start."""
    return [
        *((f"some lanes {seed}", at_random(0.1, seed)) for seed in (1, 2)),
        *((f"many lanes {seed}", at_random(0.4, seed)) for seed in (3, 4)),
        *((f"whole batches {seed}", whole_batches(0.15, seed)) for seed in (5, 6)),
        *((f"all from batch {first}", from_batch(first)) for first in (2, 3, 5)),
    ]


VERBS = {
    "limit": ("limit",),
    "limit clsb": ("limit", "--method", "clsb"),
    "limit pcl": ("limit", "--method", "pcl", "--calculator", "asymptotic"),
    "hypotest": ("hypotest", "--mu", 2),
    "significance": ("significance",),
    "gof": ("gof",),
    "fit": ("fit",),
    "minos": ("fit", "--minos", "mu"),
    "rank": ("rank",),
    "scan-poi": ("scan-poi",),
}
UNBINNED_VERBS = ("limit", "hypotest", "significance", "fit", "minos", "rank", "scan-poi")
ALL_OR_NOTHING = {"minos"}  # a chain of single fits: none gets through with one that failed


#: Verbs whose fits have another start, or neighbours, that mend a single failure.
MENDED = {"rank", "scan-poi"}


@pytest.mark.parametrize("verb", VERBS)
def test_binned(call: Call, monkeypatch: pytest.MonkeyPatch, binned: Path, verb: str) -> None:
    name, *options = VERBS[verb]
    words = (name, binned, *options, "--threads", 1)
    through = check(call, monkeypatch, words, faults(), relative=1e-5, mended=verb in MENDED)
    assert (through > 0) == (verb not in ALL_OR_NOTHING)


@pytest.mark.parametrize("verb", UNBINNED_VERBS)
def test_unbinned(call: Call, monkeypatch: pytest.MonkeyPatch, unbinned: Path, verb: str) -> None:
    name, *options = VERBS[verb]
    words = (name, unbinned, "--unblind", *options, "--threads", 1)
    through = check(call, monkeypatch, words, faults(), relative=1e-5, mended=verb in MENDED)
    assert (through > 0) == (verb not in ALL_OR_NOTHING)


def test_a_ranking_says_what_it_misses(
    call: Call, monkeypatch: pytest.MonkeyPatch, binned: Path
) -> None:
    """Fits behind impacts fail: empty fields with their reason, a count and a warning."""
    words = ("rank", binned, "--threads", 1)
    assert not call(*words).record["warnings"]
    done, _ = disturbed(call, monkeypatch, words, lambda n: np.full(n, n == 4))
    assert done.status == 0
    assert [impact["failed"] for impact in done.record["impacts"]] == [4, 4, 4]
    assert "not certified" in done.record["impacts"][0]["postfit_up_reason"]
    assert "12 fit(s) behind the impacts of 3 parameter(s)" in done.record["warnings"][0]


def test_interference(call: Call, monkeypatch: pytest.MonkeyPatch, interference: Path) -> None:
    """Where no fit at the tested strength is certified there is no q, least of all an infinite."""
    words = ("hypotest", interference, "--unblind", "--mu", 8, "--threads", 1)
    check(call, monkeypatch, words, faults(), relative=1e-5)


TOYS = ("--toys", 300, "--threads", 1)
TOY_VERBS = {
    "hypotest": ("hypotest", "--mu", 2, "--calculator", "toys", *TOYS),
    "significance": ("significance", "--calculator", "toys", *TOYS),
    "gof": ("gof", "--calculator", "toys", *TOYS),
    "limit": ("limit", "--calculator", "toys", *TOYS),
    "fc": ("limit", "--method", "fc", "--cl", 0.9, *TOYS),
}


def toy_faults() -> list[tuple[str, Choice]]:
    """Few enough to be let through, and too many."""
    return [
        *((f"few toys {seed}", at_random(0.003, seed)) for seed in range(1, 6)),
        *((f"very few toys {seed}", at_random(0.0004, seed)) for seed in (8, 9)),
        ("many toys", at_random(0.2, 4)),
        ("all from batch 3", from_batch(3)),
        ("all from batch 7", from_batch(7)),
    ]


@pytest.mark.parametrize("verb", TOY_VERBS)
def test_toys(call: Call, monkeypatch: pytest.MonkeyPatch, binned: Path, verb: str) -> None:
    """Numbers move by no more than the toys that failed allow; too many, and there is none."""
    name, *options = TOY_VERBS[verb]
    words = (name, binned, *options)
    assert check(call, monkeypatch, words, toy_faults(), relative=0.15, retried=True) > 0


EVENT_TOYS = ("--toys", 200)
EVENT_TOY_VERBS = {
    "hypotest": ("hypotest", "--mu", 1.5, "--calculator", "toys", *EVENT_TOYS),
    "significance": ("significance", "--calculator", "toys", *EVENT_TOYS),
    "limit": ("limit", "--calculator", "toys", "--toys", 400),
    "fc": ("limit", "--method", "fc", "--cl", 0.9, *EVENT_TOYS),
}


def event_faults() -> list[tuple[str, Choice]]:
    """Few enough to be let through by a test of one strength, by a search of many, and too many."""
    return [
        *((f"few toys {seed}", at_random(0.003, seed)) for seed in (1, 2)),
        *((f"very few toys {seed}", at_random(0.0003, seed)) for seed in (3, 4)),
        ("many toys", at_random(0.2, 5)),
        ("all from batch 6", from_batch(6)),
    ]


@pytest.mark.parametrize("verb", EVENT_TOY_VERBS)
def test_toys_of_events(
    call: Call, monkeypatch: pytest.MonkeyPatch, few_events: Path, verb: str
) -> None:
    name, *options = EVENT_TOY_VERBS[verb]
    words = (name, few_events, "--unblind", *options, "--threads", 1)
    assert check(call, monkeypatch, words, event_faults(), relative=0.3, retried=True) > 0


@pytest.mark.parametrize("verb", ["hypotest", "fc"])
def test_failed_toys_of_events_are_counted(
    call: Call, monkeypatch: pytest.MonkeyPatch, few_events: Path, verb: str
) -> None:
    name, *options = EVENT_TOY_VERBS[verb]
    words = (name, few_events, "--unblind", *options, "--threads", 1)
    done, _ = disturbed(call, monkeypatch, words, at_random(0.003, 1))
    assert done.status == 0, done.messages
    toys = done.record["toys"]
    assert toys["failed"] > 0
    assert toys["ok"] + toys["failed"] == toys["asked"]


def _old_settle(self: ProfileCurve, mu: float, start: Any, profile: Any, *_: Any, **__: Any) -> Any:
    """Counted infinity as equal to infinity."""
    counts, auxdata = self.model.stack([profile.observation] * 20)
    batch = curves.fit_batch(
        self.model, counts, auxdata, start=np.repeat(start[None], 20, axis=0), poi_values=mu
    )
    values = np.where(batch.converged, batch.twice_nll, np.inf)
    best = int(np.argmin(values))
    assert np.count_nonzero(values <= values[best] + 1e-6) >= 3
    return float(values[best]), batch.parameters[best]


def test_the_harness_sees_failed_fits_that_agree(
    call: Call, monkeypatch: pytest.MonkeyPatch, binned: Path
) -> None:
    """With the old rule infinity goes on as a value, with exit status 0: this is what is caught."""
    words = ("hypotest", binned, "--mu", 2, "--threads", 1)
    assert check(call, monkeypatch, words, [("late", from_batch(2))], relative=1e-5) == 0
    monkeypatch.setattr(ProfileCurve, "_settle", _old_settle)
    done, _ = disturbed(call, monkeypatch, words, from_batch(2))
    assert done.status == 0
    with pytest.raises(AssertionError, match="CLs_obs"):
        check(call, monkeypatch, words, [("late", from_batch(2))], relative=1e-5)


@pytest.mark.parametrize("gate", ["numbers", "probability"])
def test_no_statistic_without_a_fit_becomes_a_p_value(
    call: Call, monkeypatch: pytest.MonkeyPatch, binned: Path, gate: str
) -> None:
    """Should a value that is no number ever get so far, each of two gates refuses it."""
    if gate == "probability":
        monkeypatch.setattr("darkstats.inference.asymptotics._require_numbers", lambda *_: None)
    monkeypatch.setattr(ProfileCurve, "q", lambda *_: np.nan)
    done = call("hypotest", binned, "--mu", 2)
    assert done.status == 1
    assert {"numbers": "not a number", "probability": "no probability"}[gate] in done.messages
