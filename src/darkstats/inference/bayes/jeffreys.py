"""The reference prior: the root of the expected information on the signal strength."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import PriorError
from darkstats.inference.bayes.priors import BoundPrior, Coordinate

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.model import Model

__all__ = ["Jeffreys"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jeffreys:
    """Jeffreys' rule for the signal strength, nuisance parameters at their nominal values.

    The information is that of the counts and of the auxiliary measurements, with the nuisance
    parameters eliminated (Schur complement of the Fisher matrix). For one bin with known
    background it is ``s^2 / (mu s + b)``, and the prior the reference prior of that problem.

    Notes
    -----
    L. Demortier, S. Jain, H. B. Prosper, Phys. Rev. D 82 (2010) 034002 (arXiv:1002.1111), for what
    a reference prior is; marginalising first, as they do, gives a slightly different density.
    """

    name: str = field(default="jeffreys", init=False)
    of_model: bool = field(default=True, init=False)

    def describe(self) -> str:
        """What it is."""
        return (
            "Jeffreys: root of the Fisher information on the signal strength, nuisance parameters "
            "eliminated at their nominal values; without upper edge"
        )

    def bind(self, model: Model) -> BoundPrior:
        """Return the density for one model.

        Raises
        ------
        PriorError
            The information is not positive: nothing to base a prior on.
        """
        poi = model.require_poi()
        nominal = model.nominal
        others = np.array(
            [p for p, fixed in enumerate(model.fixed) if p != poi and not fixed], dtype=np.int64
        )
        auxdata = model.expected_auxdata(nominal)

        def log_density(mu: FloatArray) -> FloatArray:
            flat = np.maximum(np.asarray(mu, dtype=np.float64).ravel(), 1e-30)
            points = np.repeat(nominal[np.newaxis], len(flat), axis=0)
            points[:, poi] = flat
            data = model.asimov_lanes(points)
            at = model.values_at(points, data, auxdata, row=np.arange(len(flat)), derivatives=2)
            hessian = at.hessian if at.hessian is not None else np.zeros((0, 0, 0))
            information = hessian[:, poi, poi].copy()
            if len(others):
                block = hessian[:, others[:, np.newaxis], others]
                beside = hessian[:, poi, others]
                inverse = np.linalg.pinv(block, hermitian=True)
                information -= np.einsum("li,lij,lj->l", beside, inverse, beside)
            if not (information > 0.0).all():
                raise PriorError(
                    f"the Fisher information on {model.poi_name} is not positive: there is no "
                    "Jeffreys prior; choose another prior"
                )
            result: FloatArray = 0.5 * np.log(information).reshape(np.shape(mu))
            return result

        return BoundPrior(function=log_density, coordinate=Coordinate(2.0))
