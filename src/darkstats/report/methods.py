"""Names of the methods that limits are set by, as they stand in files, tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["LOSSES", "METHODS", "QUANTITIES", "MethodName", "method_name"]

#: What contours may interpolate: the upper limit on the signal strength, or CLs at strength 1.
QUANTITIES = ("mu", "cls")

#: What contours leave out where one of several scans has no number.
LOSSES = ("point", "scan")


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodName:
    """A method in ASCII (``text``), in tables (``table``) and in figures (``figure``)."""

    text: str
    table: str
    figure: str


METHODS: Mapping[str, MethodName] = MappingProxyType(
    {
        "cls": MethodName(text="CLs", table="CLs", figure=r"CL$_{s}$"),
        "clsb": MethodName(text="CLs+b", table="CLs+b (no CLb penalty)", figure=r"CL$_{s+b}$"),
        "pcl": MethodName(
            text="power-constrained CLs+b",
            table="power-constrained CLs+b",
            figure="power-constrained",
        ),
        "fc": MethodName(text="Feldman-Cousins", table="Feldman–Cousins", figure="Feldman–Cousins"),
        "bayes": MethodName(text="Bayesian", table="Bayesian", figure="Bayesian"),
    }
)


def method_name(key: str) -> MethodName:
    """Names of a method; of one that is not known, as in somebody's record, the key itself."""
    return METHODS.get(key) or MethodName(text=key, table=key, figure=key.replace("$", r"\$"))
