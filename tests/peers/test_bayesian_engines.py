"""Three engines, one posterior: exact sums, weighted draws, and NUTS on a dozen workspaces."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.studies.bayes_calibration import FAMILY_LEVEL, REPLICAS, SEEDS
from tests.studies.bayes_calibration_models import CALIBRATION_MODELS

from example_scripts import example_script

REPOSITORY = Path(__file__).parents[2]


def load() -> ModuleType:
    return example_script("bayesian_study")


STUDY = load()


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPOSITORY / "docs/studies/bayes.json").read_text("utf-8"))
    return found


def test_the_page_is_written_from_its_record(record: dict[str, Any]) -> None:
    """Nobody has edited a number on the page."""
    assert (REPOSITORY / "docs/studies/bayes.md").read_text("utf-8") == STUDY.page(record)


def test_the_study_is_the_one_that_was_declared(record: dict[str, Any]) -> None:
    """All models, all replicas, both seeds; and nobody took another level afterwards."""
    study = record["calibration"]
    assert study["replicas"] == REPLICAS == 2000
    assert tuple(study["seeds"]) == SEEDS == (1, 2)
    assert study["family_level"] == FAMILY_LEVEL == 0.01
    names = [row["runs"][0]["model"] for row in study["ranks"]]
    assert names == [model.name for model in CALIBRATION_MODELS]
    for row in study["ranks"]:
        assert row["calibrated"]
        first = row["runs"][0]
        assert first["failed"] + sum(first["counts"]) == first["replicas"] == REPLICAS
        assert len(row["runs"]) == 1 + (first["p_value"] < FAMILY_LEVEL / len(names))


def test_engines_agreed_on_all_workspaces(record: dict[str, Any]) -> None:
    """A dozen, all regions of the ATLAS search among them; no pull above four."""
    rows = record["agreement"]
    assert len(rows) >= 12
    assert {f"ATLAS sbottom, region {x}" for x in "ABC"} <= {row["workspace"] for row in rows}
    assert sum(row["largest_pull"] is not None for row in rows) >= 12
    assert all(row["largest_pull"] is None or row["largest_pull"] < 4.0 for row in rows)


@pytest.mark.parametrize("title", [title for title, _, _ in STUDY.SHIPPED])
def test_engines_agree_on_shipped_workspaces(title: str) -> None:
    """Quadrature where it can, Laplace, and NUTS, within four of their stated errors."""
    ((file, point),) = ((file, point) for name, file, point in STUDY.SHIPPED if name == title)
    found = STUDY.answers(STUDY.shipped(file, point))
    answered = [row for row in found if row["limit"] is not None]
    assert len(answered) >= 2, found
    assert STUDY.largest_pull(found) < 4.0, found


@pytest.mark.parametrize("region", ["A", "B", "C"])
def test_laplace_repeats_the_published_likelihood(
    reference_data: Path, record: dict[str, Any], region: str
) -> None:
    """Sixty parameters: today's answer is that of the study, where NUTS stands beside it."""
    title = f"ATLAS sbottom, region {region}"
    ((where, point),) = ((r, p) for name, r, p in STUDY.SBOTTOM if name == title)
    (laplace,) = STUDY.answers(STUDY.sbottom(reference_data, where, point), ("laplace",))
    (row,) = (row for row in record["agreement"] if row["workspace"] == title)
    assert laplace["limit"] is not None, laplace
    for stated in row["answers"][1:]:
        assert stated["limit"] is not None
        assert STUDY.apart(laplace, stated) < 4.0
