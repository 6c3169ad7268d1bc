"""A HistFactory workspace as an HS3 document.

The standard leaves the meaning of three things to the program: what ``vals`` of a ``shapesys`` are
(squares in its text, relative errors in ROOT, events in pyhs3), what constrains a ``staterror``,
and what ``normsys`` and ``histosys`` are constrained to if not to zero. So factors of single bins
are written as ``shapefactor`` with one auxiliary distribution for each constrained bin, which says
one thing to every reader. See ``docs/decisions/0029-histfactory-as-hs3.md``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from darkstats.errors import OptionError
from darkstats.model.compilation import compile_workspace
from darkstats.model.histfactory import HistFactoryModel
from darkstats.model.parameters import Parameter
from darkstats.provenance import package_version
from darkstats.workspace import Workspace
from darkstats.workspace.hs3.building import Item
from darkstats.workspace.hs3.document import HS3_VERSION

__all__ = ["hs3_document"]

_ODD = re.compile(r"[^A-Za-z0-9_]")


class _Names:
    """Names that every reader can hold, each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def give(self, wanted: str) -> str:
        """A name of letters, digits and underscores that nothing else has."""
        plain = _ODD.sub("_", wanted) or "_"
        plain = plain if not plain[0].isdigit() else f"_{plain}"
        name, k = plain, 2
        while name in self._given or f"{name}_observed" in self._given:
            name, k = f"{plain}_{k}", k + 1
        self._given.add(name)
        return name


