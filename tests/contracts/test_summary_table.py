"""The table of all searches: ranges, ratios and reasons of scans, and its page."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from example_scripts import example_script


@pytest.fixture(scope="module")
def study(repository: Path) -> ModuleType:
    return example_script("summary_table")


def point(mass: float, limit: float | None, **more: object) -> dict[str, object]:
    bands = {"expected": [0.1, 0.2, limit, 0.4, 0.5]}
    return {
        "status": "ok", "values": [mass, 1.0], "cross_section_fb": bands,
        "couplings": {"b_to_k_branching": bands}, **more,
    }  # fmt: skip


def test_ranges_are_those_of_certified_medians(study: ModuleType) -> None:
    """Failed hypotheses, masses beyond and bands without a median are left out."""
    held = {"cross_section_fb": {"expected": [0.0, 0.0, 9.0, 9.0, 9.0]}}
    scan = {
        "points": [
            point(1.0, 3.0), point(2.0, None), point(3.0, 5.0), point(9.0, 0.1),
            {"status": "failed", "values": [1.0]}, point(3.0, 2.0, low_counts=held),
        ]
    }  # fmt: skip
    found = study.limits(scan, "cross_section", (1.0, 3.0))
    np.testing.assert_array_equal(found, [3.0, 5.0, 9.0])
    np.testing.assert_array_equal(
        study.limits(scan | {"points": scan["points"][:1]}, "b_to_k_branching", None), [3.0]
    )


def test_every_card_has_what_it_is_set_beside(study: ModuleType, repository: Path) -> None:
    """No search is left out for want of an entry."""
    cards = {path.stem for path in (repository / "models").glob("*.yaml")}
    assert set(study.PUBLISHED) <= cards
    for entry in study.PUBLISHED.values():
        assert entry.low is None or (entry.source != "none at hand" and entry.mark != "-")


def test_a_row_of_a_quick_build(study: ModuleType, tmp_path: Path) -> None:
    """A search of a few lines: hypotheses, ratio, and a reason where it is beyond 1.5."""
    asked = argparse.Namespace(committed=False, quick=True, keep=False)
    row = study.row("b_to_kstar_scalar_kk", asked, tmp_path)
    assert row.hypotheses == row.certified > 100
    assert row.what == "b_to_kstar_branching"
    assert row.ratio == pytest.approx(row.expected[0] / 1e-7)
    assert bool(row.reason) == (not 1 / 1.5 <= row.ratio <= 1.5)
    text = study.markdown([row])
    assert "simulated" in text
    assert f"| {row.ratio:.2f} |" in text
    assert max(map(len, text.splitlines())) < 300


def test_the_committed_table_is_of_these_cards(study: ModuleType, repository: Path) -> None:
    """The page is what the record says, and the record has the searches of models/."""
    record = json.loads((repository / "docs/studies/summary.json").read_text("utf-8"))
    assert record["simulated"]
    assert not record["quick"]
    rows = [
        study.Row(**{**one, "expected": tuple(one["expected"]),
                     "published": tuple(one["published"])})
        for one in record["rows"]
    ]  # fmt: skip
    page = (repository / "docs/studies/summary.md").read_text("utf-8")
    assert page == study.markdown(rows)
    cards = {path.stem for path in (repository / "models").glob("*.yaml")}
    assert {one.card for one in rows} <= cards
    assert len(rows) >= 15
