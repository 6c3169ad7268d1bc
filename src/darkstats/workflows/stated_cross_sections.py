"""The limit on a cross section of which it is said what signal strength 1 is, without a model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError
from darkstats.workflows.coupling_records import converted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from darkstats.report.figures.coupling_axis import CouplingAxis
    from darkstats.workflows.likelihoods import Likelihood
    from darkstats.workflows.outcome import Outcome
    from darkstats.workspace.json_values import JsonObject

__all__ = ["StatedCrossSection", "of_record", "stated_cross_section"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedCrossSection:
    """Cross section of signal strength 1, fb, and who says so."""

    signal_fb: float
    origin: str

    def axis(self) -> CouplingAxis:
        """The cross section as an axis of a figure."""
        from darkstats.report.figures.coupling_axis import CouplingAxis

        return CouplingAxis(
            name="cross section",
            column="cross_section_fb",
            title=r"$\sigma$ [fb]",
            of_strength=lambda mu: self.signal_fb * mu if mu >= 0.0 else None,
            to_strength=lambda size_fb: size_fb / self.signal_fb,
        )

    def record(self, limit: JsonObject) -> JsonObject:
        """Return a limit record with its cross sections."""
        sizes = self._sizes(limit)
        interval = limit.get("interval")
        if isinstance(interval, dict) and interval.get("lower") is not None:
            sizes["interval_lower"] = self.signal_fb * interval["lower"]
        found = {
            **limit,
            "cross_section_fb": sizes,
            "signal_cross_section_fb": self.signal_fb,
            "signal_cross_section_origin": self.origin,
        }
        held = limit.get("low_counts")
        if held is not None:
            found["low_counts"] = {**held, "cross_section_fb": self._sizes(held)}
        return found

    def _sizes(self, point: JsonObject) -> JsonObject:
        def at(mu: float) -> float:
            return self.signal_fb * mu

        def error(_: float, size: float) -> float:
            return self.signal_fb * size

        return converted(point, at, error)

    def of(self, outcome: Outcome[Any]) -> Outcome[Any]:
        """The outcome of a limit, with its cross sections in record and sheet."""

        def record() -> JsonObject:
            return self.record(outcome.record())

        def sheet() -> RenderableType:
            from darkstats.report.coupling_tables import cross_section_sheet
            from darkstats.report.tables import under

            return under(outcome.sheet(), cross_section_sheet(record()))

        return replace(outcome, record=record, sheet=sheet)


def of_record(record: Mapping[str, Any], source: str) -> StatedCrossSection | None:
    """Return what a limit record says without a model; None where it says nothing.

    Raises
    ------
    DocumentError
        It says no cross section above zero.
    """
    size = record.get("signal_cross_section_fb")
    if size is None:
        return None
    if type(size) not in {int, float} or not 0.0 < size < math.inf:
        raise DocumentError(
            "is no cross section above zero", source=source, pointer="/signal_cross_section_fb",
            remedy="let darkstats limit write the record again",
        )  # fmt: skip
    return StatedCrossSection(signal_fb=float(size), origin=source)


def stated_cross_section(
    likelihood: Likelihood, signal_fb: float | None
) -> StatedCrossSection | None:
    """Return what is said of a signal in the place of that of the search; None where nothing is.

    Parameters
    ----------
    likelihood
        Its patch may say it.
    signal_fb
        What ``--sigma`` says.
    """
    if signal_fb is not None:
        return StatedCrossSection(signal_fb=signal_fb, origin="--sigma")
    own = likelihood.own_signal
    if own is None or own.reference_cross_section_pb is None:
        return None
    size_fb = 1e3 * own.reference_cross_section_pb
    return StatedCrossSection(signal_fb=size_fb, origin=f"the patch of {likelihood.inputs.source}")
