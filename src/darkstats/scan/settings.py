"""How limits are made: the priors of a posterior, and what a scan does at each hypothesis."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

from darkstats.errors import OptionError
from darkstats.options import check_choices, option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.workspace.json_values import JsonObject

__all__ = ["BayesSettings", "ScanSettings"]

_PANEL = "Bayes (--method bayes)"


def _ranges(texts: tuple[str, ...]) -> tuple[tuple[str, float, float], ...]:
    """Read NAME=LOW,HIGH of each."""
    found = []
    for text in texts:
        name, equals, numbers = text.rpartition("=")
        try:
            low, high = (float(part) for part in numbers.split(","))
        except ValueError:
            equals = ""
        if not (equals and name):
            raise OptionError(f"cannot read the range {text!r}; write NAME=LOW,HIGH")
        found.append((name, low, high))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class BayesSettings:
    """Priors and engine of Bayesian limits; ``ranges`` has (name, low, high) each."""

    prior: Annotated[
        str,
        option(
            "--prior", metavar="PRIOR", reads="perhaps", panel=_PANEL,
            help="flat[:LOW,HIGH], coupling:POWER[,REFERENCE[,HIGHEST]], log-flat:LOW,HIGH, "
            "jeffreys or table:FILE.",
        ),
    ] = "flat"  # fmt: skip
    engine: Annotated[
        str,
        option(
            "--engine", metavar="NAME", panel=_PANEL, kind="engine", help="{choices}.",
            choices=("auto", "quadrature", "laplace", "nuts"),
        ),
    ] = "auto"  # fmt: skip
    expected: Annotated[
        str,
        option(
            "--expected", metavar="NAME", panel=_PANEL, kind="way to throw expected outcomes",
            choices=("conditional-mle", "prior-predictive", "none"),
            help="Background-only outcomes: {choices}.",
        ),
    ] = "conditional-mle"  # fmt: skip
    efficiency: Annotated[
        str,
        option(
            "--efficiency", metavar="NAME", panel=_PANEL, kind="efficiency prior",
            choices=("log-normal", "gamma", "truncated-normal"),
            help="Prior of a factor on the signal: {choices}.",
        ),
    ] = "log-normal"  # fmt: skip
    ur_prior: Annotated[
        str,
        option(
            "--ur-prior", metavar="NAME", panel=_PANEL, kind="ur-prior", choices=("1/x", "flat"),
            help="Of Poisson-constrained parameters: {choices}.",
        ),
    ] = "1/x"  # fmt: skip
    ranges: Annotated[
        tuple[tuple[str, float, float], ...],
        option(
            "--prior-range", metavar="NAME=LOW,HIGH", panel=_PANEL, read=_ranges, repeated=True,
            help="Edges of the flat prior of a parameter without constraint; repeatable.",
        ),
    ] = ()  # fmt: skip

    def __post_init__(self) -> None:
        check_choices(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """How a scan tests each hypothesis.

    Parameters
    ----------
    method, cl, test_stat, calculator, band
        As for a single limit.
    n_toys, seed
        For ``calculator="toys"``.
    blind
        Expected values only.
    interpolation
        Codes of normsys and histosys.
    bayes
        Priors and engine, for ``method="bayes"``; ``test_stat``, ``calculator`` and ``band`` mean
        nothing then.
    luminosity_factor, systematics
        Projection to another luminosity, and how relative errors change with it; see
        :func:`darkstats.scan.projection.projected`.
    hypotheses_per_block
        How the work is cut; part of what names a job, not of what a number depends on.
    """

    method: str = "cls"
    cl: float = 0.95
    test_stat: str = "qtilde"
    calculator: str = "asymptotic"
    band: str = "root"
    n_toys: int | None = None
    seed: int = 0
    blind: bool = False
    interpolation: str = "normsys=code4,histosys=code4p"
    bayes: BayesSettings | None = None
    luminosity_factor: float = 1.0
    systematics: str = "same"
    hypotheses_per_block: int = 16

    def __str__(self) -> str:
        return f"{self.method} at {self.cl:g}, {self.calculator}{', blind' * self.blind}"

    def plain(self) -> JsonObject:
        """As JSON data."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> ScanSettings:
        """Inverse of :meth:`plain`; other keys are ignored."""
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in plain.items() if key in known}
        if values.get("bayes") is not None:
            ranges = tuple((str(n), float(a), float(b)) for n, a, b in values["bayes"]["ranges"])
            values["bayes"] = BayesSettings(**{**values["bayes"], "ranges": ranges})
        return cls(**values)
