"""The same likelihood in zfit, built from the HS3 document.

Use :func:`zfit_likelihood` for a referee that shares no numerical code with the kernels: its own
loss evaluates what they found. :class:`darkstats.model.unbinned.zfit_engine.ZfitEngine` minimises
many data sets under it. zfit and TensorFlow are imported by these modules alone, inside functions,
and nothing of zfit leaves them but numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import DocumentError
from darkstats.model.unbinned.zfit_pdfs import PdfBuilder, import_zfit
from darkstats.workspace.hs3.expressions import Name, Number

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.model.event_lanes import EventLanes
    from darkstats.workspace.hs3 import Hs3Channel, Hs3Document

__all__ = ["ZfitLikelihood", "import_zfit", "zfit_likelihood"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZfitLikelihood:
    """An analysis in zfit.

    Parameters
    ----------
    parameters
        zfit parameters in the order of the compiled model.
    auxiliary
        zfit parameters that hold the auxiliary data, by name of the parameter they constrain.
    models, spaces, constraints
        Of the loss: one extended pdf and its space for each unbinned channel.
    constant
        Logarithms of the normalisations of the constraints, summed.
    """

    parameters: tuple[Any, ...] = field(repr=False)
    auxiliary: Mapping[str, Any] = field(repr=False)
    models: tuple[Any, ...] = field(repr=False)
    spaces: tuple[Any, ...] = field(repr=False)
    constraints: tuple[Any, ...] = field(repr=False)
    constant: float = 0.0

    def set_values(self, point: FloatArray) -> None:
        """Set all parameters [par]; ranges of zfit are widened where they must be."""
        for parameter, value in zip(self.parameters, point, strict=True):
            if value <= float(parameter.lower):
                parameter.lower = float(value) - 1.0
            if value >= float(parameter.upper):  # zfit refuses a value at its bound
                parameter.upper = float(value) + 1.0
            parameter.set_value(float(value))

    def set_auxiliary(self, values: Mapping[str, float]) -> None:
        """Set auxiliary data by name of the constrained parameter."""
        for name, value in values.items():
            if name in self.auxiliary:
                self.auxiliary[name].set_value(float(value))

    def loss(
        self, events: Sequence[FloatArray], weights: Sequence[FloatArray] | None = None
    ) -> Any:  # noqa: ANN401 -- a zfit loss
        """Extended loss of zfit, of events [dim, event] in each channel."""
        zfit = import_zfit()
        data = [
            zfit.Data.from_numpy(
                obs=space,
                array=np.ascontiguousarray(x.T),
                weights=None if weights is None else weights[c],
                guarantee_limits=True,
            )
            for c, (x, space) in enumerate(zip(events, self.spaces, strict=True))
        ]
        return zfit.loss.ExtendedUnbinnedNLL(
            list(self.models), data, constraints=list(self.constraints) or None
        )

    def value(
        self,
        point: FloatArray,
        events: Sequence[FloatArray],
        weights: Sequence[FloatArray] | None = None,
    ) -> float:
        """Negative log-likelihood by zfit's own loss, without ``log N!``: sum(nu) - sum log m.

        Constraints with their normalisation are included.
        """
        self.set_values(point)
        loss = self.loss(events, weights)
        value = loss._loss_func(  # `value` adds Stirling's log N! or an offset
            model=loss.model,
            data=loss.data,
            fit_range=loss.fit_range,
            constraints=loss.constraints,
            log_offset=0.0,
        )
        return float(value)

    def value_of(self, point: FloatArray, lanes: EventLanes) -> float:
        """:meth:`value` of the events of lane 0."""
        x, weights = _first_lane(lanes)
        return self.value(point, x, weights)

    def gradient(self, point: FloatArray, lanes: EventLanes) -> FloatArray:
        """Gradient of zfit's loss by its own automatic differentiation, lane 0. Shape [par]."""
        self.set_values(point)
        x, weights = _first_lane(lanes)
        return np.asarray(self.loss(x, weights).gradient(list(self.parameters)), dtype=float)


def _first_lane(lanes: EventLanes) -> tuple[list[FloatArray], list[FloatArray] | None]:
    """Events [dim, event] of lane 0 in each channel, and weights if any is not 1."""
    parts = [channel.events_of(0) for channel in lanes.channels]
    kept = [weights > 0.0 for _, weights in parts]
    x = [own[:, keep] for (own, _), keep in zip(parts, kept, strict=True)]
    weights = [w[keep] for (_, w), keep in zip(parts, kept, strict=True)]
    return x, None if all((w == 1.0).all() for w in weights) else weights


def zfit_likelihood(
    document: Hs3Document,
    analysis: str | None = None,
    *,
    constants: Mapping[str, float] | None = None,
) -> ZfitLikelihood:
    """Build an analysis in zfit, from the document and not from the compiled model.

    Raises
    ------
    MissingExtraError
        zfit is not installed.
    DocumentError
        A part has no counterpart in zfit here: binned channels, templates.
    """
    chosen = document.analysis(analysis)
    builder = PdfBuilder(document, chosen, dict(constants or {}))
    models, spaces = [], []
    for channel in chosen.channels:
        space = _space(builder.zfit, channel)
        if channel.data.get("type") == "binned":
            raise DocumentError(
                f"channel {channel.name!r} is binned: zfit is asked for unbinned channels only"
            )
        models.append(builder.pdf(channel.distribution, space))
        spaces.append(space)
    constraints, auxiliary, constant = [], {}, 0.0
    for item in chosen.constraints:
        sides = {
            key: builder.names.tree(str(item[key]))
            if isinstance(item[key], str)
            else Number(float(item[key]))
            for key in ("x", "mean")
        }
        name, datum = (
            (sides["mean"], sides["x"])
            if isinstance(sides["mean"], Name)
            else (sides["x"], sides["mean"])
        )
        if not isinstance(name, Name) or not isinstance(datum, Number):
            raise DocumentError(f"constraint {item['name']!r} is not built in zfit here")
        observed = builder.zfit.Parameter(
            f"{builder.prefix}_aux_{name.name}", datum.value, floating=False
        )
        auxiliary[name.name] = observed
        sigma = float(builder.names.formula(item["sigma"]).at(np.empty(0)))
        constant += math.log(sigma * math.sqrt(2.0 * math.pi))
        constraints.append(
            builder.zfit.constraint.GaussianConstraint(
                params=builder.parameters[name.name],
                observation=observed,
                sigma=sigma,
            )
        )
    return ZfitLikelihood(
        parameters=tuple(builder.parameters[p.name] for p in builder.names.floating),
        auxiliary=auxiliary,
        models=tuple(models),
        spaces=tuple(spaces),
        constraints=tuple(constraints),
        constant=constant,
    )


def _space(zfit: Any, channel: Hs3Channel) -> Any:  # noqa: ANN401
    space = None
    for name, low, high in channel.axes:
        one = zfit.Space(name, low, high)
        space = one if space is None else space * one
    return space
