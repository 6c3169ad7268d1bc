"""Lines of a datacard after its rates: nuisance parameters, factors, groups, statistics, edits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from types import MappingProxyType

from darkstats.conversion.datacard import (
    AutoStatistics,
    Effect,
    Gamma,
    Key,
    LogNormal,
    Place,
    RateFactor,
    Shape,
    Systematic,
)
from darkstats.conversion.datacard_edits import Edit
from darkstats.conversion.datacard_lines import Draft, Line, number_in, unread

__all__ = ["add_systematic", "constrained", "read_parameter"]

_PRODUCT = re.compile(r"\(?\s*@\d+(\s*\*\s*@\d+)*\s*\)?")
_LIKE_AN_ERROR = 0.5  # factors of lnN up to here are often relative errors by mistake
_SHAPES = re.compile(r"shape(N?)2?(\??)")  # the 2 chooses how, not what, is interpolated

#: What a workspace cannot state, by the second word of its line, and what to do about it.
_REFUSED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "lnU": (
            "lnU lets the yield float freely between two values; a workspace has no such term",
            "write a rateParam with a range in its place, or lnN where an uncertainty is meant",
        ),
        "gmM": (
            "gmM is a gamma distribution by its relative width; a workspace states one by events",
            "write gmN with the number of events in the control region: 1/width**2",
        ),
        "trG": ("trG is a truncated Gaussian; a workspace has none", "write lnN in its place"),
        "unif": (
            "unif is a parameter with a flat range; a workspace has no such constraint",
            "write a rateParam with a range in its place",
        ),
        "dFD": ("dFD is a function of Combine's own", "write lnN in its place"),
        "dFD2": ("dFD2 is a function of Combine's own", "write lnN in its place"),
        "constr": (
            "a constraint by a formula cannot be stated in a workspace",
            "remove the line: the limit is then that without this regularisation",
        ),
        "discrete": (
            "a discrete choice between shapes cannot be stated in a workspace",
            "choose one shape, and convert the card once for each",
        ),
        "extArg": (
            "extArg takes a parameter from a RooFit workspace",
            "write the parameter as a rateParam with its value and range",
        ),
    }
)  # fmt: skip


def read_parameter(line: Line, draft: Draft) -> None:
    """Read a line after the rates.

    Raises
    ------
    CardError
        It breaks a rule, or says what cannot be stated in a workspace.
    """
    if len(line.words) == 1:
        unread(line, draft)
        return
    name, kind = line.words[:2]
    if name.endswith("[nofloat]"):
        line.place.refuse(
            f"{name}: [nofloat] cannot be carried", "nuisance edit freeze holds it fixed"
        )
    if name[0].isdigit():
        name = f"theta{name}"  # as Combine names it
    if kind in _REFUSED:
        problem, remedy = _REFUSED[kind]
        line.place.refuse(problem, remedy, key=name)
    if kind in _OTHERS:
        _OTHERS[kind](name, line, draft)
    elif kind in {"lnN", "gmN"} or _SHAPES.fullmatch(kind):
        _systematic(name, line, draft)
    else:
        line.place.refuse(
            f"{kind!r} is no kind of parameter that can be carried",
            "lnN, gmN, shape, shapeN, shape?, rateParam, autoMCStats and group are", key=name,
        )  # fmt: skip


def _systematic(name: str, line: Line, draft: Draft) -> None:
    kind, words, place = line.words[1], line.words[2:], line.place
    count = None
    if kind == "gmN":
        if not words or not re.fullmatch(r"\d+", words[0]):
            place.refuse(
                "gmN without a whole number of events", "write: NAME gmN N RATIO ...", key=name
            )
        count, words = int(words[0]), words[1:]
    if len(words) < len(draft.columns):
        place.refuse(
            f"{len(words)} effects for {len(draft.columns)} columns",
            "write one for each column of the rates, - for none", key=name,
        )  # fmt: skip
    effects: dict[Key, Effect] = {}
    small: list[str] = []  # effects that look like relative errors
    for column, word in zip(draft.columns, words, strict=False):  # what follows is a remark
        if set(word) == {"-"}:
            continue
        effect = _effect(kind, name, word, place)
        if effect is not None:
            effects[column.key] = effect
            if isinstance(effect, LogNormal) and 0.0 < effect.high <= _LIKE_AN_ERROR:
                small.append(word)
    if small and all("/" not in word for word in small):
        draft.notes.append(
            f"{place}: {name}: lnN {small[0]} is a factor, and is carried as the factor that it "
            f"is; if a relative error of {float(small[0]):g} is meant, write "
            f"{1.0 + float(small[0]):g}"
        )
    draft.n_systematics += 1
    made = Systematic(name=name, place=place, effects=effects, count=count)
    add_systematic(made, draft.systematics)


def _effect(kind: str, name: str, word: str, place: Place) -> Effect | None:
    numbers = [number_in(part, place, "an effect, or two as down/up,") for part in word.split("/")]
    shape = _SHAPES.fullmatch(kind)
    if len(numbers) > (2 if kind == "lnN" or kind.endswith("?") else 1):
        place.refuse(
            f"{word!r} has two numbers or more", "write down/up for lnN, one else", key=name
        )
    if min(numbers) < 0.0 or (len(numbers) == 2 and min(numbers) == 0.0):
        place.refuse(
            f"the effect {word!r} is not positive", "write a ratio, such as 0.9/1.1", key=name
        )
    if numbers == [0.0] or (kind == "lnN" and set(numbers) == {1.0}):
        return None  # as Combine reads it
    if kind == "gmN":
        return Gamma(numbers[0])
    low, high = numbers if len(numbers) == 2 else (1.0 / numbers[0], numbers[0])
    if shape is None:
        return LogNormal(low, high)
    scale = numbers[0] if len(numbers) == 1 else 1.0
    otherwise = LogNormal(low, high) if shape[2] else None
    return Shape(scale, logarithmic=bool(shape[1]), template=name, otherwise=otherwise)


def add_systematic(new: Systematic, found: dict[str, Systematic]) -> None:
    """Add a nuisance parameter to those that were found: one of the same name is the same.

    Raises
    ------
    CardError
        It is of another kind than its namesake, or acts where that acts.
    """
    old = found.get(new.name)
    if old is None:
        found[new.name] = new
        return
    if old.count != new.count:
        new.place.refuse(
            f"{new.name} is gmN of {new.count} events here, and of {old.count} at {old.place}"
            if new.count is not None and old.count is not None
            else f"{new.name} is gmN in one of two lines, this one and {old.place}",
            "one name is one parameter: rename it in one of them",
        )
    both = old.effects.keys() & new.effects.keys()
    if both:
        new.place.refuse(
            f"{new.name} acts twice on {' of '.join(reversed(min(both)))}; see {old.place}",
            "keep one of the lines",
        )
    found[new.name] = replace(old, effects={**old.effects, **new.effects})


def _rate_parameter(name: str, line: Line, draft: Draft) -> None:
    words, place = line.words[2:], line.place
    if len(words) < 3:
        place.refuse("too few words", "write: NAME rateParam BIN PROCESS VALUE [MIN,MAX]", key=name)
    bins, processes, value = words[:3]
    keys = tuple(
        key for key in draft.keys if fnmatchcase(key[0], bins) and fnmatchcase(key[1], processes)
    )
    if not keys:
        place.refuse(f"no process {processes} in a bin {bins}", "correct the names", key=name)
    rest = "".join(words[3:])
    new = RateFactor(name=name, place=place, keys=keys)
    if _PRODUCT.fullmatch(value):
        new = replace(new, factors=_factors(value, rest, place, name))
    elif "@" in value or "(" in value or ".root" in value:
        place.refuse(
            f"the formula {value!r} cannot be stated in a workspace; products such as @0*@1 can",
            "write the ratios as parameters: for A = B C / D, with t = B/D and u = C/D, the rates "
            "are D, t D, u D and t u D", key=name,
        )  # fmt: skip
    else:
        new = replace(
            new,
            initial=number_in(value, place, "the initial value"),
            bounds=_range(rest, place, name),
        )
    old = draft.factors.get(name)
    if old is not None:
        if (old.initial, old.bounds, old.factors) != (new.initial, new.bounds, new.factors):
            place.refuse(f"another value or range than at {old.place}", "write the same", key=name)
        if set(old.keys) & set(keys):
            place.refuse(f"acts twice on a process; see {old.place}", "keep one line", key=name)
        new = replace(old, keys=(*old.keys, *keys))
    draft.factors[name] = new


def _factors(formula: str, names: str, place: Place, key: str) -> tuple[str, ...]:
    known = tuple(name for name in names.split(",") if name)
    numbers = [int(number) for number in re.findall(r"\d+", formula)]
    if len(set(numbers)) < len(numbers) or set(numbers) != set(range(len(known))):
        place.refuse(
            f"{formula} of {len(known)} arguments", "name each argument once, as @0*@1 a,b", key=key
        )
    return tuple(known[number] for number in numbers)


def _range(text: str, place: Place, key: str) -> tuple[float, float] | None:
    if not text:
        return None
    match = re.fullmatch(r"\[([^,\]]+),([^,\]]+)\]", text)
    if match is None:
        place.refuse(f"{text!r} is no range", "write [MIN,MAX]", key=key)
    low, high = (number_in(word, place, "the end of a range") for word in match.groups())
    if not low < high:
        place.refuse(f"the range {text} is empty", "write [MIN,MAX]", key=key)
    return low, high


def _param(name: str, line: Line, draft: Draft) -> None:
    draft.n_systematics += 1
    draft.params[name] = line


def constrained(factor: RateFactor, line: Line) -> RateFactor:
    """Return a rate parameter with the Gaussian constraint of a line of ``param``.

    Raises
    ------
    CardError
        The constraint is not symmetric, or not around a positive value.
    """
    words, place, name = line.words[2:], line.place, factor.name
    if len(words) < 2:
        place.refuse("too few words", "write: NAME param MEAN ERROR [MIN,MAX]", key=name)
    if "/" in words[1]:
        place.refuse(
            "a constraint of two errors cannot be stated in a workspace",
            "write lnN of two numbers in the place of both lines", key=name,
        )  # fmt: skip
    mean, error = (_number(word, place) for word in words[:2])
    if mean <= 0.0 or error <= 0.0 or factor.factors:
        place.refuse(
            f"a constraint of {mean:g} and {error:g} on it cannot be stated in a workspace",
            "constrain a rateParam with a value of its own, around a positive number", key=name,
        )  # fmt: skip
    bounds = _range("".join(words[2:]), place, name) or factor.bounds
    return replace(factor, mean=mean, error=error, bounds=bounds)


def _number(word: str, place: Place) -> float:
    return number_in(word, place, "mean and error")


def _flat(name: str, line: Line, draft: Draft) -> None:
    draft.notes.append(f"{line.place}: flatParam {name} states no constraint, and needs none here")


def _group(name: str, line: Line, draft: Draft) -> None:
    sign, members = line.words[2] if len(line.words) > 2 else "", list(line.words[3:])
    if sign not in {"=", "+="} or (sign == "+=") != (name in draft.groups):
        line.place.refuse(
            "no definition of a group: = defines one, += adds to it",
            "write: NAME group = PARAMETER ...", key=name,
        )  # fmt: skip
    draft.groups.setdefault(name, (line.place, []))[1].extend(members)


def _statistics(name: str, line: Line, draft: Draft) -> None:
    words, place = line.words[2:], line.place
    if not 1 <= len(words) <= 3 or any(word not in {"0", "1", "2"} for word in words[1:]):
        place.refuse(
            "no line of autoMCStats", "write: BIN autoMCStats THRESHOLD [0 or 1] [1 or 2]", key=name
        )
    threshold = number_in(words[0], place, "the threshold")
    bins = [one for one in draft.bins if fnmatchcase(one, name)]
    if not bins:
        place.refuse(f"no bin {name}", f"name one of {', '.join(draft.bins)}, or *")
    with_signal, in_shape = words[1:2] == ("1",), words[2:3] == ("2",)
    for one in bins:
        draft.statistics[one] = AutoStatistics(
            threshold=threshold, with_signal=with_signal, in_shape=in_shape, place=place
        )


def _edit(name: str, line: Line, draft: Draft) -> None:
    if name != "nuisance" or len(line.words) < 4:
        line.place.refuse("no edit of a parameter", "write: nuisance edit VERB ...")
    draft.edits.append(Edit(line.place, line.words[2], line.words[3:]))


_OTHERS: Mapping[str, Callable[[str, Line, Draft], None]] = MappingProxyType(
    {
        "rateParam": _rate_parameter, "param": _param, "flatParam": _flat, "group": _group,
        "autoMCStats": _statistics, "edit": _edit,
    }
)  # fmt: skip
