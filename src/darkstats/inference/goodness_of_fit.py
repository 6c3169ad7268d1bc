"""Saturated goodness of fit: whether the model describes the data at all.

Use the asymptotic p-value where all bins expect more than about five events, toys below that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arguments import checked
from darkstats.errors import FitFailedError, ImpossibleDataError, OptionError, UnknownNameError
from darkstats.fit import FitOptions, fit, fit_batch
from darkstats.inference.chi_square import chi_square_survival
from darkstats.inference.p_values import FitCounts, PValue, ToyCounts, ToyOptions
from darkstats.inference.results import GoodnessOfFit
from darkstats.inference.toys import TOYS_PER_BLOCK, Hypothesis, p_value, stream, throw
from darkstats.kernel import default_threads, run_blocks

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.inference.p_values import Calculator
    from darkstats.model import Model, Observation

__all__ = ["goodness_of_fit", "toy_deviances"]

_OFF_ZERO = 1e-2  # of a factor, where its size does not matter
_NOTHING = 1e-50  # events: below any yield a workspace means, above the floor of empty bins
_INDEPENDENT = 1e-7  # singular value of unit vectors that are exact to 1e-12


@checked
def goodness_of_fit(
    model: Model,
    observation: Observation,
    *,
    calculator: Calculator = "asymptotic",
    toys: ToyOptions | None = None,
    options: FitOptions | None = None,
) -> GoodnessOfFit:
    """Likelihood-ratio test of the model against the saturated one.

    Parameters
    ----------
    model, observation
        Compiled model, with or without parameter of interest, and data.
    calculator
        ``"asymptotic"``: chi-square with (bins in use) minus (free parameters without
        constraint) degrees of freedom. ``"toys"``: toys thrown at the best fit, each refitted.
        A bin is in use where anything is expected; parameters count as many times as there are
        independent directions in which they change the bins in use.

    Raises
    ------
    UnknownNameError
        Unknown calculator.
    FitFailedError
        The best fit could not be certified, or too many toys failed.

    Notes
    -----
    S. Baker, R. D. Cousins, Nucl. Instrum. Meth. 221 (1984) 437. A constrained parameter adds one
    auxiliary datum and takes one parameter away; one that is held fixed leaves both out.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> test = darkstats.goodness_of_fit(model, model.observation)
    >>> test.degrees_of_freedom, round(test.p_value.value, 3)
    (1, 0.618)
    """
    if calculator not in {"asymptotic", "toys"}:
        raise UnknownNameError("calculator", calculator, ("asymptotic", "toys"))
    if observation.events is not None:
        raise OptionError(
            "a likelihood of events has no saturated model to compare with: bin the data, and test "
            "the goodness of fit there; of bins beside events, test the workspace that was combined"
        )
    settled = replace(observation, auxdata=_without_fixed(model, observation.auxdata))
    try:
        best = fit(model, settled, options=options)
    except ImpossibleDataError as error:
        return _without_answer(model, calculator, str(error))
    n_bins, n_free = _counted(model, best.parameters)
    statistic, degrees = max(best.twice_nll, 0.0), n_bins - n_free
    p: PValue | None = None
    reason = counts = seed = None
    if degrees < 1:
        reason = f"{n_bins} bins and {n_free} unconstrained parameters leave nothing to test"
    elif calculator == "asymptotic":
        p = PValue.exact(chi_square_survival(statistic, degrees))
    else:
        choice = toys or ToyOptions()
        values = toy_deviances(model, best.parameters, choice)
        good = np.sort(values[~np.isnan(values)])
        failed = len(values) - len(good)
        if failed > choice.max_failed_fraction * len(values):
            raise FitFailedError(f"{failed} of {len(values)} toys could not be fitted")
        counts = ToyCounts(asked=len(values), ok=len(good), failed=failed)
        p, seed = p_value(good, statistic, failed=failed), choice.seed
    return GoodnessOfFit(
        statistic=statistic,
        degrees_of_freedom=degrees,
        p_value=p,
        p_value_reason=reason,
        calculator=calculator,
        n_bins=n_bins,
        n_free=n_free,
        mu_hat=None if model.poi_index is None else best.poi,
        fits=FitCounts(attempted=1 + best.certification.failed, certified=1, second_start=1),
        toys=counts,
        seed=seed,
        model_digest=model.digest,
        warnings=best.warnings,
        references=("Nucl. Instrum. Meth. 221 (1984) 437",),
    )


def _without_answer(model: Model, calculator: Calculator, reason: str) -> GoodnessOfFit:
    """No point of the model gives the data a probability: nothing to quote but the reason."""
    finite = np.isfinite(model.expected_rates(model.inits)).all()
    n_bins, n_free = _counted(model, model.inits if finite else model.nominal)
    return GoodnessOfFit(
        statistic=None,
        degrees_of_freedom=n_bins - n_free,
        p_value=None,
        p_value_reason=reason,
        calculator=calculator,
        n_bins=n_bins,
        n_free=n_free,
        fits=FitCounts(attempted=1, certified=0, second_start=0),
        model_digest=model.digest,
    )


def _counted(model: Model, parameters: FloatArray) -> tuple[int, int]:
    """Bins in use, and independent directions of the free parameters without constraint.

    Rates are linear in each such parameter, so that a central difference is exact. The point is
    moved off 0, where a factor would hide the others that it multiplies.
    """
    free = [i for i, p in enumerate(model.parameters) if not p.fixed and not p.constrained]
    point = np.where(np.abs(parameters) < _OFF_ZERO, _OFF_ZERO, parameters)
    points = np.repeat(point[np.newaxis, :], 2 * len(free) + 1, axis=0)
    for row, index in enumerate(free):
        step = 0.5 * abs(point[index])
        points[2 * row + 1, index] += step
        points[2 * row + 2, index] -= step
    rates = np.asarray(model.expected_rates(points))[:, ~model.masked_bins]
    rates = rates[:, np.abs(rates).max(axis=0) > _NOTHING]
    known = rates[:, np.isfinite(rates[0])]  # a bin whose rate overflows tells no direction
    with np.errstate(invalid="ignore", over="ignore"):  # far from the data others may, too
        jacobian = (known[1::2] - known[2::2]) / np.sqrt(np.maximum(np.abs(known[0]), _NOTHING))
    jacobian = jacobian[np.isfinite(jacobian).all(axis=1)]
    sizes = np.linalg.norm(jacobian, axis=1)
    jacobian = jacobian[sizes > 0.0] / sizes[sizes > 0.0, np.newaxis]
    rank = 0 if not jacobian.size else int(np.linalg.matrix_rank(jacobian, tol=_INDEPENDENT))
    return rates.shape[1], rank


def _without_fixed(model: Model, auxdata: FloatArray) -> FloatArray:
    """Auxiliary data [..., par] in which those of fixed parameters agree with their values."""
    held: FloatArray = np.where(model.fixed, model.expected_auxdata(model.inits), auxdata)
    return held


def toy_deviances(model: Model, parameters: FloatArray, options: ToyOptions) -> FloatArray:
    """Statistic of refitted toys, NaN where the fit failed. Shape [toy]."""
    first, stop = options.first_toy, options.first_toy + options.n_toys
    first_block = first // TOYS_PER_BLOCK
    values = np.full(options.n_toys, np.nan)
    fit_options = FitOptions(threads=1)

    def work(lower: int, upper: int) -> None:
        for block in range(first_block + lower, first_block + upper):
            offset = block * TOYS_PER_BLOCK
            begin, end = max(first, offset), min(stop, offset + TOYS_PER_BLOCK)
            rng = stream(options.seed, digest=model.digest, what=Hypothesis.BEST_FIT, block=block)
            counts, auxdata = throw(model, parameters, rng)
            auxdata = _without_fixed(model, auxdata)
            part = slice(begin - offset, end - offset)
            batch = fit_batch(
                model, counts[part], auxdata[part], start=parameters, options=fit_options
            )
            values[begin - first : end - first] = np.maximum(batch.twice_nll, 0.0)
            if options.on_toys is not None:
                options.on_toys(end - begin)

    n_blocks = (stop - 1) // TOYS_PER_BLOCK - first_block + 1
    run_blocks(work, n_blocks, threads=options.threads or default_threads(), block=1)
    return values
