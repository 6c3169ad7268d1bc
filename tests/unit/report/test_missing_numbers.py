"""A number that is missing has a reason beside it; one that is there has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from darkstats import workflows
from darkstats.inference.p_values import FitCounts, ToyCounts
from darkstats.inference.results import Interval
from darkstats.report.provenance import Inputs
from darkstats.report.records import interval_record


def unexplained(value: Any, path: str = "") -> list[str]:
    """Paths of nulls without a reason, and of reasons without a null."""
    if isinstance(value, list):
        return [found for i, item in enumerate(value) for found in unexplained(item, f"{path}/{i}")]
    if not isinstance(value, dict):
        return []
    wrong = []
    for key, item in value.items():
        if item is None and not value.get(f"{key}_reason"):
            wrong.append(f"{path}/{key}")
        if key.endswith("_reason") and "null" not in json.dumps(value.get(key[:-7])):
            wrong.append(f"{path}/{key}")
        wrong += unexplained(item, f"{path}/{key}")
    return wrong


def document(n: float) -> dict[str, Any]:
    factor = {"name": "mu", "type": "normfactor", "data": None}
    return {
        "version": "1.0.0",
        "channels": [
            {
                "name": "c",
                "samples": [
                    {"name": "signal", "data": [5.0], "modifiers": [factor]},
                    {"name": "background", "data": [50.0], "modifiers": []},
                ],
            }
        ],
        "observations": [{"name": "c", "data": [n]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }


@pytest.mark.parametrize("n", [40.0, 53.0])
def test_ends_of_intervals_are_numbers_or_have_a_reason(tmp_path: Path, n: float) -> None:
    """A lower end that the range cuts off has its reason; an end that exists has no such field."""
    source = tmp_path / "workspace.json"
    source.write_text(json.dumps(document(n)))
    model = workflows.ModelRequest(workspace=workflows.WorkspaceRequest(source=str(source)))
    record = workflows.fit(workflows.FitRequest(model=model, minos=("mu",))).record()
    assert unexplained(record) == []
    assert (record["intervals"][0]["lower"] is None) == (n == 40.0)


@pytest.mark.parametrize("failed", [0, 3])
def test_the_range_of_an_interval_is_missing_where_toys_failed(failed: int) -> None:
    """The ends of an interval do not bound what failed toys could change: no range is claimed."""
    interval = Interval(
        poi="mu",
        cl=0.9,
        lower=0.0,
        upper=2.0,
        construction="profiled, toys",
        mu_hat=0.0,
        twice_nll=1.0,
        fits=FitCounts(attempted=6, certified=6, second_start=4),
        toys=ToyCounts(asked=1000, ok=1000 - failed, failed=failed),
        seed=0,
    )
    inputs = Inputs(source="search.json", workspace_sha256="a" * 64, canonical_sha256="b" * 64)
    record = interval_record(interval, inputs, calculator_asked="auto", test_stat="ttilde")
    assert record["observed"] == 2.0
    assert record["observed_high"] == (None if failed else 2.0)
    assert not any("observed" in path for path in unexplained(record))
