"""Validation of the look-elsewhere methods against brute force.

``python -m tests.studies.look_elsewhere`` writes the study as Markdown and JSON.

Each model is thrown until toys alone give the global p-value at local significances of 3 to 4.  The
other methods get what a user would give them: a few thousand toys of their own, independent of
those, or the Asimov responses.  For the models with large counts they have to be valid, and within
0.8 to 1.25 of the toys; for the model with few events they have to say that they are not valid.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tests.studies.look_elsewhere_models import ScanModel, validation_models

from darkstats.gaussian import cdf
from darkstats.look_elsewhere.brute_force import by_toys
from darkstats.look_elsewhere.covariance import GaussianField, by_covariance
from darkstats.look_elsewhere.euler_characteristic import by_euler_characteristic
from darkstats.look_elsewhere.excursions import ExcursionTally
from darkstats.look_elsewhere.field import ScanField
from darkstats.look_elsewhere.maxima import MaximaTally
from darkstats.look_elsewhere.result import GlobalSignificance
from darkstats.look_elsewhere.up_crossings import by_up_crossings

__all__ = ["BAND", "LevelSpread", "ModelStudy", "Validation", "ValidationCell", "validate"]

#: Ratio of a method to brute force that counts as agreement.
BAND = (0.8, 1.25)
#: Local significances at which they are compared.
AT = (3.0, 3.25, 3.5, 3.75, 4.0)

_ALONE = 2000  # scans whose own crossings are used, one at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationCell:
    """One method on one model at one local significance.

    ``ratio`` is the method's global p-value over that of brute force; ``ratio_error`` is its
    standard error, from both.
    """

    model: str
    method: str
    z_local: float
    p_toys: float
    p_toys_error: float
    toys_above: int
    p_method: float
    p_method_error: float
    ratio: float
    ratio_error: float
    valid: bool
    reasons: tuple[str, ...]
    asymptotic: bool

    @property
    def within(self) -> bool:
        """Whether the ratio lies within the band."""
        return BAND[0] <= self.ratio <= BAND[1]

    @property
    def wrong(self) -> bool:
        """Whether the cell contradicts what the model was made to show."""
        if self.asymptotic:
            return not (self.valid and self.within)
        return self.valid

    def power(self, true_ratio: float) -> float:
        """Probability that a method with this true ratio is found outside the band."""
        error = self.ratio_error / self.ratio * true_ratio
        return cdf((BAND[0] - true_ratio) / error) + cdf((true_ratio - BAND[1]) / error)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSpread:
    """Up-crossings of one observed scan alone, scan by scan: ratio to brute force.

    Quantiles at 16, 50 and 84 % of the global p-value over that of the toys at local 3.5.
    """

    scans: int
    low: float
    median: float
    high: float
    valid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStudy:
    """One model: how it was thrown, and all cells."""

    name: str
    description: str
    asymptotic: bool
    points: int
    step: float
    toys: int
    failed: int
    toys_for_levels: int
    cells: tuple[ValidationCell, ...]
    alone: LevelSpread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The whole study."""

    models: tuple[ModelStudy, ...]
    seed: int
    scale: float

    @property
    def wrong(self) -> tuple[ValidationCell, ...]:
        """Cells that contradict what they were made to show."""
        return tuple(cell for model in self.models for cell in model.cells if cell.wrong)

    def to_json(self) -> str:
        """Return the study as a JSON document."""
        document = {
            "schema": "darkstats.look-elsewhere/1",
            "band": BAND,
            "seed": self.seed,
            "scale": self.scale,
            "wrong": len(self.wrong),
            "models": [asdict(model) for model in self.models],
        }
        return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Validation:
        """Return the study that :meth:`to_json` wrote."""
        document = json.loads(text)
        models = []
        for model in document["models"]:
            cells = [
                ValidationCell(**{**cell, "reasons": tuple(cell["reasons"])})
                for cell in model["cells"]
            ]
            alone = None if model["alone"] is None else LevelSpread(**model["alone"])
            models.append(ModelStudy(**{**model, "cells": tuple(cells), "alone": alone}))
        return cls(models=tuple(models), seed=document["seed"], scale=document["scale"])


