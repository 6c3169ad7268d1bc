"""A command with fits that fail against the same command undisturbed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from failing_fits import Choice, FailingFits, every_lane
from record_comparison import differences, failures_of, missing

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Call = Callable[..., Any]

#: Beside a limit stands the test of signal strength 1.
MAY_MISS = {"limit": {"CLs_obs", "CLs_exp"}}


def disturbed(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: tuple[Any, ...], choice: Choice
) -> tuple[Any, FailingFits]:
    """A command with failing fits, and what was made to fail."""
    with monkeypatch.context() as patch:
        failing = FailingFits(patch, choice)
        return call(*words), failing


def check(
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[Any, ...],
    choices: list[tuple[str, Choice]],
    *,
    relative: float,
    retried: bool = False,
    mended: bool = False,
) -> int:
    """Compare a command with itself under faults; how many runs with failures got through.

    Free fits of toys are ``retried`` once more: a failure that this mends is not counted. Fits of a
    ranking have two starts, points of a profile scan their neighbours: a failure from the
    first start alone is ``mended`` to the same number.
    """
    expected = call(*words)
    assert expected.status == 0, expected.messages
    before = failures_of(expected.record)
    through = 0
    for name, choice in [*choices, ("everything", every_lane)]:
        done, failing = disturbed(call, monkeypatch, words, choice)
        assert (done.status == 1) == ("error" in done.record), (name, done.messages)
        if done.status == 1:
            continue
        counted = failures_of(done.record) > before
        tolerance = relative if counted else 1e-9
        found = list(
            differences(
                expected.record, done.record, relative=tolerance, errors=not (counted and retried)
            )
        )
        assert not found, (name, found)
        if not retried:
            lost = list(
                missing(expected.record, done.record, allowed=MAY_MISS.get(words[0], set()))
            )
            assert not lost, (name, lost)
        assert counted or retried or mended or not failing.failed, name
        through += counted
    assert (done.status, done.record["error"]) == (1, "FitFailedError")
    return through
