"""Any extended zfit loss as an engine of batched fits.

One traced graph gives values, gradients and Hessians of many lanes at once, by automatic
differentiation, to the batched Newton of :mod:`darkstats.fit.newton`. Use it for a loss that the
compiled kernels do not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.errors import FitFailedError, OptionError
from darkstats.kernel.simd import LANES
from darkstats.model.event_lanes import EventLanes
from darkstats.model.unbinned.zfit_model import ZfitLikelihood
from darkstats.model.unbinned.zfit_pdfs import import_zfit

__all__ = ["ZfitEngine"]

_LANES_PER_CALL = 100
_WIDTH_STEP = 64  # events: lanes are padded to a multiple, so that few graphs are traced


class ZfitEngine:
    """Values and derivatives of many data sets under one zfit loss; a lane evaluator.

    One graph maps zfit's own loss over lanes, with reverse-mode derivatives taken twice; it is
    traced once for each padded number of events. Tensors take the places of parameters while it is
    traced, which is private to zfit 0.28: :meth:`check` compares with the scalar loss.

    Parameters
    ----------
    models, spaces, constraints
        As in ``zfit.loss.ExtendedUnbinnedNLL``: one extended pdf and space for each channel.
    parameters
        Free parameters; their order is that of points.
    auxiliary
        Parameters that hold the auxiliary datum of a free one, by its place; their values come
        from the lane.
    constant
        Subtracted from the loss: normalisations of the constraints.
    """

    def __init__(
        self,
        *,
        models: Sequence[Any],
        spaces: Sequence[Any],
        parameters: Sequence[Any],
        constraints: Sequence[Any] = (),
        auxiliary: Mapping[int, Any] | None = None,
        constant: float = 0.0,
    ) -> None:
        self.constant = constant
        self.models, self.spaces = list(models), list(spaces)
        self.parameters, self.constraints = list(parameters), list(constraints)
        self.auxiliary = dict(auxiliary or {})
        self.graphs: dict[tuple[int, ...], Any] = {}
        zfit = import_zfit()
        data = [
            zfit.Data.from_numpy(obs=space, array=_middle(space)[None, :], guarantee_limits=True)
            for space in self.spaces
        ]
        self._loss_of = zfit.loss.ExtendedUnbinnedNLL(
            self.models, data, constraints=self.constraints or None
        )

    @classmethod
    def of_loss(cls, loss: Any) -> ZfitEngine:  # noqa: ANN401 -- a zfit loss
        """The engine of a loss that a user has built, constraints and channels included.

        Free parameters are those that float, sorted by name; constraints keep their observations.

        Raises
        ------
        OptionError
            The loss is not an extended unbinned one.
        """
        zfit = import_zfit()
        if not isinstance(loss, zfit.loss.ExtendedUnbinnedNLL):
            raise OptionError(f"need an ExtendedUnbinnedNLL, got {type(loss).__name__}")
        return cls(
            models=loss.model,
            spaces=[data.space for data in loss.data],
            parameters=sorted(loss.get_params(floating=True), key=lambda p: p.name),
            constraints=loss.constraints,
        )

    @classmethod
    def of_likelihood(cls, likelihood: ZfitLikelihood, names: Sequence[str]) -> ZfitEngine:
        """The engine of a likelihood that was built from HS3; auxiliary data vary by lane."""
        return cls(
            models=likelihood.models,
            spaces=likelihood.spaces,
            parameters=likelihood.parameters,
            constraints=likelihood.constraints,
            auxiliary={names.index(name): one for name, one in likelihood.auxiliary.items()},
            constant=likelihood.constant,
        )

    def evaluator(self, events: EventLanes, auxdata: FloatArray) -> ZfitEvaluator:
        """Evaluator of some events and auxiliary data [lane, par]."""
        return ZfitEvaluator(engine=self, events=events, auxdata=auxdata)

    def graph(self, widths: tuple[int, ...], *, curved: bool) -> Any:  # noqa: ANN401 -- a function
        """The function that maps lanes with these numbers of padded events; with the Hessian."""
        key = (*widths, int(curved))
        if key not in self.graphs:
            self.graphs[key] = self._traced(curved=curved)
        return self.graphs[key]

    def usable(
        self,
        graph: Any,  # noqa: ANN401 -- a function
        inputs: Sequence[Any],
        widths: tuple[int, ...],
        *,
        curved: bool,
    ) -> Any:  # noqa: ANN401 -- a function
        """Trace a graph by calling it; one that XLA refuses is traced again without it."""
        import tensorflow as tf

        try:
            graph(*inputs)
        except tf.errors.OpError:
            if curved:
                raise
            graph = self._traced(curved=False, xla=False)
            self.graphs[*widths, int(curved)] = graph
            graph(*inputs)
        return graph

    def _traced(self, *, curved: bool, xla: bool = True) -> Any:  # noqa: ANN401
        import tensorflow as tf

        zfit = import_zfit()
        n = len(self.parameters)

        def sloped(inputs: tuple[Any, ...]) -> tuple[Any, Any]:
            theta, aux, *events = inputs
            with tf.GradientTape() as tape:
                tape.watch(theta)
                value = self._loss(zfit, theta, aux, events)
            return value, tape.gradient(value, theta)

        def one_lane(inputs: tuple[Any, ...]) -> tuple[Any, Any, Any]:
            theta, aux, *events = inputs
            with tf.GradientTape(persistent=True) as outer:
                outer.watch(theta)
                with tf.GradientTape() as inner:
                    inner.watch(theta)
                    value = self._loss(zfit, theta, aux, events)
                gradient = inner.gradient(value, theta)
                rows = [gradient[i] for i in range(n)]
            hessian = tf.stack([outer.gradient(row, theta) for row in rows])
            return value, gradient, hessian

        # XLA makes gradients three times faster for three seconds of compilation; Hessians take
        # half a minute to minutes to compile, and are needed once for a lane.
        @tf.function(autograph=False, jit_compile=xla and not curved)  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def mapped(*inputs: Any) -> Any:  # noqa: ANN401
            each = one_lane if curved else sloped
            return tf.vectorized_map(each, inputs, fallback_to_while_loop=False)

        return mapped

    def _loss(self, zfit: Any, theta: Any, aux: Any, events: Sequence[Any]) -> Any:  # noqa: ANN401
        """Loss of zfit at tensors in the places of its parameters."""
        data = []
        for c, space in enumerate(self.spaces):
            x, weights = events[2 * c], events[2 * c + 1]
            data.append(
                zfit.Data.from_tensor(obs=space, tensor=x, weights=weights, guarantee_limits=True)
            )
        places = {i: theta[i] for i in range(len(self.parameters))}
        held = [(self.parameters[i], value) for i, value in places.items()]
        held += [(one, aux[i]) for i, one in self.auxiliary.items()]
        with _in_place(held):
            return self._loss_of._loss_func(  # `value` reads the parameters anew
                model=self.models,
                data=data,
                fit_range=self._loss_of.fit_range,
                constraints=self._loss_of.constraints,
                log_offset=0.0,
            )

    def check(self, point: FloatArray, events: EventLanes, auxdata: FloatArray) -> float:
        """Difference, at one point and lane 0, to the scalar loss that zfit evaluates itself."""
        lane = np.zeros(1, dtype=np.int64)
        evaluator = self.evaluator(events, auxdata)
        value, _, _, _ = evaluator.derivatives(point[None, :], lane)
        value = value + evaluator.offsets(lane)
        likelihood = ZfitLikelihood(
            parameters=tuple(self.parameters),
            auxiliary={str(i): one for i, one in self.auxiliary.items()},
            models=tuple(self.models),
            spaces=tuple(self.spaces),
            constraints=tuple(self.constraints),
        )
        likelihood.set_auxiliary({str(i): float(auxdata[0, i]) for i in self.auxiliary})
        return float(value[0]) - likelihood.value_of(point, events)


class _in_place:  # noqa: N801 -- used as a context
    """Let tensors stand for parameters while a graph is traced; put everything back."""

    def __init__(self, held: Sequence[tuple[Any, Any]]) -> None:
        self.held = held

    def __enter__(self) -> None:
        for parameter, value in self.held:
            for name in ("value", "read_value"):
                object.__setattr__(parameter, name, lambda value=value: value)
            object.__setattr__(
                parameter,
                "_dense_var_to_tensor",
                lambda dtype=None, name=None, as_ref=False, value=value: value,
            )

    def __exit__(self, *_: object) -> None:
        for parameter, _value in self.held:
            for name in ("value", "read_value", "_dense_var_to_tensor"):
                object.__delattr__(parameter, name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZfitEvaluator:
    """See :class:`darkstats.model.base.LaneEvaluator`.

    Values are relative to the same density as those of the kernels: zero for Asimov data.
    """

    engine: ZfitEngine
    events: EventLanes
    auxdata: FloatArray

    def derivatives(
        self, points: FloatArray, lanes: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Value, size of its terms, gradient and Hessian of each lane at its point."""
        n, p = points.shape
        found = self._mapped(points, lanes, [np.empty(n), np.empty((n, p)), np.empty((n, p, p))])
        value, size = self._relative(found[0], lanes)
        return value, size, found[1], found[2]

    def slopes(
        self, points: FloatArray, lanes: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Value, size of its terms and gradient of each lane at its point."""
        found = self._mapped(points, lanes, [np.empty(len(points)), np.empty(points.shape)])
        value, size = self._relative(found[0], lanes)
        return value, size, found[1]

    def _relative(self, value: FloatArray, lanes: IndexArray) -> tuple[FloatArray, FloatArray]:
        size = 1.0 + np.abs(value)
        value -= self.offsets(lanes)
        value[~np.isfinite(value)] = np.inf
        return value, size

    def _mapped(
        self, points: FloatArray, lanes: IndexArray, into: list[FloatArray]
    ) -> list[FloatArray]:
        """Fill arrays [lane, ...] with what the graph gives, chunk by chunk."""
        n, curved = len(points), len(into) == 3
        widths = tuple(
            int(_WIDTH_STEP * -(-LANES * int(c.n_vectors.max()) // _WIDTH_STEP)) or _WIDTH_STEP
            for c in self.events.channels
        )
        zfit, new = import_zfit(), (*widths, int(curved)) not in self.engine.graphs
        graph = self.engine.graph(widths, curved=curved)
        for first in range(0, n, _LANES_PER_CALL):
            part = slice(first, min(first + _LANES_PER_CALL, n))
            chosen = lanes[part]
            # Whole chunks only: another number of lanes would be another graph.
            spare = _LANES_PER_CALL - len(chosen)
            filled = np.concatenate([chosen, np.repeat(chosen[-1:], spare)])
            theta = np.concatenate([points[part], np.repeat(points[part][-1:], spare, axis=0)])
            inputs = [theta, self.auxdata[filled]]
            for c, width in enumerate(widths):
                inputs += self._padded(c, filled, width)
            if new:  # graphs of zfit's own hold tensors of the parameters: none may be shared
                zfit.run.clear_graph_cache()
                graph = _evaluated(self.engine.usable, graph, inputs, widths, curved=curved)
                zfit.run.clear_graph_cache()
                new = False
            found = _evaluated(graph, *inputs)
            for array, tensor in zip(into, found, strict=True):
                array[part] = tensor.numpy()[: len(chosen)]
        return into

    def offsets(self, lanes: IndexArray) -> FloatArray:
        """What zfit's loss is larger by than the value relative to the reference density."""
        total = np.full(len(lanes), self.engine.constant)
        for channel, space in zip(self.events.channels, self.engine.spaces, strict=True):
            n = channel.total[lanes]
            volume = float(np.prod(np.ravel(space.v0.upper) - np.ravel(space.v0.lower)))
            mean = np.where(n > 0.0, n, 1.0) / volume
            total += n - n * np.log(mean) - channel.reference[lanes]
        return total

    def _padded(self, c: int, lanes: IndexArray, width: int) -> list[FloatArray]:
        """Events [lane, event, dim] and weights [lane, event] of a chunk."""
        events = self.events.channels[c]
        x = np.empty((len(lanes), width, events.x.shape[0]))
        weights = np.zeros((len(lanes), width))
        for k, lane in enumerate(lanes):
            own, weight = events.events_of(int(lane))
            size = own.shape[1]
            x[k, :size] = own.T
            x[k, size:] = own[:, :1].T if size else _middle(self.engine.spaces[c])
            weights[k, :size] = weight
        return [x, weights]

    def least_rates(self, points: FloatArray, lanes: IndexArray) -> FloatArray:
        """Not looked for: zfit's pdfs are positive or fail. Shape [lane]."""
        return np.zeros(len(points))


def _evaluated(function: Any, *words: Any, **options: Any) -> Any:  # noqa: ANN401 -- of TensorFlow
    """Call a function of TensorFlow; what it cannot evaluate is a fit that failed.

    Raises
    ------
    FitFailedError
        An operation failed: no memory, an input it refuses.
    """
    import tensorflow as tf

    try:
        return function(*words, **options)
    except tf.errors.OpError as error:
        said = error.message.strip().split("\n")[0]
        raise FitFailedError(
            f"zfit cannot evaluate its loss: {said} ({type(error).__name__}); the compiled kernels "
            "do without it: --engine newton"
        ) from error


def _middle(space: Any) -> FloatArray:  # noqa: ANN401
    lower, upper = np.ravel(np.asarray(space.v0.lower)), np.ravel(np.asarray(space.v0.upper))
    return np.asarray(0.5 * (lower + upper))
