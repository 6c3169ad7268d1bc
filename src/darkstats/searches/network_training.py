"""Training of the network of a search, on the half of the simulation that chooses cuts.

Rows of each simulated signal, within its window, are set beside rows of the background whose mass
lies around: between the neighbouring simulated masses, the more often the nearer. For each mass
as many are drawn of either, by their weights, and both carry the mass that was simulated: neither
the number of rows nor the mass tells signal from background, so that the network has no reason to
prefer a mass. Then it is evaluated with the mass of each row (a parametrised network, P. Baldi
et al., arXiv:1601.07913). Keyed draws, one thread, doubles; weights are rounded to the digits that
are kept.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import MissingExtraError, OptionError
from darkstats.provenance import digest_of
from darkstats.searches.network import Layer, Network
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray
    from darkstats.searches.recoil_windows import RecoilWidths
    from darkstats.simulation.candidates import Candidates

__all__ = ["NetworkChoice", "train", "trained_with"]

_DIGITS = 6  # of the numbers that are kept
_SIGNAL, _BACKGROUND = 1, 0
_LEAST_ROWS = 200  # of a simulated mass, signal or background; with fewer it is passed over


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChoice:
    """What the network of a search is made of.

    Parameters
    ----------
    name
        Column that cuts can use.
    inputs
        Columns, of which ``hypothesis`` is one.
    hypothesis
        Column that is the mass, or a function of it: in training it is that of the signal.
    hidden
        Nodes of each hidden layer.
    seed
        Of draws and of the first weights.
    rows_per_mass
        Rows of signal, and as many of background, that are drawn at each simulated mass.
    epochs
        How often the rows are gone through.
    penalty
        On the squared weights (L2).
    window_sigma
        Half width of the signal's window, in resolutions.
    network
        A network that has been trained; None to train one.

    Raises
    ------
    OptionError
        When it is made: the hypothesis is no input, an input stands there twice, or the network
        has other inputs.
    """

    name: str
    inputs: tuple[str, ...]
    hypothesis: str
    hidden: tuple[int, ...] = (16, 8)
    seed: int = 1
    rows_per_mass: int = 10_000
    epochs: int = 30
    penalty: float = 1e-4
    window_sigma: float = 3.0
    network: Network | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """See :class:`NetworkChoice`."""
        if self.hypothesis not in self.inputs or len(set(self.inputs)) != len(self.inputs):
            raise OptionError("inputs of the network: each once, and the hypothesis among them")
        if self.network is not None and self.network.inputs != self.inputs:
            raise OptionError(
                f"the network has the inputs {', '.join(self.network.inputs)}, and the "
                f"card asks for {', '.join(self.inputs)}: train it again"
            )

    def settings(self) -> dict[str, object]:
        """What decides the network besides the simulation."""
        return {
            "inputs": list(self.inputs),
            "hypothesis": self.hypothesis,
            "hidden": list(self.hidden),
            "seed": self.seed,
            "rows_per_mass": self.rows_per_mass,
            "epochs": self.epochs,
            "penalty": self.penalty,
            "window_sigma": self.window_sigma,
        }


def train(
    choice: NetworkChoice,
    signals: Mapping[tuple[float, ...], Candidates],
    backgrounds: Mapping[str, Candidates],
    *,
    variable: str,
    widths: RecoilWidths,
) -> Network:
    """Return a network that tells the signals from the backgrounds: the same bits every time.

    Parameters
    ----------
    choice
        Inputs, nodes, seed.
    signals, backgrounds
        The half that chooses, after the cuts that always hold.
    variable, widths
        Column of the squared mass, and its resolution.

    Raises
    ------
    MissingExtraError
        scikit-learn is not installed.
    OptionError
        Fewer than two simulated masses have enough rows.
    """
    rows, labels = _rows(choice, signals, backgrounds, variable=variable, widths=widths)
    offsets, scales = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
    offsets, scales = _rounded(offsets), _rounded(scales)
    layers = _fitted(choice, (rows - offsets) / scales, labels)
    return Network(
        inputs=choice.inputs,
        offsets=tuple(offsets.tolist()),
        scales=tuple(scales.tolist()),
        layers=tuple(
            Layer(
                weights=tuple(map(tuple, _rounded(weights).tolist())),
                biases=tuple(_rounded(biases).tolist()),
            )
            for weights, biases in layers
        ),
    )


def trained_with() -> str:
    """Package and version that train here, for records."""
    return f"scikit-learn {version('scikit-learn')}"


def _rounded(values: FloatArray) -> FloatArray:
    return np.array([float(f"{v:.{_DIGITS}g}") for v in values.ravel()]).reshape(values.shape)


def _rows(
    choice: NetworkChoice,
    signals: Mapping[tuple[float, ...], Candidates],
    backgrounds: Mapping[str, Candidates],
    *,
    variable: str,
    widths: RecoilWidths,
) -> tuple[FloatArray, FloatArray]:
    """Drawn rows of all masses, shape [row, input], and whether each is signal, shape [row]."""
    keys = sorted(signals)
    squares = np.array([key[0] ** 2 for key in keys])
    square = np.concatenate([sample[variable] for sample in backgrounds.values()])
    weight = np.concatenate(
        [sample.weight_pb / sample.n_generated for sample in backgrounds.values()]
    )
    columns = [
        np.concatenate([sample[name] for sample in backgrounds.values()]) for name in choice.inputs
    ]
    background = np.stack(columns, axis=1)
    place = choice.inputs.index(choice.hypothesis)
    # Where each row lies among the simulated masses: 2.25 is a quarter of the way from the third.
    between = np.interp(square, squares, np.arange(len(squares)), left=-1.0, right=len(squares))
    found: list[FloatArray] = []
    labels: list[FloatArray] = []
    digest = digest_of(choice.settings())
    for number, key in enumerate(keys):
        sample = signals[key]
        near = np.abs(sample[variable] - squares[number]) < (
            choice.window_sigma * widths.at_squared(float(squares[number]))
        )
        signal = np.stack([sample[name][near] for name in choice.inputs], axis=1)
        chance = weight * np.maximum(1.0 - np.abs(between - number), 0.0)
        around = np.flatnonzero(chance)
        if min(len(signal), len(around)) < _LEAST_ROWS:
            continue
        mass = float(np.median(signal[:, place]))
        rng = keyed_generator(choice.seed, digest, number)
        for label, rows, weights in (
            (_SIGNAL, signal, sample.weight_pb[near]),
            (_BACKGROUND, background[around], chance[around]),
        ):
            drawn = rng.choice(len(rows), choice.rows_per_mass, p=weights / weights.sum())
            found.append(rows[drawn])
            found[-1][:, place] = mass
            labels.append(np.full(len(drawn), label))
    if len(found) < 4:
        raise OptionError(
            f"a network needs two simulated masses with {_LEAST_ROWS} rows of signal, and of "
            "background around them; simulate more events, or more masses"
        )
    return np.concatenate(found), np.concatenate(labels)


def _fitted(
    choice: NetworkChoice, rows: FloatArray, labels: FloatArray
) -> list[tuple[FloatArray, FloatArray]]:
    """Weights and biases of each layer."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        raise MissingExtraError("scikit-learn", "classifier") from None
    machine = MLPClassifier(
        hidden_layer_sizes=choice.hidden,
        activation="tanh",
        solver="adam",
        alpha=choice.penalty,
        batch_size=500,
        learning_rate_init=2e-3,
        max_iter=choice.epochs,
        tol=0.0,
        n_iter_no_change=choice.epochs,  # the number of epochs is the choice, not a tolerance
        random_state=choice.seed,
    )
    # More threads add in another order, which changes the last bits and so the weights.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(rows, labels)
    return list(zip(machine.coefs_, machine.intercepts_, strict=True))
