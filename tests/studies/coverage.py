"""Coverage study: how often the true signal strength is accepted.

``python -m tests.studies.coverage`` writes the table as Markdown and JSON.

Every method is asked one question on every outer toy: is the *true* signal strength accepted at
this level? Asymptotic p-values come from the toy's own fits and its own Asimov data. Toy p-values
would need toys inside toys; they are tabulated instead: distributions of the statistic are
simulated on a grid of nuisance parameters that spans the outer toys' conditional best fits, and
the p-value of an outer toy is interpolated (linearly in each nuisance) to *its* conditional best
fit. That is the p-value which toys thrown at that best fit would give, up to the interpolation.
Models without nuisance parameters have one table, and no interpolation.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tests.studies.coverage_models import COVERAGE_MODELS, CoverageModel

from darkstats.errors import FitFailedError
from darkstats.fit import fit_batch
from darkstats.gaussian import cdf
from darkstats.inference.asymptotics import observed_p_values
from darkstats.inference.toys import TIE_TOLERANCE, TOYS_PER_BLOCK, Hypothesis, stream, throw

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray
    from darkstats.model import HistFactoryModel

__all__ = [
    "SIGNALS",
    "CoverageCell",
    "CoverageStudy",
    "coverage_cells",
    "coverage_study",
    "tabulated",
]

#: True signal events of the study.
SIGNALS = (0.0, 1.0, 3.0, 6.0, 12.0)

METHODS = ("CLs", "CLs+b", "FC")
ALARM = 3.5  # standard errors below nominal that raise the flag

_NODES = {0: 1, 1: 16, 2: 6}  # grid nodes in each nuisance, by their number
_MOST_LOST = 0.01  # of the inner toys: more could move a p-value unseen
_INNER = {0: 200_000, 1: 16_384, 2: 8_192}  # toys a node


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageCell:
    """Coverage of one method on one model at one true signal.

    ``error`` is the binomial error of the outer toys; ``table_error`` that of the tabulated
    p-values, common to all toys of the cell; ``low`` flags a coverage below nominal by more than
    3.5 standard errors (both errors, and of the nominal coverage).
    """

    model: str
    n_nuisances: int
    signal: float
    method: str
    calculator: str
    nominal: float
    coverage: float
    error: float
    table_error: float
    toys: int
    failed: int
    low: bool
    guaranteed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageStudy:
    """All cells, with the power of the test that flags them."""

    cells: tuple[CoverageCell, ...]
    cl: float
    toys: int
    seed: int

    @property
    def violations(self) -> tuple[CoverageCell, ...]:
        """Flagged cells of methods that promise coverage."""
        return tuple(cell for cell in self.cells if cell.low and cell.guaranteed)

    def power(self, coverage: float) -> float:
        """Probability that a cell with this true coverage is flagged (normal approximation)."""
        edge = self.cl - ALARM * math.sqrt(self.cl * (1.0 - self.cl) / self.toys)
        return cdf((edge - coverage) / math.sqrt(coverage * (1.0 - coverage) / self.toys))

    def to_json(self) -> str:
        """Return the study as a JSON document."""
        steps = [self.cl - 0.005 * k for k in range(1, 5)]
        document = {
            "schema": "darkstats.coverage/1",
            "cl": self.cl,
            "toys": self.toys,
            "seed": self.seed,
            "inner_toys": "tabulated over the conditional best fit of the nuisance parameters",
            "power": {f"{value:.4f}": self.power(value) for value in steps},
            "cells": [asdict(cell) for cell in self.cells],
        }
        return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """Return the study as a Markdown table, one row per model and signal."""
        columns = [(m, c) for c in ("toys", "asymptotic") for m in METHODS]
        head = ["model", "s", *(f"{m} {c}" for m, c in columns)]
        lines = [
            f"Coverage in % at {100 * self.cl:g} % CL, tested at the true signal; "
            f"{self.toys} toys a cell, binomial error "
            f"{100 * math.sqrt(self.cl * (1 - self.cl) / self.toys):.2f}.",
            f"`!` marks cells below nominal by more than {ALARM} standard errors.",
            "Power to flag a cell: "
            + ", ".join(
                f"{self.power(self.cl - d):.2g} at {100 * (self.cl - d):.4g} %"
                for d in (0.005, 0.0075, 0.01)
            )
            + ".",
            "",
            "| " + " | ".join(head) + " |",
            "|---" * len(head) + "|",
        ]
        found = {(c.model, c.signal, c.method, c.calculator): c for c in self.cells}
        for model, signal in dict.fromkeys((c.model, c.signal) for c in self.cells):
            row = [model, f"{signal:g}"]
            for method, calculator in columns:
                cell = found[(model, signal, method, calculator)]
                row.append(f"{100 * cell.coverage:.2f}{' !' if cell.low else ''}")
            lines.append("| " + " | ".join(row) + " |")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcomes:
    """Fits of a set of toys at one tested signal: shapes [toy] and [toy, par]."""

    q: FloatArray
    t: FloatArray
    conditional: FloatArray
    good: BoolArray


def _draw(
    model: HistFactoryModel, point: FloatArray, n: int, *, seed: int, what: int, first: int
) -> tuple[FloatArray, FloatArray]:
    """Toys from whole blocks ``first``, ``first + 1``, ..."""
    blocks = [
        throw(model, point, stream(seed, digest=model.digest, what=what, block=first + k))
        for k in range(-(-n // TOYS_PER_BLOCK))
    ]
    counts, auxdata = (np.concatenate(parts)[:n] for parts in zip(*blocks, strict=True))
    return counts, auxdata


def _outcomes(
    model: HistFactoryModel, counts: FloatArray, auxdata: FloatArray, mu: float, start: FloatArray
) -> _Outcomes:
    free = fit_batch(model, counts, auxdata, start=start, poi_lower=0.0, poi_upper=math.inf)
    fixed = fit_batch(model, counts, auxdata, start=free.ends, poi_values=mu)
    t = np.maximum(fixed.twice_nll - free.twice_nll, 0.0)
    mu_hat = free.parameters[:, model.require_poi()]
    return _Outcomes(
        q=np.where(mu_hat > mu, 0.0, t),
        t=t,
        conditional=fixed.parameters,
        good=free.converged & fixed.converged,
    )


def _tail(ordered: FloatArray, at: FloatArray) -> FloatArray:
    edges = at - TIE_TOLERANCE * np.maximum(1.0, at)
    return (len(ordered) - np.searchsorted(ordered, edges, side="left")) / len(ordered)


def tabulated(
    points: FloatArray,
    n_nodes: int,
    tails_at: Callable[[FloatArray, int], list[FloatArray]],
    values: Sequence[FloatArray],
) -> list[FloatArray]:
    """P-values of ``values`` [toy] interpolated over a grid of nuisance parameters.

    ``points`` [toy, nuisance] are the conditional best fits; ``tails_at(node, index)`` simulates
    one grid node and returns the sorted statistics, one array for each of ``values``.
    """
    n_toys, n_nuisances = points.shape
    if n_nuisances == 0:
        tables = tails_at(np.empty(0), 0)
        return [_tail(table, value) for table, value in zip(tables, values, strict=True)]
    axes = [np.linspace(column.min(), column.max() + 1e-9, n_nodes) for column in points.T]
    cell = np.array(
        [
            np.clip(np.searchsorted(axis, column, side="right") - 1, 0, n_nodes - 2)
            for axis, column in zip(axes, points.T, strict=True)
        ]
    )
    fraction = np.array(
        [
            (column - axis[k]) / (axis[k + 1] - axis[k])
            for axis, column, k in zip(axes, points.T, cell, strict=True)
        ]
    )
    result = [np.zeros(n_toys) for _ in values]
    for index, node in enumerate(itertools.product(range(n_nodes), repeat=n_nuisances)):
        weight = np.ones(n_toys)
        for k, place in enumerate(node):
            weight *= np.where(
                cell[k] == place,
                1.0 - fraction[k],
                np.where(cell[k] + 1 == place, fraction[k], 0.0),
            )
        near = np.flatnonzero(weight > 0.0)
        if not near.size:
            continue
        position = np.array([axes[k][place] for k, place in enumerate(node)])
        tables = tails_at(position, index)
        for total, table, value in zip(result, tables, values, strict=True):
            total[near] += weight[near] * _tail(table, value[near])
    return result


def _asymptotic(q: FloatArray, t: FloatArray, asimov: FloatArray) -> dict[str, FloatArray]:
    limits = [observed_p_values("qtilde", *pair) for pair in zip(q, asimov, strict=True)]
    both = [observed_p_values("ttilde", *pair) for pair in zip(t, asimov, strict=True)]
    return {
        "CLs": np.array([p.cls for p in limits]),
        "CLs+b": np.array([p.clsb for p in limits]),
        "FC": np.array([p.clsb for p in both]),
    }


def coverage_cells(
    study: CoverageModel, mu: float, *, toys: int, cl: float = 0.95, seed: int = 0
) -> tuple[CoverageCell, ...]:
    """Coverage of all methods on one model at one true signal.

    Parameters
    ----------
    study, mu
        Model and true signal strength.
    toys, cl, seed
        Outer toys, confidence level, seed.
    """
    model = study.compile()
    poi = model.require_poi()
    nuisances = [i for i in range(model.n_parameters) if i != poi and not model.fixed[i]]
    truth = np.array(model.inits)
    truth[poi] = mu
    counts, auxdata = _draw(model, truth, toys, seed=seed, what=Hypothesis.TRUTH, first=0)
    data = _outcomes(model, counts, auxdata, mu, truth)
    background = fit_batch(model, counts, auxdata, start=truth, poi_values=0.0)
    rates = np.maximum(model.expected_rates(background.ends), 0.0)
    expected = model.expected_auxdata(background.ends)
    asimov = fit_batch(model, rates, expected, start=background.ends, poi_values=mu)
    good = data.good & background.converged & asimov.converged
    q, t, qa = data.q[good], data.t[good], np.maximum(asimov.twice_nll[good], 0.0)
    n_nodes, n_inner = _NODES[len(nuisances)], _INNER[len(nuisances)]
    stride = -(-n_inner // TOYS_PER_BLOCK)

    def simulate(signal: float, what: int) -> Callable[[FloatArray, int], list[FloatArray]]:
        def at(position: FloatArray, index: int) -> list[FloatArray]:
            point = truth.copy()
            point[nuisances] = position
            point[poi] = signal
            inner = _draw(model, point, n_inner, seed=seed, what=what, first=index * stride)
            outcome = _outcomes(model, *inner, mu, point)
            lost = int(np.count_nonzero(~outcome.good))
            if lost > _MOST_LOST * n_inner:
                raise FitFailedError(
                    f"{lost} of {n_inner} toys at signal strength {signal:g} could not be fitted"
                )
            return [np.sort(outcome.q[outcome.good]), np.sort(outcome.t[outcome.good])]

        return at

    clsb, fc = tabulated(
        data.conditional[good][:, nuisances], n_nodes, simulate(mu, Hypothesis.TESTED), (q, t)
    )
    clb, _ = tabulated(
        background.parameters[good][:, nuisances],
        n_nodes,
        simulate(0.0, Hypothesis.BACKGROUND),
        (q, t),
    )
    by_toys = {
        "CLs": np.minimum(clsb / np.maximum(clb, 1e-300), 1.0) if mu > 0.0 else np.ones_like(q),
        "CLs+b": clsb,
        "FC": fc,
    }
    failed = int(toys - np.count_nonzero(good))
    cells = []
    for calculator, values in (("toys", by_toys), ("asymptotic", _asymptotic(q, t, qa))):
        for method in METHODS:
            # a failed toy counts as one that is not covered: the worst case
            covered = int(np.count_nonzero(values[method] > 1.0 - cl)) / toys
            table = math.sqrt(cl * (1 - cl) / n_inner) if calculator == "toys" else 0.0
            error = math.hypot(math.sqrt(cl * (1.0 - cl) / toys), table)
            exact = calculator == "toys" and (method == "CLs" or not nuisances)
            cells.append(
                CoverageCell(
                    model=study.name,
                    n_nuisances=len(nuisances),
                    signal=mu,
                    method=method,
                    calculator=calculator,
                    nominal=cl,
                    coverage=covered,
                    error=math.sqrt(covered * (1.0 - covered) / toys),
                    table_error=table,
                    toys=toys,
                    failed=failed,
                    low=covered < cl - ALARM * error,
                    guaranteed=exact,
                )
            )
    return tuple(cells)


def coverage_study(
    *,
    toys: int = 20_000,
    cl: float = 0.95,
    seed: int = 0,
    models: Sequence[CoverageModel] = COVERAGE_MODELS,
    signals: Sequence[float] = SIGNALS,
    progress: Callable[[str], None] | None = None,
) -> CoverageStudy:
    """Coverage of CLs, CLs+b and Feldman-Cousins, by toys and asymptotically.

    Parameters
    ----------
    toys
        Outer toys a cell.
    cl, seed
        Confidence level and seed.
    models, signals
        Models, and true signal events.
    progress
        Called with a line of text after each model and signal.
    """
    cells: list[CoverageCell] = []
    for study in models:
        for mu in signals:
            found = coverage_cells(study, mu, toys=toys, cl=cl, seed=seed)
            cells.extend(found)
            if progress is not None:
                row = ", ".join(f"{c.method} {c.calculator} {c.coverage:.4f}" for c in found)
                progress(f"{study.name}, s = {mu:g}: {row}")
    return CoverageStudy(cells=tuple(cells), cl=cl, toys=toys, seed=seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study from a command line; 1 if a method that promises coverage has none."""
    parser = argparse.ArgumentParser(prog="coverage", description=coverage_study.__doc__)
    parser.add_argument("--toys", type=int, default=20_000)
    parser.add_argument("--cl", type=float, default=0.95)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("coverage"), help="stem of the files")
    options = parser.parse_args(arguments)

    def tell(line: str) -> None:
        sys.stderr.write(line + "\n")

    study = coverage_study(toys=options.toys, cl=options.cl, seed=options.seed, progress=tell)
    options.output.with_suffix(".json").write_text(study.to_json(), encoding="utf-8")
    options.output.with_suffix(".md").write_text(study.to_markdown(), encoding="utf-8")
    sys.stdout.write(study.to_markdown())
    return 1 if study.violations else 0


if __name__ == "__main__":
    sys.exit(main())
