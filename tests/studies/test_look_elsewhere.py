"""The validation study on a small scale, and the committed one: bookkeeping, page, alarm."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.studies import look_elsewhere as study_module
from tests.studies.look_elsewhere import Validation, main, validate, validation_study
from tests.studies.look_elsewhere_models import (
    BumpHunt,
    OnOffScan,
    SmoothedPlane,
    validation_models,
)
from tests.studies.look_elsewhere_page import page

from darkstats.look_elsewhere import GaussianField

LINE = OnOffScan(n_bins=40, mean=1000.0, width=2.5, margin=6.0, step=1.0)
BUMP = BumpHunt(
    name="small bump hunt",
    asymptotic=True,
    n_bins=30,
    events=30_000.0,
    slope=1.5,
    width=2.0,
    margin=12.0,
    step=1.0,
    order=2,
    capped=False,
)
FEW = replace(BUMP, name="few events", asymptotic=False, events=10.0, order=0, capped=True)


@pytest.fixture(scope="module")
def committed(repository: Path) -> Validation:
    text = (repository / "docs/studies/look-elsewhere.json").read_text("utf-8")
    return Validation.from_json(text)


def test_the_committed_page_is_written_from_its_record(
    repository: Path, committed: Validation
) -> None:
    """Nobody has edited a number on the page, or in the record."""
    folder = repository / "docs/studies"
    assert (folder / "look-elsewhere.md").read_text("utf-8") == page(committed)
    assert (folder / "look-elsewhere.json").read_text("utf-8") == committed.to_json()


def test_the_committed_study_shows_what_it_has_to(committed: Validation) -> None:
    """Three models and more with large counts, one of them a plane, at 3 to 4 sigma in the band.

    Each of their ratios is known to 3 %, so that 0.75 or 1.35 would have been seen with a
    probability of 0.98; the model with few events is declared not valid by every method.
    """
    assert committed.scale == 1.0
    assert committed.wrong == ()
    good = [model for model in committed.models if model.asymptotic]
    assert len(good) >= 3
    methods = {cell.method for model in good for cell in model.cells}
    assert methods == {"up-crossings", "Euler characteristic", "covariance"}
    for model in good:
        assert {cell.z_local for cell in model.cells} == {3.0, 3.25, 3.5, 3.75, 4.0}
        for cell in model.cells:
            assert 0.8 <= cell.ratio <= 1.25
            assert cell.valid
            assert min(cell.power(0.75), cell.power(1.35)) > 0.98
    (few,) = (model for model in committed.models if not model.asymptotic)
    assert not any(cell.valid for cell in few.cells)
    assert max(abs(cell.ratio - 1.0) / cell.ratio_error for cell in few.cells) > 10.0


def test_the_models_of_the_study_are_those_of_the_record(committed: Validation) -> None:
    """Names, descriptions and numbers of points: the record belongs to this code."""
    for (model, toys), recorded in zip(validation_models(), committed.models, strict=True):
        assert (model.name, model.description) == (recorded.name, recorded.description)
        assert model.geometry.n_points == recorded.points
        assert toys <= recorded.toys < toys + model.toys_per_block


def test_a_small_study_agrees_and_prints(tmp_path: Path) -> None:
    """400 000 on/off toys: no row is wrong where a hundred toys lie above; JSON there and back."""
    study = validation_study(models=[(LINE, 400_000)])
    for cell in study.models[0].cells:
        assert cell.valid, cell.reasons
        assert cell.toys_above < 400 or cell.within, cell
    assert Validation.from_json(study.to_json()) == study
    text = page(study)
    assert text.count("\n| 3") == 4
    assert "On/off counts in 40 bins" in text
    assert json.loads(study.to_json())["schema"] == "darkstats.look-elsewhere/1"


def test_few_events_are_declared_not_valid() -> None:
    """The small scan with ten events: every method refuses, and nothing is wrong with that."""
    study = validate(FEW, 8192)
    assert study.cells
    assert not any(cell.valid or cell.wrong for cell in study.cells)
    assert all(cell.reasons for cell in study.cells)


def test_a_model_that_promises_too_much_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Few events under the flag of large counts: rows are marked, and the command exits with 1."""
    promising = replace(FEW, asymptotic=True)
    monkeypatch.setattr(study_module, "validation_models", lambda: ((promising, 8192),))
    assert main(["--output", str(tmp_path / "study")]) == 1
    text = (tmp_path / "study.md").read_text("utf-8")
    assert "rows contradict" in text
    assert " !" in text
    assert "ratio" in capsys.readouterr().err
    assert Validation.from_json((tmp_path / "study.json").read_text("utf-8")).wrong


def test_toys_are_keyed_and_do_not_depend_on_threads() -> None:
    """Same seed and block, same bits, by one thread or two; other blocks are other toys."""
    first = BUMP.roots(0, seed=1, threads=1)
    assert np.array_equal(first, BUMP.roots(0, seed=1, threads=2))
    assert not np.array_equal(first, BUMP.roots(1, seed=1, threads=1))
    assert not np.array_equal(first, BUMP.roots(0, seed=2, threads=1))


@pytest.mark.parametrize(
    "model",
    [
        BUMP,
        LINE,
        SmoothedPlane(name="p", n_bins=16, mean=2500.0, width=1.5, margin=5.0, spacings=(0.8, 1.3)),
    ],
    ids=lambda model: model.name,
)
def test_responses_have_the_correlations_of_the_toys(model) -> None:
    """Asimov responses against the scatter of a block of toys: 5 standard errors."""
    responses, expected = model.responses()
    field = GaussianField.from_responses(responses, expected=expected)
    roots = model.roots(0, seed=0, threads=1)
    assert not np.isnan(roots).any()
    assert field.scale == pytest.approx(np.ones(field.n_points), abs=0.02)
    assert roots.std(axis=0) == pytest.approx(field.scale, abs=5.0 / np.sqrt(2 * len(roots)) + 0.02)
    correlation = field.factor.T @ field.factor
    assert np.abs(np.corrcoef(roots.T) - correlation).max() < 5.0 / np.sqrt(len(roots)) + 0.01
