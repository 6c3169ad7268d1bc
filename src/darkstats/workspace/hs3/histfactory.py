"""HistFactory channels of an HS3 document as a workspace.

What the two formats say alike is carried over; what a workspace cannot say, and what HS3 leaves to
the program, is refused with its place. See ``docs/decisions/0029-histfactory-as-hs3.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from darkstats.errors import DocumentError, UnknownNameError
from darkstats.workspace.hs3.constraints import GAUSSIAN
from darkstats.workspace.hs3.document import Hs3Document, objects_in
from darkstats.workspace.hs3.histfactory_analysis import (
    BINWISE,
    HISTFACTORY,
    AnalysisView,
    BinUse,
    analysis_view,
)
from darkstats.workspace.measurement_checks import DEFAULTS

__all__ = ["has_histfactory", "histfactory_workspace", "parameter_names"]

Item = dict[str, Any]
_SAME = 1e-12  # relative: what rounding leaves of a number that was written from another one


def has_histfactory(document: object) -> bool:
    """Whether a parsed HS3 document has a HistFactory channel."""
    return any(item.get("type") == HISTFACTORY for item in objects_in(document, "distributions"))


def histfactory_workspace(document: Hs3Document, analysis: str | None = None) -> Item:
    """Return the workspace of an analysis, and of all others with the same channels and data.

    Parameters
    ----------
    document
        A document of HistFactory channels.
    analysis
        Name of the analysis. It may be left out where all have the same channels and data.

    Returns
    -------
    dict
        A document in the schema of pyhf, a measurement for each analysis; not linted.

    Raises
    ------
    DocumentError
        A workspace cannot say it, or it has several meanings; names the place.
    UnknownNameError
        There is no such analysis.
    """
    if analysis is not None and analysis not in document.analysis_names:
        raise UnknownNameError("analysis", analysis, document.analysis_names)
    views = {name: analysis_view(document, name) for name in _chosen(document, analysis)}
    first = next(iter(views.values()))
    built = _Built.of(first, list(views.values()))
    measurements = [
        {
            "name": name,
            "config": {"poi": built.poi_of(view), "parameters": built.settings_of(view)},
        }
        for name, view in views.items()
    ]
    return {
        "channels": built.channels,
        "observations": [
            {"name": first.channel_name(k), "data": first.observed(k)}
            for k in range(len(first.channels))
        ]
        + built.auxiliary_observations,
        "measurements": measurements,
        "version": "1.0.0",
    }


def parameter_names(document: Hs3Document, analysis: str) -> dict[str, str]:
    """Names in the document of the parameters of :func:`histfactory_workspace`, by theirs.

    Raises
    ------
    DocumentError
        As there.
    """
    view = analysis_view(document, analysis)
    found = {}
    for one in _Built.of(view, [view]).sets.values():
        for member, name in enumerate(one.parameters):
            binwise = one.kind in BINWISE
            found[f"{one.name}[{member}]" if binwise else one.name] = name
    return found


def _chosen(document: Hs3Document, analysis: str | None) -> list[str]:
    """Names of the analyses that make one workspace."""
    pairs = {}
    for name in document.analysis_names:
        likelihood = document.item("likelihoods", document.item("analyses", name)["likelihood"])
        pairs[name] = (tuple(likelihood["distributions"]), tuple(likelihood["data"]))
    if analysis is None and len(set(pairs.values())) > 1:
        raise DocumentError(
            f"its {len(pairs)} analyses have different channels or data", source=document.source,
            pointer="/analyses",
            remedy=f"choose one with --measurement: {', '.join(pairs)}",
        )  # fmt: skip
    wanted = pairs[analysis if analysis is not None else document.analysis_names[0]]
    return [name for name, one in pairs.items() if one == wanted]


@dataclass(slots=True)
class _Set:
    """Parameters of a workspace that share a name; one member, or one a bin and channel.

    Parameters
    ----------
    name, kind
        Name and type of its modifiers in the workspace.
    parameters
        Names in the document, in the order of the workspace.
    held
        Members that the workspace holds by default, for nothing is in their bin.
    auxdata, widths
        What the workspace takes by default for each member; empty without constraint.
    """

    name: str
    kind: str
    parameters: tuple[str, ...]
    held: tuple[bool, ...]
    auxdata: tuple[float, ...] = ()
    widths: tuple[float, ...] = ()


@dataclass(slots=True)
class _Built:
    """The channels of a workspace, and what became of the parameters."""

    view: AnalysisView
    views: Sequence[AnalysisView]
    channels: list[Item] = field(default_factory=list)
    auxiliary_observations: list[Item] = field(default_factory=list)
    sets: dict[str, _Set] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # scalar in the document -> name
    kinds: dict[tuple[str, ...], str] = field(default_factory=dict)  # bins' parameters -> type
    set_names: dict[tuple[str, ...], str] = field(default_factory=dict)
    luminosity: str | None = None

    @classmethod
    def of(cls, view: AnalysisView, views: Sequence[AnalysisView]) -> _Built:
        built = cls(view, views)
        built.name_scalars()
        built.decide()
        built.name_bins()
        built.channels = [built.channel(k) for k in range(len(view.channels))]
        built.collect()
        built.add_auxiliary()
        return built

    def fault(self, problem: str, remedy: str) -> DocumentError:
        return DocumentError(problem, source=self.view.document.source, remedy=remedy)

    # --- names ------------------------------------------------------------------------------

    def name_scalars(self) -> None:
        constrained = [
            name
            for name, kinds in self.view.scalars.items()
            if "normfactor" in kinds and name in self.view.constraints
        ]
        free = [name for name in constrained if name not in self.view.constants]
        if len(free) > 1:
            raise self.fault(
                f"{len(free)} scale factors are constrained ({', '.join(free[:3])}); a workspace "
                "has one, the luminosity",
                "write them as normsys, or use a program that reads HS3 as it is, such as ROOT",
            )
        self.luminosity = next(iter([*free, *constrained]), None)
        for name, kinds in self.view.scalars.items():
            if "normfactor" in kinds and len(kinds) > 1:
                raise self.fault(
                    f"the parameter {name!r} is a scale factor and a systematic at once",
                    "give each a parameter of its own",
                )
            if name == self.luminosity:
                self.names[name] = "lumi"
                continue
            held = self.view.constraints.get(name)
            if kinds != ("normfactor",) and (
                held is None or (held.kind, held.width) != (GAUSSIAN, 1.0)
            ):
                raise self.fault(
                    f"the constraint of {name!r} is no Gaussian of width 1",
                    "a workspace has no other for normsys and histosys",
                )
            self.names[name] = self.view.own_name("modifiers", name)

    def decide(self) -> None:
        """What the parameters of bins are in a workspace, by what constrains them."""
        view = self.view
        uses: dict[tuple[str, ...], list[BinUse]] = {}
        for use in view.uses:
            uses.setdefault(use.parameters, []).append(use)
        for names, users in uses.items():
            found = {view.constraints[name].kind for name in names if name in view.constraints}
            without = [n for n in names if n not in view.constraints and n not in view.constants]
            if len(found) > 1 or (found and without):
                raise self.fault(
                    f"the bins' parameters {names[0]}, ... are constrained in different ways"
                    + (f", {without[0]} not at all" if without else ""),
                    "a workspace has one kind of constraint for all bins of a modifier",
                )
            if not found:
                self.kinds[names] = "shapefactor"
            elif found == {GAUSSIAN}:
                self.kinds[names] = "staterror"
                if len({use.channel for use in users}) > 1:
                    raise self.fault(
                        f"the bins' parameters {names[0]}, ... are shared by channels, and have a "
                        "Gaussian constraint", "a workspace shares free parameters only",
                    )  # fmt: skip
            elif len(users) == 1:
                self.kinds[names] = "shapesys"
            else:
                # Free parameters and the auxiliary counts as channel: the same likelihood.
                self.kinds[names] = "auxiliary"
                if any(name in view.constants for name in names):
                    held = next(name for name in names if name in view.constants)
                    raise self.fault(
                        f"{held} is held, the parameters of the other bins are not, and samples "
                        "share them with a Poisson constraint",
                        "a workspace holds all parameters of such a modifier, or none",
                    )

    def name_bins(self) -> None:
        """Names of bins' parameters: of the modifier where that is one set's, else by channel."""
        wanted: dict[str, list[tuple[str, ...]]] = {}
        channels: dict[tuple[str, ...], str] = {}
        for use in self.view.uses:
            channels.setdefault(use.parameters, self.view.channel_name(use.channel))
            found = wanted.setdefault(self.view.own_name("modifiers", use.name), [])
            if use.parameters not in found and use.parameters not in self.set_names:
                found.append(use.parameters)
                self.set_names[use.parameters] = self.view.own_name("modifiers", use.name)
        taken = set(self.names.values())
        for name, found in wanted.items():
            joint = (
                bool(self.view.about)
                and {self.kinds[one] for one in found} == {"staterror"}
                and len({channels[one] for one in found}) == len(found)
            )
            if (len(found) == 1 or joint) and name not in taken:
                taken.add(name)
                continue
            for one in found:
                made = f"{name}_{channels[one]}"
                while made in taken:
                    made += "_"
                taken.add(made)
                self.set_names[one] = made

    # --- channels ---------------------------------------------------------------------------

    def channel(self, k: int) -> Item:
        _, item = self.view.channels[k]
        errors = self.errors(k)
        uses = {(use.sample, use.modifier): use for use in self.view.uses if use.channel == k}
        samples = []
        for s, sample in enumerate(item["samples"]):
            data = [float(n) for n in sample["data"]["contents"]]
            modifiers = []
            for m, modifier in enumerate(sample.get("modifiers", [])):
                use = uses.get((s, m))
                if use is None:
                    modifiers.append(self.scalar(modifier))
                else:
                    modifiers.append(self.binwise(use, data, errors))
            samples.append(
                {
                    "name": self.view.own_name("samples", sample["name"]),
                    "data": data,
                    "modifiers": modifiers,
                }
            )
        return {"name": self.view.channel_name(k), "samples": samples}

    def scalar(self, modifier: Item) -> Item:
        name = self.names[modifier["parameter"]]
        kind, data = modifier["type"], modifier.get("data") or {}
        if kind == "normfactor":
            luminosity = modifier["parameter"] == self.luminosity
            return {"name": name, "type": "lumi" if luminosity else kind, "data": None}
        if kind == "normsys":
            found: Item = {"hi": float(data["hi"]), "lo": float(data["lo"])}
        else:
            found = {
                f"{end}_data": [float(n) for n in data[end]["contents"]] for end in ("hi", "lo")
            }
        return {"name": name, "type": kind, "data": found}

    def binwise(
        self, use: BinUse, data: Sequence[float], errors: Mapping[tuple[str, ...], Any]
    ) -> Item:
        kind, name = self.kinds[use.parameters], self.set_names[use.parameters]
        if kind == "staterror":
            return {"name": name, "type": kind, "data": errors[use.parameters][use.sample]}
        if kind == "shapesys":
            widths = []
            for parameter, n in zip(use.parameters, data, strict=True):
                held = self.view.constraints.get(parameter)
                without = held is None or not n > 0.0 or self.held_alone(use.parameters, parameter)
                widths.append(0.0 if without or held is None else n / math.sqrt(held.width))
            return {"name": name, "type": kind, "data": widths}
        return {"name": name, "type": "shapefactor", "data": None}

    def held_alone(self, names: tuple[str, ...], one: str) -> bool:
        """Whether a member is held in an analysis where others are not: it has no error then."""
        return any(
            one in view.constants and not all(name in view.constants for name in names)
            for view in self.views
        )

    def errors(self, k: int) -> dict[tuple[str, ...], dict[int, list[float]]]:
        """Errors of the yields for each staterror of a channel, by sample.

        Those of the samples where their sum in quadrature is what the constraint says; else the
        first sample takes all of it, which is the same likelihood.
        """
        _, item = self.view.channels[k]
        users: dict[tuple[str, ...], list[int]] = {}
        for use in self.view.uses:
            if use.channel == k and self.kinds[use.parameters] == "staterror":
                found = users.setdefault(use.parameters, [])
                if use.sample not in found:
                    found.append(use.sample)
        result: dict[tuple[str, ...], dict[int, list[float]]] = {}
        for names, samples in users.items():
            data = {s: item["samples"][s]["data"] for s in samples}
            own = {s: [float(e) for e in d.get("errors") or [0.0] * len(names)]
                   for s, d in data.items()}  # fmt: skip
            for i, name in enumerate(names):
                total = sum(float(d["contents"][i]) for d in data.values())
                held = self.view.constraints.get(name)
                if held is None or not total > 0.0 or self.held_alone(names, name):
                    for s in samples:
                        own[s][i] = 0.0
                    continue
                wanted = held.width * total
                error = math.hypot(*(own[s][i] for s in samples))
                if abs(error - wanted) > 1e-6 * wanted:
                    for s in samples:
                        own[s][i] = wanted if s == samples[0] else 0.0
            result[names] = own
        return result

    # --- sets and their defaults ------------------------------------------------------------

    def collect(self) -> None:
        """Parameter sets of the workspace, with what it takes by default."""
        for name, own in self.names.items():
            kinds = self.view.scalars[name]
            kind = "lumi" if name == self.luminosity else kinds[0]
            sets = _Set(own, kind, (name,), (False,))
            if kind in ("normsys", "histosys"):
                sets.auxdata, sets.widths = (0.0,), (1.0,)
            if own in self.sets:
                raise self.fault(f"two parameters are called {own!r}", "rename one of them")
            self.sets[own] = sets
        parts: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        for use in self.view.uses:
            own = self.set_names[use.parameters]
            part = (self.view.channel_name(use.channel), use.parameters)
            known = parts.setdefault(own, [])
            if all(names != use.parameters for _, names in known):
                known.append(part)
        for own, found in parts.items():
            kind = self.kinds[found[0][1]]
            members: list[str] = []
            held: list[bool] = []
            auxdata: list[float] = []
            widths: list[float] = []
            for channel, names in sorted(found):  # pyhf numbers members in this order
                members += names
                if kind in ("staterror", "shapesys"):
                    for aux, width, fixed in self.defaults(channel, own, kind):
                        auxdata.append(aux)
                        widths.append(width)
                        held.append(fixed)
                else:
                    held += [False] * len(names)
            shown = "shapefactor" if kind == "auxiliary" else kind
            self.sets[own] = _Set(
                own, shown, tuple(members), tuple(held), tuple(auxdata), tuple(widths)
            )

    def defaults(self, channel: str, name: str, kind: str) -> list[tuple[float, float, bool]]:
        """Auxiliary datum and width that a workspace takes, and whether it holds the member."""
        samples = next(one for one in self.channels if one["name"] == channel)["samples"]
        pairs = [
            (sample["data"], modifier["data"])
            for sample in samples
            for modifier in sample["modifiers"]
            if modifier["name"] == name
        ]
        found = []
        for i in range(len(pairs[0][0])):
            total = sum(data[i] for data, _ in pairs)
            error = math.hypot(*(errors[i] for _, errors in pairs))
            if not (total > 0.0 and error > 0.0):
                found.append((1.0, 1.0, True))
            elif kind == "staterror":
                found.append((1.0, error / total, False))
            else:
                found.append(((total / error) ** 2, (total / error) ** 2, False))
        return found

    def add_auxiliary(self) -> None:
        """Channels of the auxiliary counts of parameters that samples share."""
        for names, kind in self.kinds.items():
            if kind != "auxiliary":
                continue
            held = [self.view.constraints[name] for name in names]
            own = self.set_names[names]
            channel = f"auxiliary_{own}"
            while any(one["name"] == channel for one in self.channels):
                channel += "_"
            modifier = {"name": own, "type": "shapefactor", "data": None}
            sample = {"name": "auxiliary", "data": [one.width for one in held]}
            self.channels.append(
                {"name": channel, "samples": [{**sample, "modifiers": [modifier]}]}
            )
            self.auxiliary_observations.append(
                {"name": channel, "data": [one.auxdata for one in held]}
            )

    # --- measurements -----------------------------------------------------------------------

    def poi_of(self, view: AnalysisView) -> str:
        """Name of the parameter of interest in the workspace; empty where there is none."""
        if view.poi is None:
            return ""
        for found in self.sets.values():
            if view.poi in found.parameters:
                member = found.parameters.index(view.poi)
                return f"{found.name}[{member}]" if found.kind in BINWISE else found.name
        raise self.fault(
            f"nothing depends on the parameter of interest {view.poi!r}",
            "name another one in parameters_of_interest",
        )

    def settings_of(self, view: AnalysisView) -> list[Item]:
        """What a measurement says of parameters beyond the defaults."""
        self.require_same_kinds(view)
        found = []
        for one in self.sets.values():
            settings = self.settings(view, one)
            if settings:
                found.append({"name": one.name, **settings})
        return found

    def require_same_kinds(self, view: AnalysisView) -> None:
        """Refuse analyses of one likelihood that are constrained in different ways."""
        for name, held in self.view.constraints.items():
            other = view.constraints.get(name)
            same = other is not None and other.kind == held.kind
            if same and self.auxiliary(name):
                same = other == held
            if not same and not (name in view.constants and name in self.view.constants):
                raise self.fault(
                    f"the analyses {self.view.analysis!r} and {view.analysis!r} constrain {name} "
                    "in different ways", "keep one of them in the document",
                )  # fmt: skip
        extra = sorted(set(view.constraints) - set(self.view.constraints))
        if extra:
            raise self.fault(
                f"the analysis {view.analysis!r} constrains {extra[0]}, and "
                f"{self.view.analysis!r} does not", "keep one of them in the document",
            )  # fmt: skip

    def auxiliary(self, name: str) -> bool:
        return any(kind == "auxiliary" and name in names for names, kind in self.kinds.items())

    def settings(self, view: AnalysisView, one: _Set) -> Item:
        found: Item = {}
        kind, always = one.kind, one.kind == "lumi"
        inits = [view.value_of(name, kind) for name in one.parameters]
        if always or any(value != DEFAULTS[kind][0] for value in inits):
            found["inits"] = inits
        bounds = [view.range_of(name, kind) for name in one.parameters]
        if always or any(pair != list(DEFAULTS[kind][1]) for pair in bounds):
            found["bounds"] = bounds
        if always or one.auxdata:
            self.constraint_settings(view, one, found)
        fixed = tuple(name in view.constants for name in one.parameters)
        if fixed != one.held:
            if len(set(fixed)) > 1:
                held = one.parameters[fixed.index(True)]
                raise self.fault(
                    f"{held} is held in analysis {view.analysis!r}, and parameters of other bins "
                    f"of {one.name!r} are not",
                    "a workspace holds all parameters of a modifier, or none",
                )
            found["fixed"] = fixed[0]
        return found

    def constraint_settings(self, view: AnalysisView, one: _Set, found: Item) -> None:
        """Auxiliary data and widths that are not the defaults."""
        held = [view.constraints.get(name) for name in one.parameters]
        usual_aux = one.auxdata or (math.nan,)
        usual_width = one.widths or (math.nan,)
        auxdata = [c.auxdata if c else a for c, a in zip(held, usual_aux, strict=True)]
        widths = [c.width if c else w for c, w in zip(held, usual_width, strict=True)]
        if not _same(widths, usual_width):
            found["factors" if one.kind == "shapesys" else "sigmas"] = widths
        if not _same(auxdata, usual_aux):
            found["auxdata"] = auxdata


def _same(some: Sequence[float], others: Sequence[float]) -> bool:
    return all(abs(a - b) <= _SAME * abs(b) for a, b in zip(some, others, strict=True))
