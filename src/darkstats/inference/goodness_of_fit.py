"""Saturated goodness of fit: whether the model describes the data at all.

Use the asymptotic p-value where all bins expect more than about five events, toys below that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import FitFailedError, UnknownNameError
from darkstats.fit import FitOptions, fit, fit_batch
from darkstats.inference.chi_square import chi_square_survival
from darkstats.inference.results import FitCounts, GoodnessOfFit, PValue, ToyCounts, ToyOptions
from darkstats.inference.toys import TOYS_PER_BLOCK, Hypothesis, p_value, stream, throw
from darkstats.kernel import default_threads, run_blocks

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.inference.results import Calculator
    from darkstats.model import HistFactoryModel, Observation

__all__ = ["goodness_of_fit", "toy_deviances"]


def goodness_of_fit(
    model: HistFactoryModel,
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

    Raises
    ------
    UnknownNameError
        Unknown calculator.
    FitFailedError
        The best fit could not be certified, or too many toys failed.

    Notes
    -----
    S. Baker, R. D. Cousins, Nucl. Instrum. Meth. 221 (1984) 437. A constrained parameter adds one
    auxiliary datum and takes one parameter away.
    """
    if calculator not in {"asymptotic", "toys"}:
        raise UnknownNameError("calculator", calculator, ("asymptotic", "toys"))
    best = fit(model, observation, options=options)
    n_bins = int(np.count_nonzero(~model.masked_bins))
    n_free = sum(not p.fixed and not p.constrained for p in model.parameters)
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
        fits=FitCounts(attempted=1, certified=1, second_start=1),
        toys=counts,
        seed=seed,
        model_digest=model.digest,
        warnings=best.warnings,
        references=("Nucl. Instrum. Meth. 221 (1984) 437",),
    )


def toy_deviances(
    model: HistFactoryModel, parameters: FloatArray, options: ToyOptions
) -> FloatArray:
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
            part = slice(begin - offset, end - offset)
            batch = fit_batch(
                model, counts[part], auxdata[part], start=parameters, options=fit_options
            )
            values[begin - first : end - first] = np.where(
                batch.converged, np.maximum(batch.twice_nll, 0.0), np.nan
            )
            if options.on_toys is not None:
                options.on_toys(end - begin)

    n_blocks = (stop - 1) // TOYS_PER_BLOCK - first_block + 1
    run_blocks(work, n_blocks, threads=options.threads or default_threads(), block=1)
    return values
