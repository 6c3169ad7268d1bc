"""A small network that tells signal from background, evaluated with NumPy.

It is a column of the candidates that cuts can use, made of other columns. What it is stands in a
card or a sidecar as plain numbers, so that nothing but NumPy is needed to evaluate it; training is
:mod:`darkstats.searches.network_training`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray
    from darkstats.simulation.candidates import Candidates

__all__ = ["Layer", "Network"]

_CHUNK = 50_000  # rows at a time
_LARGEST = 500.0  # exponent of the logistic function


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer: ``weights`` by input and node, ``biases`` by node."""

    weights: tuple[tuple[float, ...], ...] = field(repr=False)
    biases: tuple[float, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Layers with the hyperbolic tangent between them and the logistic function at the end.

    Parameters
    ----------
    inputs
        Columns of the candidates.
    offsets, scales
        Each input is taken less its offset, over its scale. Shapes [input].
    layers
        The last one has one node.

    Raises
    ------
    OptionError
        When it is made: the shapes do not fit, or a number is not finite or a scale not positive.
    """

    inputs: tuple[str, ...]
    offsets: tuple[float, ...] = field(repr=False)
    scales: tuple[float, ...] = field(repr=False)
    layers: tuple[Layer, ...] = field(repr=False)

    def __post_init__(self) -> None:
        """See :class:`Network`."""
        n = len(self.inputs)
        if not n or len(self.offsets) != n or len(self.scales) != n or not self.layers:
            raise OptionError("a network needs inputs, an offset and a scale for each, and layers")
        for number, layer in enumerate(self.layers, start=1):
            width = len(layer.biases)
            if len(layer.weights) != n or any(len(row) != width for row in layer.weights):
                raise OptionError(
                    f"layer {number} of the network needs {n} rows of {width} weights: one row for "
                    "each input, one weight for each bias"
                )
            n = width
        if n != 1:
            raise OptionError(f"the last layer of the network has {n} nodes, not one")
        numbers = [self.offsets, self.scales]
        numbers += [row for layer in self.layers for row in (layer.biases, *layer.weights)]
        if not all(np.isfinite(row).all() for row in numbers) or min(self.scales) <= 0.0:
            raise OptionError("the network has a number that is not finite, or a scale below zero")

    def values(self, candidates: Candidates) -> FloatArray:
        """How much each row is like the signal, from 0 to 1. Shape [row].

        The same bits for any number of rows: products are summed in the order of the inputs.
        """
        found = np.empty(len(candidates))
        layers = [(np.array(one.weights), np.array(one.biases)) for one in self.layers]
        for start in range(0, len(candidates), _CHUNK):
            here = slice(start, start + _CHUNK)
            at = np.stack(
                [
                    (candidates[name][here] - offset) / scale
                    for name, offset, scale in zip(
                        self.inputs, self.offsets, self.scales, strict=True
                    )
                ],
                axis=1,
            )
            for number, (weights, biases) in enumerate(layers):
                at = np.tanh(at) if number else at
                total = np.tile(biases, (len(at), 1))
                for one, row in zip(at.T, weights, strict=True):
                    total += one[:, None] * row
                at = total
            found[here] = 1.0 / (1.0 + np.exp(np.clip(-at[:, 0], -_LARGEST, _LARGEST)))
        return found

    def added(self, candidates: Candidates, name: str) -> Candidates:
        """The same candidates with the network as the column ``name``."""
        columns = {**candidates.columns, name: self.values(candidates)}
        return replace(candidates, columns=MappingProxyType(columns))

    def plain(self) -> dict[str, Any]:
        """As in a sidecar; :meth:`from_plain` reads it."""
        return {
            "inputs": list(self.inputs),
            "offsets": list(self.offsets),
            "scales": list(self.scales),
            "layers": [
                {"weights": [list(row) for row in one.weights], "biases": list(one.biases)}
                for one in self.layers
            ],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Network:
        """Return the network that stands in a sidecar.

        Raises
        ------
        OptionError
            See :class:`Network`.
        """
        return cls(
            inputs=tuple(plain["inputs"]),
            offsets=tuple(plain["offsets"]),
            scales=tuple(plain["scales"]),
            layers=tuple(
                Layer(weights=tuple(map(tuple, one["weights"])), biases=tuple(one["biases"]))
                for one in plain["layers"]
            ),
        )