def _cell(
    model: ScanModel, toys: GlobalSignificance, other: GlobalSignificance
) -> ValidationCell | None:
    """Compare a method with toys; None where no toy is as extreme."""
    if toys.p_global is None or other.p_global is None or toys.toys is None:
        return None
    direct, method = toys.p_global, other.p_global
    ratio = method.value / direct.value
    relative = math.hypot(direct.error / direct.value, method.error / method.value)
    return ValidationCell(
        model=model.name,
        method=other.method,
        z_local=toys.z_local,
        p_toys=direct.value,
        p_toys_error=direct.error,
        toys_above=round(direct.value * toys.toys.ok),
        p_method=method.value,
        p_method_error=method.error,
        ratio=ratio,
        ratio_error=ratio * relative,
        valid=other.valid,
        reasons=other.reasons,
        asymptotic=model.asymptotic,
    )


def _alone(field: ScanField, p_toys: float) -> LevelSpread:
    """What the crossings of level 0 of single scans give at local 3.5."""
    found = [
        by_up_crossings(ExcursionTally.of(ScanField.of(field.geometry, roots), (0.0,)), 3.5)
        for roots in field.roots[:_ALONE]
    ]
    ratios = [r.p_global.value / p_toys for r in found if r.p_global is not None]
    low, median, high = np.quantile(ratios, [0.16, 0.5, 0.84]).tolist()
    return LevelSpread(
        scans=len(ratios), low=low, median=median, high=high, valid=sum(r.valid for r in found)
    )


def validate(
    model: ScanModel,
    n_toys: int,
    *,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> ModelStudy:
    """Compare all methods with brute force on one model.

    Parameters
    ----------
    model
        The scan.
    n_toys
        Brute-force toys, rounded up to whole blocks.
    seed, threads
        Of the toys; threads of the fits.
    progress
        Told what was done.
    """
    blocks = max(1, -(-n_toys // model.toys_per_block))

    def scans_of(block: int) -> ScanField:
        return ScanField.of(model.geometry, model.roots(block, seed=seed, threads=threads))

    maxima = MaximaTally.of(scans_of(0))
    for block in range(1, blocks):
        maxima = maxima.add(scans_of(block))
        progress(f"{model.name}: block {block + 1} of {blocks}")
    # Toys of their own for the other methods: one more block, not among those above.
    scans = scans_of(blocks)
    levels = ExcursionTally.of(scans)
    responses, expected = model.responses()
    gaussian = GaussianField.from_responses(responses, expected=expected)
    count = by_up_crossings if levels.dimension == 1 else by_euler_characteristic
    cells = []
    for z in AT:
        toys = by_toys(maxima, z)
        others = (count(levels, z), by_covariance(gaussian, z, seed=seed))
        cells += [cell for other in others if (cell := _cell(model, toys, other)) is not None]
    middle = by_toys(maxima, 3.5).p_global
    return ModelStudy(
        name=model.name,
        description=model.description,
        asymptotic=model.asymptotic,
        points=model.geometry.n_points,
        step=levels.mean_step(),
        toys=maxima.asked,
        failed=maxima.asked - maxima.ok,
        toys_for_levels=levels.asked,
        cells=tuple(cells),
        alone=None if middle is None or levels.dimension == 2 else _alone(scans, middle.value),
    )


def validation_study(
    *,
    scale: float = 1.0,
    seed: int = 0,
    threads: int = 1,
    models: Sequence[tuple[ScanModel, int]] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Validation:
    """Validate the look-elsewhere methods against brute force, on all models.

    Parameters
    ----------
    scale
        Fraction of the full number of toys.
    seed, threads, progress
        As for :func:`validate`.
    models
        Models and their numbers of toys; those of the study by default.
    """
    chosen = validation_models() if models is None else models
    return Validation(
        models=tuple(
            validate(model, math.ceil(scale * toys), seed=seed, threads=threads, progress=progress)
            for model, toys in chosen
        ),
        seed=seed,
        scale=scale,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study from a command line; 1 if a cell contradicts what it was made to show."""
    from tests.studies.look_elsewhere_page import page

    parser = argparse.ArgumentParser(prog="validation", description=validation_study.__doc__)
    parser.add_argument("--output", type=Path, default=Path("look-elsewhere"), help="stem of files")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the toys")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="threads of the fits")
    options = parser.parse_args(arguments)

    def tell(line: str) -> None:
        sys.stderr.write(line + "\n")

    study = validation_study(
        scale=options.scale, seed=options.seed, threads=options.threads, progress=tell
    )
    options.output.with_suffix(".json").write_text(study.to_json(), encoding="utf-8")
    options.output.with_suffix(".md").write_text(page(study), encoding="utf-8")
    for cell in study.wrong:
        tell(
            f"{cell.model}, {cell.method} at {cell.z_local}: ratio {cell.ratio:.3f}, {cell.reasons}"
        )
    return 1 if study.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
