"""The frame of the statistical verbs: what all of their records share, and when toys count."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from darkstats import workflows
from darkstats.workflows import (
    FitRequest,
    GoodnessRequest,
    HypoTestRequest,
    LimitRequest,
    ModelRequest,
    Outcome,
    RankRequest,
    ScanRequest,
    SignificanceRequest,
    ToyRequest,
    WorkspaceRequest,
)

Ask = Callable[..., Outcome[Any]]


def model(path: Path, **options: Any) -> ModelRequest:
    return ModelRequest(workspace=WorkspaceRequest(source=str(path)), **options)


def asked(verb: str, path: Path, **options: Any) -> Outcome[Any]:
    """The outcome of a verb about a workspace."""
    requests = {
        "fit": FitRequest, "limit": LimitRequest, "hypotest": HypoTestRequest,
        "significance": SignificanceRequest, "gof": GoodnessRequest, "rank": RankRequest,
        "scan_poi": ScanRequest,
    }  # fmt: skip
    where = options.pop("model", None) or model(path)
    outcome: Outcome[Any] = getattr(workflows, verb)(requests[verb](model=where, **options))
    return outcome


VERBS = ("fit", "limit", "hypotest", "significance", "gof", "rank", "scan_poi")
WITH_TOYS = ("limit", "hypotest", "significance", "gof")


@pytest.mark.parametrize("verb", VERBS)
def test_records_share_their_frame(verb: str, example_workspaces: dict[str, Path]) -> None:
    """Notes in each; toys and a referee where a verb offers them, and why there are none."""
    record = asked(verb, example_workspaces["two_bins"]).record()
    assert record["workspace_warnings"] == []
    assert ("toys_per_hypothesis" in record) is (verb in WITH_TOYS)
    if verb in WITH_TOYS:
        assert record["toys_per_hypothesis"] is None
        assert record["toys_per_hypothesis_reason"]
        assert record["toys_of_earlier_result"] == 0
    assert ("referee" in record) is (verb not in {"rank", "scan_poi"})
    if "referee" in record:
        assert record["referee"] is None
        assert record["referee_reason"] == "not asked"


@pytest.mark.parametrize("verb", WITH_TOYS)
def test_toys_that_a_number_rests_on_are_quoted(
    verb: str, example_workspaces: dict[str, Path]
) -> None:
    toys = ToyRequest(n_toys=200, seed=3)
    found = asked(verb, example_workspaces["two_bins"], calculator="toys", toys=toys).record()
    assert found["toys_per_hypothesis"] == 200
    assert "toys_per_hypothesis_reason" not in found


@pytest.mark.parametrize("verb", ["hypotest", "significance", "gof"])
def test_a_seed_alone_throws_nothing(verb: str, example_workspaces: dict[str, Path]) -> None:
    path = example_workspaces["two_bins"]
    seeded = asked(verb, path, toys=ToyRequest(seed=3)).record()
    plain = asked(verb, path).record()
    assert seeded["toys_per_hypothesis"] is None
    assert seeded == plain


@pytest.mark.parametrize("verb", VERBS)
def test_notes_stand_below_the_table(verb: str, example_workspaces: dict[str, Path]) -> None:
    """Another parameter of interest leaves the signal free, which every verb says."""
    from rich.console import Console

    where = model(example_workspaces["three_channels"], poi="tau_pair_norm")
    outcome = asked(verb, Path(), model=where)
    (note,) = [n for n in outcome.record()["workspace_warnings"] if "floats freely" in n]
    assert note.startswith("mu, the parameter of interest of measurement")
    text = io.StringIO()
    Console(width=200, file=text).print(outcome.sheet())
    assert "mu, the parameter of interest of measurement" in text.getvalue()


def test_the_own_parameter_of_interest_is_no_news(example_workspaces: dict[str, Path]) -> None:
    for poi in (None, "mu"):
        where = model(example_workspaces["three_channels"], poi=poi)
        assert asked("fit", Path(), model=where).record()["workspace_warnings"] == []
