"""Thirty-eight of the random models of the study, and what the comparison itself must see."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")

from tests.peers import plain_statistics as plain
from tests.peers import random_models
from tests.peers.plain_likelihoods import likelihood_of
from tests.peers.random_documents import CLASSES, random_document
from tests.peers.random_models_page import page

from darkstats.errors import OptionError

NUMBERS = range(2)  # of each class, 38 models in all: some 25 s of one core


@pytest.mark.parametrize("name", CLASSES)
def test_numbers_are_right_or_refused(name: str, tmp_path: Path) -> None:
    """Nothing that is printed differs from the second computation, and nothing hangs."""
    for number in NUMBERS:
        found = random_models.examine(name, number, 0, tmp_path, extra=2)
        wrong = [row for row in found["rows"] if row["verdict"] in ("differs", "slow")]
        assert not wrong
        assert found["rows"]


@pytest.mark.parametrize("key", ["observed", "expected"])
def test_a_limit_that_is_slightly_off_is_seen(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One part in ten thousand is a difference."""
    sound = random_models.run_command

    def moved(arguments: list[str]) -> dict[str, Any]:
        record = sound(arguments)
        if arguments[0] == "limit":
            value = record[key]
            record[key] = value * 1.0001 if key == "observed" else [x * 1.0001 for x in value]
        return record

    monkeypatch.setattr(random_models, "run_command", moved)
    rows = random_models.examine("ordinary", 0, 0, tmp_path)["rows"]
    verdicts = [row["verdict"] for row in rows if row["quantity"].startswith("limit")]
    assert verdicts.count("differs") == (1 if key == "observed" else 5)


def test_a_finite_significance_of_impossible_data_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event where nothing is expected: any finite Z is wrong."""
    document = random_document("counting", 0)
    document["channels"][0]["samples"][1]["data"] = [0.0]
    document["observations"][0]["data"] = [1.0]
    judge = random_models._Judge(likelihood_of(document), extra=2)
    record = {
        "status": 0,
        "observed": 21.4,
        "p0": {"value": float(plain.norm.sf(21.4))},
        "expected": [None] * 5,
    }
    random_models.judge_significance(judge, record)
    verdicts = {row["quantity"]: row["verdict"] for row in judge.rows}
    assert verdicts["significance observed"] == "differs"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_command_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is the processor's; neither a handler nor a dropped exception stops it."""
    from darkstats.cli import running

    class Dropped:
        """Python reports what is raised while an object is deleted, and goes on."""

        def __del__(self) -> None:
            while time.process_time() < until:
                continue

    def endless(arguments: list[str]) -> int:
        Dropped()
        while True:
            try:
                math.sqrt(2.0)
            except Exception:
                continue

    monkeypatch.setattr(running, "run", endless)
    monkeypatch.setattr(random_models, "LIMIT_S", 0.05)
    monkeypatch.setattr(random_models, "AGAIN_S", 0.1)
    until = time.process_time() + 0.3
    assert random_models.run_command(["limit"])["slow"]


@pytest.mark.parametrize("name", ["one-sided", "correlated", "holes", "bump", "polynomials"])
def test_derivatives_of_the_reference_are_those_of_its_values(name: str) -> None:
    """Gradients agree with differences of the values at a random point."""
    likelihood = likelihood_of(random_document(name, 1))
    rng = np.random.default_rng(4)
    theta = likelihood.inits.copy()
    theta += 0.05 * np.maximum(np.abs(theta), 0.1) * rng.standard_normal(len(theta))
    data = likelihood.asimov(likelihood.inits)
    gradient, hessian = likelihood.derivatives(theta, data)
    for p in np.flatnonzero(~likelihood.fixed):
        step = 1e-5 * max(abs(theta[p]), 0.1)
        up, down = theta.copy(), theta.copy()
        up[p] += step
        down[p] -= step
        slope = (likelihood.value(up, data) - likelihood.value(down, data)) / (2.0 * step)
        assert gradient[p] == pytest.approx(slope, rel=1e-4, abs=1e-4)
        bend = likelihood.derivatives(up, data)[0] - likelihood.derivatives(down, data)[0]
        assert hessian[p] == pytest.approx(bend / (2.0 * step), rel=1e-3, abs=1e-2)


def test_counting_sums_are_the_published_ones() -> None:
    """No event, no background: 2.44 at 90 % by Feldman and Cousins; exp(-s) is CLs."""
    assert plain.feldman_cousins_p(2.43, 0.0, 0) > 0.1 > plain.feldman_cousins_p(2.45, 0.0, 0)
    sb, b = plain.counting_cls(2.9957, 1.3, 0)
    assert sb / b == pytest.approx(0.05, rel=1e-4)


def test_the_page_is_written_from_its_record(repository: Path) -> None:
    """Nobody has edited a number; at full size nothing differs and nothing is too slow."""
    folder = repository / "docs/studies"
    record = json.loads((folder / "random-models.json").read_text("utf-8"))
    assert (folder / "random-models.md").read_text("utf-8") == page(record)
    assert record["models"] >= 3000
    assert set(record["classes"]) == set(CLASSES)
    assert not record["broken"]
    assert sum(row["slow"] for row in record["classes"].values()) == 0
    assert not record["differing"]


def test_a_limit_stands_where_no_toys_can_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Toys of a term of negative yield look at the limit; without toys it stands and says so."""
    path = tmp_path / "interference.json"
    path.write_text(json.dumps(random_document("negative coefficients", 2)), "utf-8")

    def refuse(*_: object) -> None:
        raise OptionError("toys cannot be drawn")

    for without in (False, True):
        if without:
            monkeypatch.setattr("darkstats.model.unbinned.model.thrown_events", refuse)
        record = random_models.run_command(["limit", str(path), "--method", "pcl"])
        assert record["status"] == 0
        assert record["observed"] == pytest.approx(1.14863924, rel=1e-6)
        assert any("no probe" in warning for warning in record["warnings"]) == without
