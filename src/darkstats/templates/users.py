"""Templates that users bring: histograms of any library, ntuples through cabinetry.

The one module that imports cabinetry (A. Held et al., BSD): its configurations name ntuples,
regions, samples and systematics, and it fills and post-processes the histograms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import InputError, MissingExtraError, OptionError
from darkstats.templates.histfactory import normfactor, prune, rounded, staterror, symmetrise
from darkstats.templates.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import FloatArray

__all__ = ["UserSample", "workspace_from_cabinetry", "workspace_from_histograms"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSample:
    """One sample of one channel.

    Parameters
    ----------
    name
        Name of the sample.
    nominal
        A histogram: ours, or any that follows the Unified Histogram Interface.
    yields
        Relative low and high yields by nuisance parameter, (0.9, 1.1).
    variations
        Low and high histograms by nuisance parameter; None mirrors the other one.
    free
        Name of a free factor; that of the signal is the parameter of interest.
    """

    name: str
    nominal: Any
    yields: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    variations: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    free: str | None = None


def _histogram(thing: Any, place: str) -> Histogram:  # noqa: ANN401  # a protocol of others
    try:
        return thing if isinstance(thing, Histogram) else Histogram.from_uhi(thing)
    except OptionError as error:
        raise OptionError(f"{place}: {error}") from None


def _sample(sample: UserSample, channel: str) -> dict[str, Any]:
    place = f"channel {channel}, sample {sample.name}"
    nominal = _histogram(sample.nominal, place)
    if np.any(nominal.values < 0.0):
        worst = int(np.argmin(nominal.values))
        raise OptionError(f"{place}, bin {worst}: the content is negative; merge bins")
    modifiers: list[dict[str, Any]] = []
    if sample.free is not None:
        modifiers.append(normfactor(sample.free))
    for name, (low, high) in sample.yields.items():
        modifiers.append({"name": name, "type": "normsys", "data": {"lo": low, "hi": high}})
    for name, pair in sample.variations.items():
        varied: list[FloatArray | None] = []
        for side, thing in zip(("low", "high"), pair, strict=True):
            if thing is None:
                varied.append(None)
                continue
            found = _histogram(thing, f"{place}, variation {name} ({side})")
            if found.values.shape != nominal.values.shape:
                raise OptionError(f"{place}, variation {name} ({side}): its bins differ")
            varied.append(found.values.ravel())
        low_values, high_values = symmetrise(nominal.values.ravel(), varied[0], varied[1])
        modifiers += prune(name, nominal.values.ravel(), low_values, high_values).modifiers
    if np.any(nominal.variances > 0.0):
        modifiers.append(staterror(f"staterror_{channel}", nominal.variances.ravel()))
    return {"name": sample.name, "data": rounded(nominal.values.ravel()), "modifiers": modifiers}


def workspace_from_histograms(
    channels: Mapping[str, Sequence[UserSample]],
    *,
    poi: str,
    observed: Mapping[str, Any] | None = None,
    parameters: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return a HistFactory workspace of histograms.

    Parameters
    ----------
    channels
        Samples by name of the channel.
    poi
        Name of the free factor of the signal.
    observed
        Histograms of data by channel; None for Asimov data without signal.
    parameters
        Bounds and starting values.

    Raises
    ------
    OptionError
        With channel, sample and bin: a negative content, other bins, no parameter of interest.
    """
    if not any(sample.free == poi for samples in channels.values() for sample in samples):
        raise OptionError(f"no sample has the free factor {poi!r}, the parameter of interest")
    document_channels, observations = [], []
    for channel, samples in channels.items():
        built = [_sample(sample, channel) for sample in samples]
        if len({len(sample["data"]) for sample in built}) != 1:
            raise OptionError(f"channel {channel}: its samples have different numbers of bins")
        document_channels.append({"name": channel, "samples": built})
        if observed is not None:
            if channel not in observed:
                raise OptionError(f"channel {channel}: no data")
            counts = _histogram(observed[channel], f"channel {channel}, data").values.ravel()
        else:
            counts = np.sum(
                [b["data"] for b, s in zip(built, samples, strict=True) if s.free != poi], axis=0
            )
        observations.append({"name": channel, "data": rounded(np.atleast_1d(counts))})
    return {
        "channels": document_channels,
        "observations": observations,
        "measurements": [
            {"name": "measurement", "config": {"poi": poi, "parameters": list(parameters)}}
        ],
        "version": "1.0.0",
    }


def workspace_from_cabinetry(path: Path | str) -> dict[str, Any]:
    """Return the workspace of a cabinetry configuration: fills its histograms from ntuples.

    Paths in the configuration are relative to the working directory, as in cabinetry.

    Raises
    ------
    MissingExtraError
        cabinetry is not installed.
    InputError
        The configuration cannot be read or used; the message is cabinetry's own.
    """
    try:
        import cabinetry
    except ImportError:
        raise MissingExtraError("cabinetry", "templates") from None
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such configuration")
    try:
        config = cabinetry.configuration.load(path)
        cabinetry.templates.build(config, method="uproot")
        cabinetry.templates.postprocess(config)
        document: dict[str, Any] = cabinetry.workspace.build(config)
    except Exception as error:  # cabinetry, jsonschema, uproot and yaml each have their own
        first = str(error).strip().splitlines()
        reason = first[0] if first else type(error).__name__
        raise InputError(f"{path}: cabinetry refused it: {reason}") from error
    return document
