"""The committed studies: pages that say what their records say, and records that still hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.studies.coverage import SIGNALS, CoverageCell, CoverageStudy
from tests.studies.coverage_models import COVERAGE_MODELS

from darkstats.inference.poisson_counting import poisson_interval

pytest.importorskip("pyhf")

from peers.feldman_cousins_grid import plain, published
from peers.public_likelihoods import page as public_page
from peers.validation_page import DOUBLE_WELL, deviations, failures, page


@pytest.fixture(scope="module")
def validation(repository: Path) -> dict[str, Any]:
    text = (repository / "docs/studies/validation.json").read_text("utf-8")
    record: dict[str, Any] = json.loads(text)
    return record


def test_the_validation_page_is_written_from_its_record(
    repository: Path, validation: dict[str, Any]
) -> None:
    """Nobody has edited a number on the page."""
    text = (repository / "docs/studies/validation.md").read_text("utf-8")
    assert text == page(validation)


def test_the_record_holds_all_that_is_promised(validation: dict[str, Any]) -> None:
    """Five points, nine workspaces, fifty intervals; each failure is written on the page."""
    assert len(validation["sbottom"]) == 5
    assert len(validation["validation"]) == 9
    assert len(validation["feldman_cousins"]) == 50
    text = page(validation)
    assert all(line in text for line in failures(validation))


def test_a_number_outside_its_tolerance_is_seen(validation: dict[str, Any]) -> None:
    """Any column moved by one part in a thousand appears among the failures."""
    before = len(failures(validation))
    for group, name in (("sbottom", "RegionA/1300_205_60"), ("validation", "1bin_lumi")):
        for column in ("stated", "converged"):
            moved = json.loads(json.dumps(validation))
            moved[group][name][column][0] *= 1.001
            assert len(failures(moved)) == before + 1


def test_the_double_well_is_told_by_both_numbers(validation: dict[str, Any]) -> None:
    """The converged minima contradict the stated value, and agree with ours."""
    point = validation["validation"][DOUBLE_WELL]
    assert abs(deviations(point, "stated")[0]) > 0.5
    assert max(abs(value) for value in deviations(point, "converged")) < 1e-6


@pytest.mark.parametrize(("n", "background"), [(0, 0.0), (1, 0.5), (2, 3.0), (4, 1.5)])
def test_feldman_cousins_ends_bracket_those_of_a_plain_grid(n: int, background: float) -> None:
    """A construction that adds outcomes one by one gives the same ends, to its step."""
    lower, upper = plain(background, n_max=n, top=10.0, cl=0.9, step=0.005)[n]
    ours = poisson_interval(n, background)
    assert 0.0 <= lower - ours.lower <= 0.005
    assert ours.upper is not None
    assert 0.0 <= ours.upper - upper <= 0.005
    assert published(n, background)[0] == pytest.approx(ours.lower, abs=0.0051)


def test_the_coverage_page_shows_its_record(repository: Path) -> None:
    """Every cell of the table is that of the JSON record, which is complete and at full size."""
    folder = repository / "docs/studies"
    record = json.loads((folder / "coverage.json").read_text("utf-8"))
    cells = tuple(CoverageCell(**cell) for cell in record["cells"])
    study = CoverageStudy(cells=cells, cl=record["cl"], toys=record["toys"], seed=record["seed"])
    table = [line for line in study.to_markdown().splitlines() if line.startswith("|")]
    assert "\n".join(table) in (folder / "coverage.md").read_text("utf-8")
    assert study.toys >= 20_000
    assert {cell.model for cell in cells} == {model.name for model in COVERAGE_MODELS}
    assert {cell.signal for cell in cells} == set(SIGNALS)
    assert not study.violations
    assert np.all([cell.failed == 0 for cell in cells])


def test_public_likelihoods_are_accepted_and_scanned_to_their_end(repository: Path) -> None:
    """The page is written from its record; every likelihood is accepted, every step has ended."""
    text = (repository / "docs/studies/public-likelihoods.json").read_text("utf-8")
    record: dict[str, Any] = json.loads(text)
    assert (repository / "docs/studies/public-likelihoods.md").read_text("utf-8") == public_page(
        record
    )
    assert len(record["likelihoods"]) >= 20
    assert [one["name"] for one in record["likelihoods"] if not one["accepted"]] == []
    assert [one["points"] for one in record["scans"]] == [125, 217]
    for one in record["scans"]:
        assert {name: step["status"] for name, step in one["steps"].items()} == {
            "scan": 0,
            "plot": 0,
            "export": 0,
        }
        assert one["rows_of_csv"] == one["points"]
        assert "limits_signal_strength.yaml" in one["hepdata_files"]
