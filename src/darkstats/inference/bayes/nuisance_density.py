"""The posterior density of nuisance parameters in coordinates without edges, for many lanes.

The kernel knows the likelihood with its constraint terms; what turns those into the stated priors,
and the Jacobian of the coordinates, is added here, with exact derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.inference.bayes.coordinates import Coordinates, Mapped
from darkstats.inference.bayes.nuisances import ParameterPrior
from darkstats.inference.bayes.rules import normsys_derivatives
from darkstats.model import LaneData, Model

__all__ = ["Derivatives", "NuisanceDensity"]

_FAR = 8.0  # standard deviations from zero, beyond which a cut at zero changes nothing


@dataclass(frozen=True, slots=True)
class Derivatives:
    """Logarithm of the density and its derivatives in the coordinates.

    Shapes [lane], [lane, z], [lane, z, z]; ``by_mu``: derivative by the signal strength [lane].
    """

    value: FloatArray
    gradient: FloatArray
    hessian: FloatArray | None
    by_mu: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Parameters of one kind of prior and one kind of coordinate."""

    kind: str  # of the prior, and of the constraint that the kernel has: "gamma/poisson", ...
    place: IndexArray  # among the coordinates
    parameter: IndexArray
    coordinates: Coordinates
    shape: FloatArray
    rate: FloatArray
    datum: FloatArray
    width: FloatArray
    priors: tuple[ParameterPrior, ...]

    def correction(
        self, z: FloatArray, mapped: Mapped
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What is added to the kernel's value, and its first two derivatives by z. [lane, par]."""
        m = mapped
        pull = (m.x - self.datum) / self.width
        undo = 0.5 * pull * pull  # the Gaussian constraint that the kernel has
        undo1 = pull / self.width * m.x1
        undo2 = (m.x1 / self.width) ** 2 + pull / self.width * m.x2
        if self.kind == "log-normal":
            return undo - 0.5 * z * z, undo1 - z, undo2 - 1.0
        if self.kind.startswith("factor-"):
            value, first, second = self._factor(m.x)
            return undo + value, undo1 + first, undo2 + second
        value, first, second = m.log_slope, m.log_slope1, m.log_slope2
        if self.kind.startswith("gamma"):
            poisson = self.kind == "gamma/poisson"
            power = self.shape - 1.0 - (self.datum if poisson else 0.0)
            ratio = m.x1 / m.x
            value = value + power * np.log(m.x)
            first = first + power * ratio
            second = second + power * (m.x2 / m.x - ratio * ratio)
            if not poisson:
                value = value - self.rate * m.x + undo
                first = first - self.rate * m.x1 + undo1
                second = second - self.rate * m.x2 + undo2
        return value, first, second

    def _factor(self, alpha: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Density of the factor of a normsys as one of its parameter, and two derivatives."""
        parts = []
        for i, prior in enumerate(self.priors):
            coefficients = np.array(prior.coefficients)
            f, f1, f2, f3 = normsys_derivatives(alpha[:, i], coefficients, prior.code)
            bend = f2 / f1
            value = np.log(np.abs(f1))
            first, second = bend, f3 / f1 - bend * bend
            if prior.kind == "factor-gamma":
                k, ratio = prior.shape, f1 / f
                value = value + (k - 1.0) * np.log(f) - k * f
                first = first + (k - 1.0) * ratio - k * f1
                second = second + (k - 1.0) * (f2 / f - ratio * ratio) - k * f2
            else:
                pull = (f - 1.0) / prior.width**2
                value = value - 0.5 * (f - 1.0) * pull
                first = first - pull * f1
                second = second - (f1 / prior.width) ** 2 - pull * f2
            parts.append((value, first, second))
        stacked = [np.stack(column, axis=1) for column in zip(*parts, strict=True)]
        return stacked[0], stacked[1], stacked[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class NuisanceDensity:
    """Likelihood times nuisance priors of one model, at lanes of (signal strength, coordinates).

    Make one with :meth:`of`.
    """

    model: Model = field(repr=False)
    free: IndexArray
    fixed_values: FloatArray = field(repr=False)
    reference: FloatArray = field(repr=False)
    blocks: tuple[_Block, ...] = field(repr=False)
    threads: int | None = None

    @classmethod
    def of(
        cls,
        model: Model,
        priors: Sequence[ParameterPrior | None],
        *,
        reference: FloatArray,
        counts: LaneData,
        threads: int | None = None,
    ) -> NuisanceDensity:
        """Choose coordinates.

        Parameters
        ----------
        model, priors
            The likelihood, and the prior of each parameter.
        reference
            Parameters near the mode: they set the scale of flat priors. Shape [par].
        counts
            Counts for the same purpose. Shape [bin].
        threads
            At most so many in evaluations.

        Notes
        -----
        A parameter without constraint that changes no rate of the likelihood is left out: its
        prior does not matter to the signal strength.
        """
        at = model.values_at(
            reference[np.newaxis], counts, model.observation.auxdata, derivatives=2
        )
        slope = np.abs(at.gradient[0]) if at.gradient is not None else np.zeros(len(reference))
        curve = np.diag(at.hessian[0]) if at.hessian is not None else np.zeros(len(reference))
        steep = slope + np.sqrt(np.maximum(curve, 0.0))
        groups: dict[tuple[str, str], list[tuple[int, Coordinates, ParameterPrior]]] = {}
        for p, prior in enumerate(priors):
            if prior is None or (prior.kind == "flat" and not steep[p] > 1e-12):
                continue
            coordinates = _coordinates(prior, float(reference[p]), 1.0 / max(steep[p], 1e-12))
            kind = prior.kind
            if kind == "gamma" and model.parameters[p].constraint == "poisson":
                kind = "gamma/poisson"
            groups.setdefault((kind, coordinates.kind), []).append((p, coordinates, prior))
        free = sorted(p for members in groups.values() for p, _, _ in members)
        place = {p: i for i, p in enumerate(free)}
        blocks = []
        for (kind, map_kind), members in groups.items():
            index = np.array([p for p, _, _ in members], dtype=np.int64)
            blocks.append(
                _Block(
                    kind=kind,
                    place=np.array([place[int(p)] for p in index], dtype=np.int64),
                    parameter=index,
                    coordinates=Coordinates(
                        kind=map_kind,
                        centre=np.array([c.centre for _, c, _ in members]),
                        scale=np.array([c.scale for _, c, _ in members]),
                        lower=np.array([c.lower for _, c, _ in members]),
                        upper=np.array([c.upper for _, c, _ in members]),
                    ),
                    shape=np.array([prior.shape for _, _, prior in members]),
                    rate=np.array([prior.rate for _, _, prior in members]),
                    datum=model.observation.auxdata[index],
                    width=np.array([model.parameters[int(p)].width for p in index]),
                    priors=tuple(prior for _, _, prior in members),
                )
            )
        return cls(
            model=model,
            free=np.array(free, dtype=np.int64),
            fixed_values=np.where(
                [p in place for p in range(len(reference))], model.inits, reference
            ),
            reference=np.asarray(reference, dtype=np.float64),
            blocks=tuple(blocks),
            threads=threads,
        )

    @property
    def n(self) -> int:
        """Number of coordinates."""
        return len(self.free)

    def parameters(self, mu: FloatArray, z: FloatArray) -> FloatArray:
        """Parameters of the model. Shapes: [lane], [lane, z] -> [lane, par]."""
        x = np.repeat(self.fixed_values[np.newaxis], len(mu), axis=0)
        x[:, self.model.require_poi()] = mu
        for block in self.blocks:
            x[:, block.parameter] = block.coordinates.at(z[:, block.place]).x
        return x

    def coordinates(self, x: FloatArray) -> FloatArray:
        """Coordinates of parameters. Shapes: [lane, par] -> [lane, z]."""
        z = np.zeros((len(x), self.n))
        for block in self.blocks:
            z[:, block.place] = block.coordinates.inverse(x[:, block.parameter])
        return z

    def value(
        self, mu: FloatArray, z: FloatArray, counts: LaneData, row: IndexArray | None = None
    ) -> FloatArray:
        """Logarithm of the density, minus infinity where it is zero.

        Parameters
        ----------
        mu, z
            Signal strengths and coordinates. Shapes [lane], [lane, z].
        counts, row
            Rows of counts [row, bin], and which one belongs to each lane.
        """
        x = np.repeat(self.fixed_values[np.newaxis], len(mu), axis=0)
        x[:, self.model.require_poi()] = mu
        total = np.zeros(len(mu))
        with np.errstate(all="ignore"):
            for block in self.blocks:
                here = z[:, block.place]
                mapped = block.coordinates.at(here)
                x[:, block.parameter] = mapped.x
                if block.kind == "normal":
                    continue
                part = block.correction(here, mapped)[0]
                if block.kind == "truncated-normal" and block.coordinates.kind == "affine":
                    part = np.where(mapped.x > 0.0, part, -np.inf)
                total += part.sum(axis=1)
            at = self.model.values_at(
                x,
                counts,
                self.model.observation.auxdata,
                row=row,
                threads=self.threads,
            )
            total -= at.value
        return np.where(np.isnan(total), -np.inf, total)

    def derivatives(
        self,
        mu: FloatArray,
        z: FloatArray,
        counts: LaneData,
        row: IndexArray | None = None,
        *,
        hessian: bool = True,
    ) -> Derivatives:
        """Logarithm of the density with derivatives; arguments as of :meth:`value`."""
        n = len(mu)
        x = np.repeat(self.fixed_values[np.newaxis], n, axis=0)
        x[:, self.model.require_poi()] = mu
        value = np.zeros(n)
        first, second, slope, bend = np.zeros((4, n, self.n))
        with np.errstate(all="ignore"):
            for block in self.blocks:
                here = z[:, block.place]
                mapped = block.coordinates.at(here)
                x[:, block.parameter] = mapped.x
                slope[:, block.place], bend[:, block.place] = mapped.x1, mapped.x2
                if block.kind == "normal":
                    continue
                parts = block.correction(here, mapped)
                value += parts[0].sum(axis=1)
                first[:, block.place], second[:, block.place] = parts[1], parts[2]
            at = self.model.values_at(
                x,
                counts,
                self.model.observation.auxdata,
                row=row,
                derivatives=2 if hessian else 1,
                threads=self.threads,
            )
            raw = at.gradient if at.gradient is not None else np.zeros_like(x)
            gradient = first - raw[:, self.free] * slope
            full = None
            if at.hessian is not None:
                full = -at.hessian[:, self.free[:, np.newaxis], self.free[np.newaxis, :]]
                full *= slope[:, :, np.newaxis] * slope[:, np.newaxis, :]
                index = np.arange(self.n)
                full[:, index, index] += second - raw[:, self.free] * bend
            value -= at.value
        return Derivatives(
            np.where(np.isnan(value), -np.inf, value),
            gradient,
            full,
            -raw[:, self.model.require_poi()],
        )


def _coordinates(prior: ParameterPrior, reference: float, spread: float) -> Coordinates:
    """Coordinates that suit a prior; ``spread`` is the width of the likelihood at ``reference``."""
    one = np.array
    kind, centre, width = prior.kind, prior.centre, prior.width
    if kind == "log-normal":
        return Coordinates(kind="exponential", centre=one(centre), scale=one(prior.log_width))
    if kind == "flat" and np.isfinite(prior.upper - prior.lower):
        return Coordinates(kind="interval", lower=one(prior.lower), upper=one(prior.upper))
    scales = {
        "truncated-normal": max(centre, width),
        "gamma": prior.shape / prior.rate,
        "flat": max(reference - prior.lower, spread),
    }
    distant = kind == "truncated-normal" and centre > _FAR * width
    if kind in scales and not distant and np.isfinite(scales[kind]):
        lower = prior.lower if kind == "flat" else 0.0
        return Coordinates(kind="half-line", lower=one(lower), scale=one(scales[kind]))
    if kind == "flat":
        centre, width = reference, spread
    return Coordinates(
        kind="affine",
        centre=one(centre),
        scale=one(1.0 if kind.startswith("factor-") else width),
    )
