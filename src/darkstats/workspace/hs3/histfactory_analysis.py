"""One analysis of HistFactory channels in an HS3 document, with its references followed.

Everything that a workspace relies on later is checked here. Where the text of the standard and the
programs differ, or where programs do, the document has to say what it means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from darkstats.errors import DocumentError
from darkstats.workspace.hs3.checks import is_number
from darkstats.workspace.hs3.constraints import GAUSSIAN, POISSON, Constraint, Constraints
from darkstats.workspace.hs3.document import Hs3Document
from darkstats.workspace.measurement_checks import DEFAULTS

__all__ = ["BINWISE", "HISTFACTORY", "AnalysisView", "BinUse", "analysis_view"]

#: Type of a channel's distribution.
HISTFACTORY = "histfactory_dist"
#: Types of modifiers with one parameter for each bin.
BINWISE = ("shapefactor", "shapesys", "staterror")
Item = dict[str, Any]
_Add = Callable[[str, Constraint, str, str], None]
_AddNamed = Callable[[object, str], None]
_SCALARS = ("normfactor", "normsys", "histosys")
#: What readers know the codes of normsys and histosys by; 4 and 4p are those of darkstats.
_CODES: Mapping[str, tuple[object, ...]] = {
    "normsys": (4, "code4", {"type": "mult", "in": "poly6", "out": "exp"}),
    "histosys": (4, "code4p", "poly6", {"type": "add", "in": "poly6", "out": "poly1"}),
}
_LEAST_ERROR = 1e-20  # relative: its inverse square is a number that a workspace can have
#: Programs in whose documents the variations of a histosys are yields.
_YIELDS = frozenset({"root", "darkstats", "pyhs3"})


@dataclass(frozen=True, slots=True)
class BinUse:
    """A modifier of single bins in a sample: its parameters, and what errors it brings."""

    channel: int
    sample: int
    modifier: int
    kind: str
    name: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """One analysis with its references followed, everything about parameters looked up."""

    document: Hs3Document
    analysis: str
    channels: tuple[tuple[int, Item], ...]  # place in distributions, item
    data: tuple[Item, ...]
    about: Mapping[str, Any]
    values: Mapping[str, float]
    constants: frozenset[str]
    ranges: Mapping[str, tuple[float | None, float | None]]
    scalars: Mapping[str, tuple[str, ...]]  # parameter -> types of its modifiers
    uses: tuple[BinUse, ...]
    constraints: Mapping[str, Constraint]
    poi: str | None

    def own_name(self, section: str, name: str) -> str:
        """What a name was before it was written, where the document says so."""
        names = self.about.get(section)
        return str(names.get(name, name)) if isinstance(names, dict) else name

    def channel_name(self, k: int) -> str:
        """Name of a channel in the workspace."""
        return self.own_name("channels", str(self.channels[k][1]["name"]))

    def observed(self, k: int) -> list[float]:
        """Observed counts of a channel."""
        return [float(value) for value in self.data[k]["contents"]]

    def value_of(self, parameter: str, kind: str) -> float:
        """Start of a parameter; the usual one where the document says nothing."""
        return self.values.get(parameter, 1.0 if kind == "lumi" else DEFAULTS[kind][0])

    def range_of(self, parameter: str, kind: str) -> list[float]:
        """Range of a parameter; an end that the document leaves open is the usual one."""
        usual = (0.0, 10.0) if kind == "lumi" else DEFAULTS[kind][1]
        low, high = self.ranges.get(parameter, (None, None))
        value = self.value_of(parameter, kind)
        return [
            min(usual[0], value) if low is None else low,
            max(usual[1], value) if high is None else high,
        ]


def analysis_view(document: Hs3Document, analysis: str) -> AnalysisView:
    """Follow the references of an analysis.

    Raises
    ------
    DocumentError
        Something is missing or has several meanings; names the place.
    """
    return _Reader(document, analysis).view()


class _Reader:
    """Follows the references of one analysis, and checks what is found."""

    def __init__(self, document: Hs3Document, analysis: str) -> None:
        self.document, self.analysis, self.source = document, analysis, document.source
        sections = ("distributions", "functions")
        self.items = {
            section: {
                item["name"]: (k, item) for k, item in enumerate(self.document.document[section])
            }
            if section in self.document.document
            else {}
            for section in sections
        }
        packages = self.document.document["metadata"].get("packages") or []
        self.packages = {str(one.get("name")).lower() for one in packages if isinstance(one, dict)}
        about = self.document.search.get("histfactory")
        self.about: Mapping[str, Any] = about if isinstance(about, dict) else {}

    def fault(self, problem: str, pointer: str, remedy: str) -> DocumentError:
        return DocumentError(problem, source=self.source, pointer=pointer, remedy=remedy)

    def view(self) -> AnalysisView:
        entry = self.document.item("analyses", self.analysis)
        likelihood = self.document.item("likelihoods", entry["likelihood"])
        channels, data = [], []
        for name, observed in zip(likelihood["distributions"], likelihood["data"], strict=True):
            if name not in self.items["distributions"]:
                self.document.item("distributions", name)  # says that there is none
            place, item = self.items["distributions"][name]
            if item["type"] != HISTFACTORY:
                raise self.fault(
                    f"{name!r} is a {item['type']} beside HistFactory channels",
                    f"/distributions/{place}/type",
                    "split the document: a workspace holds HistFactory channels only",
                )
            channels.append((place, self.channel(item, f"/distributions/{place}")))
            data.append(self.counts(observed, item))
        self.parameters(entry)
        self.modifiers(channels)
        constraints = self.constrained(channels, likelihood)
        pois = entry.get("parameters_of_interest") or []
        if len(pois) > 1:
            raise self.fault(
                f"analysis {self.analysis!r} has {len(pois)} parameters of interest",
                "/analyses", "name one: a limit is set on one parameter",
            )  # fmt: skip
        return AnalysisView(
            document=self.document, analysis=self.analysis, channels=tuple(channels),
            data=tuple(data), about=self.about, values=self.values,
            constants=frozenset(self.constants), ranges=self.ranges,
            scalars={name: tuple(kinds) for name, kinds in self.scalars.items()},
            uses=tuple(self.uses), constraints=constraints, poi=pois[0] if pois else None,
        )  # fmt: skip

    # --- channels and data ------------------------------------------------------------------

    def channel(self, item: Item, pointer: str) -> Item:
        """Check a channel as far as the workspace relies on it."""
        samples = item.get("samples")
        if not isinstance(samples, list) or not samples:
            raise self.fault(
                f"channel {item['name']!r} has no samples", pointer, "list its samples"
            )
        bins = 0
        for k, sample in enumerate(samples):
            place = f"{pointer}/samples/{k}"
            if not isinstance(sample, dict) or not isinstance(sample.get("name"), str):
                raise self.fault("the sample has no name", place, "name it")
            if not isinstance(sample.get("data"), dict):
                raise self.fault(
                    "the sample has no data", place, 'give "data": {"contents": [...]}'
                )
            contents = self.numbers(sample["data"].get("contents"), f"{place}/data/contents")
            bins = bins or len(contents)
            errors = sample["data"].get("errors")
            if len(contents) != bins or (
                errors is not None and len(self.numbers(errors, f"{place}/data/errors")) != bins
            ):
                raise self.fault(
                    f"sample {sample['name']!r} has another number of bins than the first, {bins}",
                    f"{place}/data", "all samples of a channel share its bins",
                )  # fmt: skip
            modifiers = sample.get("modifiers", [])
            if not isinstance(modifiers, list) or not all(isinstance(m, dict) for m in modifiers):
                raise self.fault("is no list of modifiers", f"{place}/modifiers", "write a list")
        return item

    def numbers(self, values: object, pointer: str) -> list[float]:
        if not isinstance(values, list) or not values or not all(map(is_number, values)):
            raise self.fault("is no list of numbers", pointer, "write one number for each bin")
        return [float(value) for value in values]

    def counts(self, name: str, channel: Item) -> Item:
        found = self.document.item("data", name)
        pointer = f"/data/{self.document.document['data'].index(found)}"
        if found.get("type") != "binned":
            raise self.fault(
                f"the data {name!r} of channel {channel['name']!r} are {found.get('type')!r}, not "
                "binned", pointer, 'give "type": "binned" and contents',
            )  # fmt: skip
        contents = self.numbers(found.get("contents"), f"{pointer}/contents")
        bins = len(channel["samples"][0]["data"]["contents"])
        if len(contents) != bins:
            raise self.fault(
                f"{len(contents)} bins of data for the {bins} of channel {channel['name']!r}",
                f"{pointer}/contents", "give the data of this channel",
            )  # fmt: skip
        return found

    # --- parameters -------------------------------------------------------------------------

    def parameters(self, entry: Item) -> None:
        """Values, constants and ranges of the analysis."""
        points = self.document.document.get("parameter_points") or []
        named = entry.get("init") or next(
            (p["name"] for p in points if p["name"] == "default_values"),
            points[0]["name"] if points else None,
        )
        listed: list[Item] = []
        if named is not None:
            listed = self.document.item("parameter_points", named).get("parameters") or []
        self.values = {one["name"]: float(one["value"]) for one in listed}
        self.constants = {one["name"] for one in listed if one.get("const") is True}
        self.ranges: dict[str, tuple[float | None, float | None]] = {}
        domains = entry.get("domains") or ([entry["domain"]] if entry.get("domain") else [])
        known = [one["name"] for one in self.document.document["domains"]]
        fallback = [one for one in ("default_domain",) if one in known and one not in domains]
        for name in (*fallback, *domains):
            for axis in self.document.item("domains", name).get("axes") or []:
                low, high = axis.get("min"), axis.get("max")
                self.ranges[axis["name"]] = (
                    float(low) if is_number(low) else None,
                    float(high) if is_number(high) else None,
                )

    # --- modifiers --------------------------------------------------------------------------

    def modifiers(self, channels: Sequence[tuple[int, Item]]) -> None:
        """Collect what parameters do, and check that each does one kind of thing."""
        self.scalars: dict[str, list[str]] = {}
        self.uses: list[BinUse] = []
        owner: dict[str, tuple[str, ...]] = {}
        for c, (place, channel) in enumerate(channels):
            bins = len(channel["samples"][0]["data"]["contents"])
            default = channel.get("default_interpolation")
            for s, sample in enumerate(channel["samples"]):
                for m, modifier in enumerate(sample.get("modifiers", [])):
                    pointer = f"/distributions/{place}/samples/{s}/modifiers/{m}"
                    kind = modifier.get("type")
                    if kind in _SCALARS:
                        self.scalar(modifier, kind, bins, pointer, default)
                        owner.setdefault(modifier["parameter"], ())
                        names: tuple[str, ...] = ()
                    elif kind in BINWISE:
                        names = self.bin_parameters(modifier, kind, channel, bins, pointer)
                        name = modifier.get("name")
                        shown = name if isinstance(name, str) else names[0]
                        self.uses.append(BinUse(c, s, m, kind, shown, names))
                    else:
                        raise self.fault(
                            f"modifier {modifier.get('name')!r} of type {kind!r}", pointer,
                            f"a workspace has {', '.join((*_SCALARS, *BINWISE))}; use a program "
                            "that reads HS3 as it is, such as ROOT",
                        )  # fmt: skip
                    for one in names or (modifier["parameter"],):
                        if owner.setdefault(one, names) != names:
                            raise self.fault(
                                f"the parameter {one!r} stands in two different lists of "
                                "parameters", pointer,
                                "a workspace shares all parameters of a modifier, or none",
                            )  # fmt: skip

    def scalar(self, modifier: Item, kind: str, bins: int, pointer: str, default: object) -> None:
        name = modifier.get("parameter")
        if not isinstance(name, str):
            raise self.fault(f"the {kind} has no parameter", pointer, 'give "parameter": NAME')
        kinds = self.scalars.setdefault(name, [])
        if kind not in kinds:
            kinds.append(kind)
        if kind == "normfactor":
            return
        data = modifier.get("data")
        ends = [data.get(key) if isinstance(data, dict) else None for key in ("hi", "lo")]
        if kind == "normsys":
            if not all(map(is_number, ends)):
                raise self.fault(
                    "the normsys has no numbers hi and lo", f"{pointer}/data", "give both"
                )
        else:
            for key, end in zip(("hi", "lo"), ends, strict=True):
                where = f"{pointer}/data/{key}/contents"
                found = self.numbers(end.get("contents") if isinstance(end, dict) else None, where)
                if len(found) != bins:
                    raise self.fault(
                        f"{len(found)} numbers for {bins} bins", where, "give one a bin"
                    )
                if min(found) < 0.0 and not self.packages & _YIELDS:
                    raise self.fault(
                        f"the yield of a bin is {min(found):g}: differences to the nominal yield, "
                        "as in the text of the standard, or yields, as in all programs?", where,
                        "write yields, and the program that wrote them into metadata.packages",
                    )  # fmt: skip
        said = modifier.get("interpolation", default)
        if isinstance(data, dict) and "interpolation" in data:
            said = data["interpolation"]
        if said is not None and said not in _CODES[kind]:
            raise self.fault(
                f"the {kind} is interpolated by {said!r}; darkstats takes code4 for normsys and "
                "code4p for histosys from HS3", f"{pointer}/interpolation",
                "write the workspace as JSON of pyhf, and choose codes with --interpolation",
            )  # fmt: skip

    def bin_parameters(
        self, modifier: Item, kind: str, channel: Item, bins: int, pointer: str
    ) -> tuple[str, ...]:
        names = modifier.get("parameters")
        if names is None:  # as ROOT names them
            stem = f"stat_{channel['name'].removeprefix('model_')}"
            if kind != "staterror":
                stem = str(modifier.get("name", ""))
                if not stem:
                    raise self.fault(
                        f"the {kind} has no parameters", pointer, "list one for each bin"
                    )
            return tuple(f"gamma_{stem}_bin_{i}" for i in range(bins))
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.fault(
                "is no list of names", f"{pointer}/parameters", "name one for each bin"
            )
        if len(names) != bins or len(set(names)) != bins:
            raise self.fault(
                f"{len(set(names))} different parameters for {bins} bins",
                f"{pointer}/parameters", "name one for each bin",
            )  # fmt: skip
        return tuple(names)

    # --- constraints ------------------------------------------------------------------------

    def constrained(
        self, channels: Sequence[tuple[int, Item]], likelihood: Item
    ) -> dict[str, Constraint]:
        """What holds each parameter: modifiers' own constraints and auxiliary distributions."""
        held = {one for use in self.uses for one in use.parameters} | set(self.scalars)
        taker = Constraints(
            distributions=self.items["distributions"], functions=self.items["functions"],
            values={k: v for k, v in self.values.items() if k in self.constants and k not in held},
            parameters=held, source=self.source,
        )  # fmt: skip
        found: dict[str, tuple[Constraint, str]] = {}

        def add(parameter: str, constraint: Constraint, origin: str, pointer: str) -> None:
            known = found.setdefault(parameter, (constraint, origin))
            if known[1] != origin or known[0] != constraint:
                raise self.fault(
                    f"the parameter {parameter!r} is constrained twice, by {known[1]} and by "
                    f"{origin}", pointer, "keep one of them: programs would multiply the two",
                )  # fmt: skip

        def add_named(name: object, pointer: str) -> None:
            if not isinstance(name, str):
                raise self.fault("is no name of a distribution", pointer, "write the name as text")
            taken = taker.of(name)
            if taken is not None:
                add(taken[0], taken[1], f"the distribution {name!r}", pointer)

        errors = self.sums(channels)
        for use in self.uses:
            self.bin_constraints(channels, use, errors, add, add_named)
        for place, channel in channels:
            for s, sample in enumerate(channel["samples"]):
                for m, modifier in enumerate(sample.get("modifiers", [])):
                    if modifier["type"] in _SCALARS:
                        pointer = f"/distributions/{place}/samples/{s}/modifiers/{m}"
                        self.scalar_constraint(modifier, pointer, add, add_named)
        index = self.document.document["likelihoods"].index(likelihood)
        for k, name in enumerate(likelihood.get("aux_distributions") or []):
            add_named(name, f"/likelihoods/{index}/aux_distributions/{k}")
        return {name: one for name, (one, _) in found.items()}

    def scalar_constraint(
        self, modifier: Item, pointer: str, add: _Add, add_named: _AddNamed
    ) -> None:
        said = modifier.get("constraint_name", modifier.get("constraint"))
        if said is None:
            said = modifier.get("constraint_type")
        kind, parameter = modifier["type"], modifier["parameter"]
        if isinstance(said, str) and said in self.items["distributions"]:
            add_named(said, f"{pointer}/constraint")
            return
        if kind == "normfactor" and said is None:
            return
        if kind == "normfactor" or said not in (None, "Gauss"):
            raise self.fault(
                f"the {kind} {parameter!r} is constrained by {said!r}",
                f"{pointer}/constraint",
                "a workspace has Gaussian constraints of normsys and histosys, and that of the "
                "luminosity; name a gaussian_dist, or use a program that reads HS3 as it is",
            )
        unit = Constraint(kind=GAUSSIAN, auxdata=0.0, width=1.0)
        add(parameter, unit, "its modifiers", pointer)

    def sums(self, channels: Sequence[tuple[int, Item]]) -> dict[int, list[tuple[float, float]]]:
        """Sum of yields, and of errors in quadrature, of the samples with a staterror: by channel.

        Samples that share the parameters share the error, whatever the modifier is called.
        """
        found: dict[int, list[tuple[float, float]]] = {}
        for use in self.uses:
            if use.kind != "staterror":
                continue
            data = channels[use.channel][1]["samples"][use.sample]["data"]
            errors = data.get("errors")
            if errors is None:
                place = channels[use.channel][0]
                raise self.fault(
                    "the sample has a staterror, and no errors",
                    f"/distributions/{place}/samples/{use.sample}/data",
                    'give "errors": the standard deviation of each bin',
                )
            known = found.setdefault(use.channel, [(0.0, 0.0)] * len(errors))
            found[use.channel] = [
                (total + float(n), math.hypot(error, float(e)))
                for (total, error), n, e in zip(known, data["contents"], errors, strict=True)
            ]
        return found

    def bin_constraints(
        self,
        channels: Sequence[tuple[int, Item]],
        use: BinUse,
        errors: Mapping[int, Sequence[tuple[float, float]]],
        add: _Add,
        add_named: _AddNamed,
    ) -> None:
        """Constraints that a modifier of single bins brings by itself."""
        place, channel = channels[use.channel]
        sample = channel["samples"][use.sample]
        modifier = sample["modifiers"][use.modifier]
        pointer = f"/distributions/{place}/samples/{use.sample}/modifiers/{use.modifier}"
        named = modifier.get("constraints")
        if isinstance(named, list):
            for k, name in enumerate(named):
                if name is not None:
                    add_named(name, f"{pointer}/constraints/{k}")
            return
        kind = self.constraint_type(modifier, channel, use.kind, pointer)
        if kind == "Const":
            self.constants.update(use.parameters)
        if kind in ("none", "Const"):
            return
        if use.kind == "staterror":
            relative = [e / n if n > 0.0 else 0.0 for n, e in errors[use.channel]]
            settings = channel.get("staterror")
            least = settings.get("relThreshold", 0.0) if isinstance(settings, dict) else 0.0
            relative = [one if one >= least else 0.0 for one in relative]
        else:
            relative = self.relative_errors(modifier, sample, use, pointer)
        for parameter, width in zip(use.parameters, relative, strict=True):
            if not width > 0.0:
                self.constants.add(parameter)
            elif not _LEAST_ERROR <= width <= 1.0 / _LEAST_ERROR:
                raise self.fault(
                    f"the relative error {width:g} of {parameter!r} is out of range", pointer,
                    "write 0 for no error, or errors of the size of the yields",
                )  # fmt: skip
            elif kind == "Gauss":
                own = Constraint(kind=GAUSSIAN, auxdata=1.0, width=width)
                add(parameter, own, "its modifiers", pointer)
            else:
                own = Constraint(kind=POISSON, auxdata=width**-2, width=width**-2)
                add(parameter, own, "its modifiers", pointer)

    def constraint_type(self, modifier: Item, channel: Item, kind: str, pointer: str) -> str:
        """``"Gauss"``, ``"Poisson"``, ``"Const"`` or ``"none"``."""
        own = channel.get("staterror") if kind == "staterror" else None
        said = modifier.get("constraint_type", modifier.get("constraint"))
        if isinstance(own, dict):
            said = own.get("constraint_type", own.get("constraint", said))
        if kind == "shapefactor":
            if said not in (None, "Const"):
                raise self.fault(
                    f"the shapefactor is constrained by {said!r}", f"{pointer}/constraint",
                    "name a distribution for each bin, in aux_distributions",
                )  # fmt: skip
            return "none" if said is None else "Const"
        if said is None and (kind == "shapesys" or "root" in self.packages):
            said = "Poisson"
        if said in ("Gauss", "Poisson", "Const"):
            return str(said)
        problem = "does not say its constraint" if said is None else f"is constrained by {said!r}"
        raise self.fault(
            f"the {kind} {problem}: Gaussian in some programs, Poisson in others",
            f"{pointer}/constraint", 'write "constraint": "Gauss" or "Poisson"',
        )  # fmt: skip

    def relative_errors(
        self, modifier: Item, sample: Item, use: BinUse, pointer: str
    ) -> list[float]:
        """Relative errors that the ``vals`` of a shapesys mean.

        In ROOT they are relative errors, in pyhs3 errors in events, in the text of the standard
        something else again. HistFactory gives these parameters the range [0, 1 + 5 errors], by
        which the first two can be told apart where the document has kept it.
        """
        data = modifier.get("data")
        where = f"{pointer}/data/vals"
        vals = self.numbers(data.get("vals") if isinstance(data, dict) else None, where)
        contents = [float(n) for n in sample["data"]["contents"]]
        if len(vals) != len(contents) or min(vals) < 0.0:
            raise self.fault("is not one error for each bin", where, "write numbers of 0 or more")
        readings = {
            "relative errors": vals,
            "events": [v / n if n > 0.0 else 0.0 for v, n in zip(vals, contents, strict=True)],
        }
        upper = [self.ranges.get(name, (None, None))[1] for name in use.parameters]
        fitting = [
            words
            for words, errors in readings.items()
            if all(
                high is not None and abs(high - 1.0 - 5.0 * error) <= 1e-6 * high
                for high, error in zip(upper, errors, strict=True)
                if error > 0.0
            )
            and any(error > 0.0 for error in errors)
        ]
        if len(fitting) == 1:
            return readings[fitting[0]]
        if "root" in self.packages:
            return vals
        raise self.fault(
            f"the vals of the shapesys {use.name!r} may be relative errors, events, or their "
            "squares: programs differ, and nothing in the document tells",
            where,
            "write it as a shapefactor with a poisson_dist for each bin in aux_distributions, as "
            "darkstats does, or name ROOT in metadata.packages if ROOT wrote it",
        )
