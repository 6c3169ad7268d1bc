"""P-values too small for a floating-point number: below a bound, never 0."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darkstats.cli import run
from darkstats.inference import hypotest, significance
from darkstats.inference.p_values import SMALLEST_P
from small_models import counting


def test_an_expected_significance_of_a_hundred_has_a_p_value_below_a_bound() -> None:
    """Z is a number of its own; p0 underflows and lies below the smallest one that is quoted."""
    model = counting(20_000.0, 10_000.0, 10_000.0)
    found = significance(model, model.observation)
    assert found.p0 is not None
    assert found.observed == pytest.approx(87.9, abs=0.1)  # sqrt(2 (2 b ln 2 - b)), b = 10,000
    assert (found.p0.value, found.p0.bound) == (0.0, SMALLEST_P)
    assert all(z is not None and z > 80.0 for z in found.expected)
    assert found.expected_p0 == (0.0,) * 5
    assert found.expected_p0_bound == SMALLEST_P


def test_a_test_far_above_the_data_has_p_values_below_a_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CLs and its band underflow alike: records have null with the bound, tables say less than."""
    model = counting(10_000.0, 10_000.0, 10_000.0)
    found = hypotest(model, model.observation, 3.0)
    assert found.expected is not None
    assert found.expected.bound == SMALLEST_P
    assert found.cls is not None
    assert found.cls.bound == SMALLEST_P
    document = {
        "channels": [
            {
                "name": "c",
                "samples": [
                    {"name": "b", "data": [1e4], "modifiers": []},
                    {
                        "name": "s",
                        "data": [1e4],
                        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
                    },
                ],
            }
        ],
        "observations": [{"name": "c", "data": [10_000]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    path = tmp_path / "w.json"
    path.write_text(json.dumps(document), "utf-8")
    assert run(["hypotest", str(path), "--mu", "3", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["CLs_obs"] is None
    assert record["CLs_obs_bound"] == SMALLEST_P
    assert record["CLs_exp"][:3] == [None] * 3
    assert run(["hypotest", str(path), "--mu", "3"]) == 0
    assert "< 1.00e−300" in capsys.readouterr().out