@dataclass(slots=True)
class _Document:
    """What all measurements share while a document is put together."""

    workspace: Workspace
    edges: Mapping[str, Sequence[float]]
    models: list[HistFactoryModel]
    names: _Names = field(default_factory=_Names)
    parameters: dict[str, str] = field(default_factory=dict)  # ours -> in the document
    modifiers: dict[str, str] = field(default_factory=dict)
    samples: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    axes: dict[str, Item] = field(default_factory=dict)
    distributions: list[Item] = field(default_factory=list)
    functions: list[Item] = field(default_factory=list)
    data: list[Item] = field(default_factory=list)
    made: dict[tuple[object, ...], Any] = field(default_factory=dict)

    def name_all(self) -> None:
        document = self.workspace.document
        for parameter in self.models[0].parameters:
            if parameter.name == parameter.set_name:
                self.modifiers[parameter.set_name] = self.names.give(parameter.name)
                self.parameters[parameter.name] = self.modifiers[parameter.set_name]
        for parameter in self.models[0].parameters:
            if parameter.name != parameter.set_name:
                member = parameter.name.rpartition("[")[2].rstrip("]")
                self.parameters[parameter.name] = self.names.give(f"{parameter.set_name}_{member}")
        for parameter in self.models[0].parameters:
            if parameter.set_name not in self.modifiers:
                self.modifiers[parameter.set_name] = self.names.give(parameter.set_name)
        for channel in document["channels"]:
            self.channels[channel["name"]] = self.names.give(channel["name"])
        for channel in document["channels"]:
            axis = self.names.give(f"x_{channel['name']}")
            self.axes[channel["name"]] = self.axis(channel, axis)
        for name in self.models[0].samples:
            self.samples[name] = self.names.give(f"{name}")

    def axis(self, channel: Item, name: str) -> Item:
        bins = len(channel["samples"][0]["data"])
        edges = self.edges.get(channel["name"])
        if edges is None:
            return {"name": name, "min": 0.0, "max": float(bins), "nbins": bins}
        if len(edges) != bins + 1:
            raise OptionError(
                f"channel {channel['name']!r} has {bins} bins, and {len(edges)} edges are given"
            )
        return {"name": name, "edges": [float(edge) for edge in edges]}

    def members(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """Parameters of bins, by modifier and channel; those of a staterror differ by channel."""
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        sizes: dict[str, int] = {}
        channels = self.workspace.document["channels"]
        for channel in sorted(channels, key=lambda one: str(one["name"])):  # pyhf's order
            bins = len(channel["samples"][0]["data"])
            for sample in channel["samples"]:
                for modifier in sample["modifiers"]:
                    name, kind = modifier["name"], modifier["type"]
                    if kind not in ("staterror", "shapesys", "shapefactor"):
                        continue
                    if (name, channel["name"]) in found:
                        continue
                    first = sizes.get(name, 0) if kind == "staterror" else 0
                    sizes[name] = first + bins
                    found[name, channel["name"]] = tuple(
                        self.parameters[f"{name}[{first + i}]"] for i in range(bins)
                    )
        return found

    def channel(
        self,
        channel: Item,
        members: Mapping[tuple[str, str], tuple[str, ...]],
        pulls: Mapping[str, str],
    ) -> str:
        """The distribution of a channel, made once for the same constraints of its modifiers."""
        used = {m["name"] for s in channel["samples"] for m in s["modifiers"]}
        own = {name: one for name, one in pulls.items() if name in used}
        key = ("channel", channel["name"], *sorted(own.items()))
        if key in self.made:
            return str(self.made[key])
        name = self.channels[channel["name"]]
        if any(item["name"] == name for item in self.distributions):
            name = self.names.give(name)
        self.distributions.append(
            {
                "name": name,
                "type": "histfactory_dist",
                "axes": [self.axes[channel["name"]]],
                "samples": [
                    self.sample(sample, channel["name"], members, own)
                    for sample in channel["samples"]
                ],
            }
        )
        self.made[key] = name
        return name

    def sample(
        self,
        sample: Item,
        channel: str,
        members: Mapping[tuple[str, str], tuple[str, ...]],
        pulls: Mapping[str, str],
    ) -> Item:
        data: Item = {"contents": _floats(sample["data"])}
        modifiers = []
        for modifier in sample["modifiers"]:
            name, kind = modifier["name"], modifier["type"]
            item: Item = {"name": self.modifiers[name]}
            if kind in ("staterror", "shapesys", "shapefactor"):
                # "data" is empty because ROOT looks into it
                item |= {"type": "shapefactor", "parameters": list(members[name, channel])}
                item["data"] = {}
                if kind == "staterror":
                    data.setdefault("errors", _floats(modifier["data"]))
            elif kind in ("normfactor", "lumi"):
                item |= {"type": "normfactor", "parameter": self.parameters[name]}
            else:
                item |= {"type": kind, "parameter": self.parameters[name]}
                item["constraint"] = pulls.get(name, "Gauss")
                found = modifier["data"]
                item["data"] = (
                    {"hi": float(found["hi"]), "lo": float(found["lo"])}
                    if kind == "normsys"
                    else {
                        "hi": {"contents": _floats(found["hi_data"])},
                        "lo": {"contents": _floats(found["lo_data"])},
                    }
                )
            modifiers.append(item)
        return {"name": self.samples[sample["name"]], "data": data, "modifiers": modifiers}

    def constraint(self, parameter: Parameter) -> str:
        """Name of the auxiliary distribution of a parameter, made once for the same numbers."""
        key = ("constraint", parameter.name, parameter.auxdata, parameter.width)
        if key in self.made:
            return str(self.made[key])
        own = self.parameters[parameter.name]
        name = self.names.give(f"{own}_constraint")
        item: Item = {"name": name, "type": "gaussian_dist", "x": parameter.auxdata}
        if parameter.constraint == "gaussian":
            item |= {"mean": own, "sigma": parameter.width}
        else:
            mean = self.names.give(f"{own}_expected")
            factors = [own, parameter.width]
            self.functions.append({"name": mean, "type": "product", "factors": factors})
            # "integer" keeps ROOT from rounding auxiliary data
            item |= {"type": "poisson_dist", "mean": mean, "integer": False}
        self.distributions.append(item)
        self.made[key] = name
        return name

    def pulls_of(self, model: HistFactoryModel) -> dict[str, str]:
        """Constraints of normsys and histosys that are not centred on zero, by modifier."""
        return {p.set_name: self.constraint(p) for p in model.parameters if _off_centre(p)}


def _off_centre(parameter: Parameter) -> bool:
    kinds = set(parameter.modifier_types)
    return kinds <= {"normsys", "histosys"} and parameter.auxdata != 0.0


def _implied(parameter: Parameter) -> bool:
    """Whether the modifier itself says the constraint."""
    return set(parameter.modifier_types) <= {"normsys", "histosys"}


def _floats(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values]


def _differing(names: Mapping[str, str]) -> dict[str, str]:
    """Names of the workspace by names of the document, where they are not the same."""
    return {new: old for old, new in names.items() if new != old}


def hs3_document(
    workspace: Workspace,
    *,
    edges: Mapping[str, Sequence[float]] | None = None,
    description: str | None = None,
) -> Item:
    """Return the HS3 document of a workspace: each measurement is an analysis.

    Parameters
    ----------
    workspace
        A workspace. Where its parameter of interest is absent, as in one that waits for its
        signal, the analysis has none.
    edges
        Bin edges by channel; bins of width 1 from 0 where there are none.
    description
        For the metadata.

    Returns
    -------
    dict
        HS3 0.2: distributions, functions, data, likelihoods, domains, parameter points, analyses;
        under ``misc.darkstats`` the names that had to be changed, the interpolation codes, and the
        digest of the workspace.

    Raises
    ------
    InputError
        A measurement makes no model, or edges do not fit.

    Notes
    -----
    HS3: https://github.com/hep-statistics-serialization-standard. ``normsys`` and ``histosys`` are
    interpolated by what readers take where nothing is said, codes 4 and 4p: version 0.2 of the
    standard has no word for the first.

    Examples
    --------
    >>> import darkstats
    >>> document = hs3_document(darkstats.read_workspace("workspaces/examples/two_bins.json"))
    >>> [item["name"] for item in document["analyses"]]
    ['limit']
    """
    waiting = {w.pointer for w in workspace.warnings if w.code in ("poi-unknown", "poi-no-effect")}
    models = [
        compile_workspace(
            workspace, name, poi="" if f"/measurements/{k}/config/poi" in waiting else None
        )
        for k, name in enumerate(workspace.measurement_names)
    ]
    made = _Document(workspace=workspace, edges=edges or {}, models=models)
    made.name_all()
    members = made.members()
    observed = {one["name"]: one["data"] for one in workspace.document["observations"]}
    likelihoods, domains, points, analyses = [], [], [], []
    channel_names: dict[str, str] = {}
    for channel in workspace.document["channels"]:
        name = made.channels[channel["name"]]
        made.data.append(
            {
                "name": f"observed_{name}",
                "type": "binned",
                "axes": [made.axes[channel["name"]]],
                "contents": _floats(observed[channel["name"]]),
            }
        )
    for k, model in enumerate(models):
        pulls = made.pulls_of(model)
        chosen = [made.channel(c, members, pulls) for c in workspace.document["channels"]]
        channel_names |= dict(zip(chosen, workspace.channel_names, strict=True))
        auxiliary = [
            made.constraint(p) for p in model.parameters if p.constrained and not _implied(p)
        ]
        likelihood: Item = {
            "name": model.measurement,
            "distributions": chosen,
            "data": [f"observed_{made.channels[name]}" for name in workspace.channel_names],
        }
        if auxiliary:
            likelihood["aux_distributions"] = auxiliary
        likelihoods.append(likelihood)
        suffix = "" if k == 0 else f"_{k + 1}"
        domains.append(
            {
                "name": f"default_domain{suffix}",
                "type": "product_domain",
                "axes": [
                    {"name": made.parameters[p.name], "min": p.lower, "max": p.upper}
                    for p in model.parameters
                ],
            }
        )
        points.append(
            {
                "name": f"default_values{suffix}",
                "parameters": [
                    {"name": made.parameters[p.name], "value": p.init}
                    | ({"const": True} if p.fixed else {})
                    for p in model.parameters
                ],
            }
        )
        analysis: Item = {
            "name": model.measurement,
            "likelihood": model.measurement,
            "domains": [f"default_domain{suffix}"],
            "init": f"default_values{suffix}",
        }
        if model.poi_name is not None:
            analysis["parameters_of_interest"] = [made.parameters[model.poi_name]]
        analyses.append(analysis)
    about = {
        "interpolation": {"normsys": "code4", "histosys": "code4p"},
        "workspace_sha256": workspace.digest,
        "modifiers": _differing(made.modifiers),
        "samples": _differing(made.samples),
        "channels": {new: old for new, old in channel_names.items() if new != old},
    }
    said = {} if description is None else {"description": description}
    return {
        "metadata": {
            "hs3_version": HS3_VERSION,
            **said,
            "packages": [{"name": "darkstats", "version": package_version("darkstats")}],
        },
        "distributions": made.distributions,
        "functions": made.functions,
        "data": made.data,
        "likelihoods": likelihoods,
        "domains": domains,
        "parameter_points": points,
        "analyses": analyses,
        "misc": {"darkstats": {"histfactory": about}},
    }
