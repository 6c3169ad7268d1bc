"""A luminosity written as a pull, so that it may have a name of its own.

A modifier of type ``lumi`` has to be called ``lumi``: two luminosities that are not one parameter,
or one that is shared with a ``normsys`` of another name, cannot be of this type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError
from darkstats.workspace.combine import prune
from darkstats.workspace.findings import shown
from darkstats.workspace.nominal import settings_of
from darkstats.workspace.spec import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["with_pulled_luminosity"]

_PULL_REACH = 5.0  # bounds of a pull where a measurement says nothing


def with_pulled_luminosity(workspace: Workspace, name: str) -> tuple[Workspace, str]:
    r"""Return the workspace with a ``lumi`` written as variations of its yields.

    Parameters
    ----------
    workspace
        A workspace with the modifier.
    name
        Its name, which stays: any other name may be given to the result.

    Returns
    -------
    workspace, note
        The workspace, and a sentence on what became of the parameter.

    Raises
    ------
    OptionError
        Measurements give it other widths or places, or none: the yields can have one only.

    Notes
    -----
    With auxiliary datum :math:`\lambda_0` and width :math:`\sigma`, yields are multiplied by
    :math:`\lambda_0`, and vary by the relative error :math:`\delta = \sigma / \lambda_0`. In a
    sample without a ``histosys``, a linear one is the same likelihood. In others, whose variations
    a linear one would leave unscaled, it is a ``normsys`` of :math:`1 \pm \delta`, equal to first
    order in :math:`\delta`.
    """
    found = {
        _Pull.of(workspace, settings_of(one).get(name, {}), name)
        for one in workspace.document["measurements"]
    }
    if len(found) > 1:
        raise OptionError(
            f"the measurements of {workspace.source} give {shown(name)} other values, and as a "
            "pull it has one width: take the others out first, darkstats prune --measurement NAME"
        )
    pull = found.pop()
    bare = prune(workspace, modifiers=[name]).document
    before = workspace.document["channels"]
    places = [
        [any(m["name"] == name for m in sample["modifiers"]) for sample in channel["samples"]]
        for channel in before
    ]
    samples = [
        (sample, had)
        for channel, flags in zip(bare["channels"], places, strict=True)
        for sample, had in zip(channel["samples"], flags, strict=True)
    ]
    approximate = sum(had and _is_varied(sample) for sample, had in samples)
    made = iter([pull.on(sample, name) if had else sample for sample, had in samples])
    document = {
        **bare,
        "channels": [
            {**channel, "samples": [next(made) for _ in channel["samples"]]}
            for channel in bare["channels"]
        ],
        "measurements": [
            {**one, "config": {
                **one["config"],
                "parameters": [*one["config"]["parameters"], *pull.settings(name)],
            }}
            for one in bare["measurements"]
        ],
    }  # fmt: skip
    note = f"{name}: a relative error of {pull.relative:.4g}, written as a pull"
    if approximate:
        note += (
            f"; as a normsys in {approximate} samples with variations of their shape, equal to "
            "first order"
        )
    written = Workspace.from_document(document, workspace.source, usable=False)
    return written, note


def _is_varied(sample: Mapping[str, Any]) -> bool:
    return any(modifier["type"] == "histosys" for modifier in sample["modifiers"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pull:
    """Relative error, bounds in its units, whether it is held, and the factor of the yields."""

    relative: float
    low: float
    high: float
    held: bool
    nominal: float

    @classmethod
    def of(cls, workspace: Workspace, settings: Mapping[str, Any], name: str) -> _Pull:
        if not settings.get("auxdata") or not settings.get("sigmas"):
            raise OptionError(
                f"{workspace.source}: a measurement says nothing of the width of {shown(name)}; "
                "give it auxdata and sigmas"
            )
        datum, width = float(settings["auxdata"][0]), float(settings["sigmas"][0])
        held = bool(settings.get("fixed"))
        nominal = float(settings["inits"][0]) if held and "inits" in settings else datum
        low, high = settings.get("bounds", [[-math.inf, math.inf]])[0]
        return cls(
            relative=width / nominal,
            low=max((low - datum) / width, -_PULL_REACH),
            high=min((high - datum) / width, _PULL_REACH),
            held=held,
            nominal=nominal,
        )

    def on(self, sample: Mapping[str, Any], name: str) -> dict[str, Any]:
        """A sample, at its new yields, with the pull."""
        up, down = 1.0 + self.relative, 1.0 - self.relative
        made: dict[str, Any] = {"name": name, "type": "normsys", "data": {"hi": up, "lo": down}}
        if not _is_varied(sample):
            events = sample["data"]
            made = {
                "name": name,
                "type": "histosys",
                "data": {
                    "hi_data": [up * value for value in events],
                    "lo_data": [down * value for value in events],
                },
            }
        return {**sample, "modifiers": [*sample["modifiers"], made]}

    def settings(self, name: str) -> list[dict[str, Any]]:
        """What a measurement has to say of the pull: nothing, unless it is held or kept near."""
        if self.held:
            return [{"name": name, "inits": [0.0], "fixed": True}]
        if (self.low, self.high) == (-_PULL_REACH, _PULL_REACH):
            return []
        return [{"name": name, "bounds": [[self.low, self.high]]}]
