"""Constraint terms of an HS3 document: auxiliary distributions, by the parameter they hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from darkstats.errors import DocumentError
from darkstats.workspace.hs3.checks import is_number

__all__ = ["Constraint", "Constraints"]

Item = dict[str, Any]
GAUSSIAN = "gaussian"
POISSON = "poisson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What holds a parameter.

    Parameters
    ----------
    kind
        ``"gaussian"``: N(auxdata | parameter, width); ``"poisson"``: Pois(auxdata | width times
        parameter).
    auxdata, width
        Auxiliary datum; standard deviation or tau.
    """

    kind: str
    auxdata: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """Takes auxiliary distributions apart.

    Parameters
    ----------
    distributions, functions
        Items by name, with their place in the document.
    values
        Values of constant parameters.
    parameters
        Parameters that the channels depend on.
    source
        For messages.
    """

    distributions: Mapping[str, tuple[int, Item]]
    functions: Mapping[str, tuple[int, Item]]
    values: Mapping[str, float]
    parameters: Collection[str]
    source: str

    def of(self, name: str) -> tuple[str, Constraint] | None:
        """The parameter that a distribution holds, and how; None where it holds none.

        Raises
        ------
        DocumentError
            There is no such distribution, or it is none that HistFactory has.
        """
        if name not in self.distributions:
            raise DocumentError(
                f"{name!r} is named as a constraint, but there is none in distributions",
                source=self.source, remedy="add it, or take the document from its source again",
            )  # fmt: skip
        place, item = self.distributions[name]
        pointer = f"/distributions/{place}"
        kind = item["type"]
        if kind not in ("gaussian_dist", "poisson_dist"):
            raise DocumentError(
                f"the constraint {name!r} is a {kind}; a HistFactory workspace has Gaussian and "
                "Poisson constraints only",
                source=self.source, pointer=f"{pointer}/type",
                remedy="use a program that reads HS3 as it is, such as ROOT",
            )  # fmt: skip
        for key in ("x", "mean") + (("sigma",) if kind == "gaussian_dist" else ()):
            if not is_number(item.get(key)) and not isinstance(item.get(key), str):
                raise DocumentError(
                    f"the constraint {name!r} has no {key}", source=self.source,
                    pointer=pointer, remedy="write a number, or the name of a parameter",
                )  # fmt: skip
        held = [one for key in ("x", "mean") for one in self._parameters(item[key])]
        if not held:
            return None
        if len(held) > 1:
            raise DocumentError(
                f"the constraint {name!r} ties {' and '.join(held)} together, which a HistFactory "
                "workspace cannot say",
                source=self.source, pointer=pointer,
                remedy="use a program that reads HS3 as it is, such as ROOT",
            )  # fmt: skip
        if kind == "gaussian_dist":
            return held[0], self._gaussian(item, held[0], pointer)
        return held[0], self._poisson(item, held[0], pointer)

    def _parameters(self, value: object) -> list[str]:
        """Parameters of the channels within an argument."""
        if not isinstance(value, str):
            return []
        if value in self.parameters:
            return [value]
        if value in self.functions:
            item = self.functions[value][1]
            factors = item.get("factors")
            if item["type"] == "product" and isinstance(factors, list):
                return [one for part in factors for one in self._parameters(part)]
            words = str(item.get("expression", "")).replace("*", " ").split()
            return [word for word in words if word in self.parameters]
        return []

    def _gaussian(self, item: Item, parameter: str, pointer: str) -> Constraint:
        datum, key = (item["x"], "x") if item["mean"] == parameter else (item["mean"], "mean")
        if parameter not in (item["x"], item["mean"]):
            raise DocumentError(
                f"the constraint {item['name']!r} holds a function of {parameter}",
                source=self.source, pointer=pointer,
                remedy="a HistFactory workspace holds the parameter itself",
            )  # fmt: skip
        sigma = self._constant(item["sigma"], f"{pointer}/sigma")
        if not sigma > 0.0:
            raise DocumentError(
                f"the width of the constraint {item['name']!r} is {sigma:g}", source=self.source,
                pointer=f"{pointer}/sigma", remedy="write a positive number",
            )  # fmt: skip
        auxdata = self._constant(datum, f"{pointer}/{key}")
        return Constraint(kind=GAUSSIAN, auxdata=auxdata, width=sigma)

    def _poisson(self, item: Item, parameter: str, pointer: str) -> Constraint:
        auxdata = self._constant(item["x"], f"{pointer}/x")
        tau, mean = 1.0, item["mean"]
        if mean != parameter:
            place, function = self.functions[mean]
            where = f"/functions/{place}"
            if function["type"] != "product":
                raise DocumentError(
                    f"the mean of the constraint {item['name']!r} is a {function['type']}",
                    source=self.source, pointer=where,
                    remedy=f"write it as a product of {parameter} and a number",
                )  # fmt: skip
            for k, factor in enumerate(function["factors"]):
                if factor != parameter:
                    tau *= self._constant(factor, f"{where}/factors/{k}")
        if not tau > 0.0 or auxdata < 0.0:
            raise DocumentError(
                f"the constraint {item['name']!r} expects {tau:g} auxiliary events and has "
                f"{auxdata:g}", source=self.source, pointer=pointer,
                remedy="write positive numbers",
            )  # fmt: skip
        return Constraint(kind=POISSON, auxdata=auxdata, width=tau)

    def _constant(self, value: object, pointer: str) -> float:
        if is_number(value):
            return float(value)
        if isinstance(value, str) and value in self.values:
            return self.values[value]
        raise DocumentError(
            f"{value!r} is no constant of this analysis", source=self.source, pointer=pointer,
            remedy='write the number, or give the parameter a value and "const": true',
        )  # fmt: skip
