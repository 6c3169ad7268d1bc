"""Documents that are mistaken or hostile: each is refused with what is wrong, where and why."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from darkstats.errors import DocumentError
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.workspace.hs3 import Hs3Document
from unbinned_models import bump, plane

Item = dict[str, Any]


def item(document: Item, section: str, name: str) -> Item:
    """Entry of a section."""
    return next(entry for entry in document[section] if entry["name"] == name)


def read(document: Item) -> UnbinnedModel:
    """Read and compiled, under the name of a file."""
    return compile_hs3(Hs3Document.from_document(document, "bad.json"))


def without(document: Item, *names: str) -> None:
    """Take parameters out of the domain and the starting point."""
    for section, key in (("domains", "axes"), ("parameter_points", "parameters")):
        entry = document[section][0]
        entry[key] = [one for one in entry[key] if one["name"] not in names]


def background(expression: str) -> Callable[[Item], None]:
    """The background as an expression of the observable."""

    def change(document: Item) -> None:
        found = item(document, "distributions", "bkg")
        found.clear()
        found.update(name="bkg", type="generic_dist", expression=expression)
        if "c" not in expression:
            without(document, "c")

    return change


def put(section: str, name: str, **values: Any) -> Callable[[Item], None]:
    """Set keys of one entry."""

    def change(document: Item) -> None:
        item(document, section, name).update(values)

    return change


def template(**data: Any) -> Callable[[Item], None]:
    """The signal as a histogram."""

    def change(document: Item) -> None:
        found = item(document, "distributions", "sig")
        found.clear()
        found.update(name="sig", type="histogram_dist", data=data)

    return change


def drop(section: str, name: str, key: str) -> Callable[[Item], None]:
    """Take a key away."""

    def change(document: Item) -> None:
        del item(document, section, name)[key]

    return change


def entries(*values: Any, **more: Any) -> Callable[[Item], None]:
    """Data of the document itself."""

    def change(document: Item) -> None:
        document["data"][0].update(entries=list(values), **more)

    return change


def more(section: str, *entries: Item) -> Callable[[Item], None]:
    """Add entries to a section."""

    def change(document: Item) -> None:
        document[section] += entries

    return change


def chain(n: int, text: str) -> Callable[[Item], None]:
    """Functions that each hold the one before."""

    def change(document: Item) -> None:
        document["functions"] += [
            {"name": "f0", "type": "generic_function", "expression": "mu"},
            *(
                {
                    "name": f"f{k}",
                    "type": "generic_function",
                    "expression": text.replace("F", f"f{k - 1}"),
                }
                for k in range(1, n)
            ),
        ]
        item(document, "functions", "nsig")["expression"] = f"f{n - 1}"

    return change


def misc(value: Any) -> Callable[[Item], None]:
    """What stands under misc."""

    def change(document: Item) -> None:
        document["misc"] = value

    return change


NSIG = "nsig"
CASES: dict[str, tuple[Callable[[Item], None], str]] = {
    # shapes without a density in the range
    "mean far away": (put("distributions", "sig", mean=300.0, sigma=0.1), "'sig' vanishes"),
    "mean far away, width floats": (
        put("distributions", "sig", mean=300.0),
        r"'sig .at the starting values.' vanishes",
    ),
    "integral zero": (background("0.5-x"), "'bkg'.*integral"),
    "identically zero": (background("0*x"), "'bkg'.*integral|'bkg' vanishes"),
    "integral negative": (background("0.1-x"), "'bkg'.*integral"),
    "not finite in the range": (background("log(x-0.5)"), "^bad.json: 'bkg': .*not finite"),
    "does not settle": (background("sqrt(x)"), "^bad.json: 'bkg': .*does not settle"),
    # values that are none
    "mean null": (put("distributions", "sig", mean=None), "mean of 'sig' is None"),
    "width a list": (put("distributions", "constraint", sigma=[1]), "sigma of 'constraint' is"),
    "huge integer": (
        put("distributions", "sig", mean=10**400),
        "/distributions/1/mean: .*401 digits",
    ),
    "constraint without sigma": (
        drop("distributions", "constraint", "sigma"),
        "'constraint' has no 'sigma'",
    ),
    "constraint without x": (drop("distributions", "constraint", "x"), "has no 'x'"),
    "misc a list": (misc([1]), "/misc: is no object"),
    "misc.darkstats a list": (misc({"darkstats": [1]}), "/misc/darkstats: is no object"),
    "points a list": (misc({"darkstats": {"points": [1]}}), "/misc/darkstats/points: is no obj"),
    "point a list": (
        misc({"darkstats": {"points": {"analysis": [1]}}}),
        "/misc/darkstats/points/analysis: is no object",
    ),
    "mass as text": (
        misc({"darkstats": {"points": {"analysis": {"m_gev": "heavy"}}}}),
        "/misc/darkstats/points/analysis/m_gev: is 'heavy', no finite number",
    ),
    "no nbins": (
        template(axes=[{"name": "x", "min": 0, "max": 1}], contents=[1]),
        "'sig'.*edges.*nbins",
    ),
    "text in edges": (
        template(axes=[{"name": "x", "edges": [0, "a", 1]}], contents=[1, 1]),
        "'sig'.*edge 1.*'a'",
    ),
    "edges fall": (
        template(axes=[{"name": "x", "edges": [0, 0.7, 0.3, 1]}], contents=[1, 1, 2]),
        "'sig'.*rise",
    ),
    "text in contents": (
        template(axes=[{"name": "x", "edges": [0, 0.5, 1]}], contents=[1, "b"]),
        "'sig'.*content 1.*'b'",
    ),
    "histogram without axes": (template(axes="x", contents=[1]), "'sig' needs one axis"),
    # data of the document
    "entry text": (entries([0.1], ["a"]), "/data/0/entries/1: .*'a'"),
    "entry numeric text": (entries("0.1", 0.2), "/data/0/entries/0: .*'0.1'"),
    "entry null": (entries(None, 0.2), "/data/0/entries/0: .*None"),
    "entries ragged": (entries([0.1, 0.3], [0.2]), "/data/0/entries/0: .*2 values for 1"),
    "entries of two columns": (
        entries([0.1, 0.3], [0.2, 0.4]),
        "/data/0/entries/0: .*2 values for 1",
    ),
    "entries a dict": (put("data", "observed", entries={"a": 1}), "/data/0/entries: is no list"),
    "weights": (entries([0.1], [0.2], weights=[5, 1]), "/data/0/weights/0: .*weight 5.*limit"),
    "weights short": (entries([0.1], [0.2], weights=[1]), "/data/0/weights: .*1 weights for 2"),
    "weights text": (entries([0.1], weights=["1"]), "/data/0/weights/0"),
    # names
    "channel twice": (
        put("likelihoods", "likelihood", distributions=["model"] * 2, data=["observed"] * 2),
        "/likelihoods/0: .*'model' is listed twice",
    ),
    "parameter twice": (
        lambda d: d["parameter_points"][0]["parameters"].append({"name": "nb", "value": 7.0}),
        "/parameter_points/0: .*'nb'.*twice",
    ),
    "range twice": (
        lambda d: d["domains"][0]["axes"].append({"name": "nb", "min": 0, "max": 7.0}),
        "/domains/0: .*'nb'.*twice",
    ),
    "function named as parameter": (
        more("functions", {"name": "nb", "type": "generic_function", "expression": "5"}),
        "'nb' is a parameter and a function",
    ),
    "domains a string": (put("analyses", "analysis", domains="D"), "/analyses/0/domains: .*list"),
    "pois a string": (
        put("analyses", "analysis", parameters_of_interest="mu"),
        "/analyses/0/parameters_of_interest: .*list",
    ),
    "likelihood a number": (put("analyses", "analysis", likelihood=3), "/analyses/0/likelihood"),
    "constraints a string": (
        put("likelihoods", "likelihood", aux_distributions="constraint"),
        "/likelihoods/0/aux_distributions: .*list",
    ),
    "summands a string": (
        put("distributions", "model", summands="ab", coefficients="cd"),
        "/distributions/0/summands: .*list",
    ),
    "coefficients an object": (
        put("distributions", "model", coefficients={"a": 1, "b": 2}),
        "/distributions/0/coefficients: .*list",
    ),
    "summands numbers": (
        put("distributions", "model", summands=[1, 2]),
        "/distributions/0/summands/0",
    ),
    "axes a string": (put("data", "observed", axes="x"), "/data/0/axes: .*list"),
    # recursion and size
    "long sum": (
        put("functions", NSIG, expression="+".join(["mu"] * 3000)),
        "more than [0-9]+ operations within each other",
    ),
    "many summands": (
        put("functions", NSIG, type="sum", summands=["mu"] * 3000),
        "'nsig'.*more than [0-9]+ operations within each other",
    ),
    "many coefficients": (
        put("distributions", "bkg", type="polynomial_dist", coefficients=[1.0] * 3000),
        "'bkg'.*more than [0-9]+ operations within each other",
    ),
    "doubling functions": (chain(26, "F*F"), "more than [0-9]+ operations"),
    "deep functions": (
        chain(300, "1+" * 150 + "F"),
        "more than [0-9]+ operations",
    ),
    "function of itself": (
        put("functions", NSIG, expression="mu*nsig"),
        "function 'nsig' depends on itself",
    ),
    "many terms": (
        background("*".join(["(1+c*x)"] * 20)),
        "'bkg' has more than [0-9]+ terms",
    ),
    "mixture of itself": (
        lambda d: item(d, "distributions", "bkg").update(
            type="mixture_dist", summands=["bkg", "sig"], coefficients=["c"], extended=False
        ),
        "'bkg' is a part of itself",
    ),
    "product of itself": (
        put("distributions", "bkg", type="product_dist", factors=["bkg"]),
        "'bkg' is a part of itself",
    ),
    "mixture and product of each other": (
        lambda d: (
            put("distributions", "bkg", type="product_dist", factors=["mix"])(d),
            more(
                "distributions",
                {
                    "name": "mix",
                    "type": "mixture_dist",
                    "summands": ["bkg", "sig"],
                    "coefficients": [0.5, 0.5],
                    "extended": True,
                },
            )(d),
        )[0],
        "is a part of itself",
    ),
    # constants that are none
    "one over zero": (background("1/0*x"), "'bkg'.*not finite"),
    "log of a negative number": (put("functions", NSIG, expression="mu*log(-1)"), "'nsig'.*not f"),
    "power that overflows": (put("functions", NSIG, expression="mu*10**999"), "'nsig'.*not fin"),
    "literal that overflows": (put("functions", NSIG, expression="mu*1e999"), "'1e999'.*range"),
}


@pytest.mark.parametrize("name", CASES)
def test_mistakes_are_refused_with_their_place(name: str) -> None:
    """No internal error, no hanging, and no guess."""
    change, message = CASES[name]
    document = copy.deepcopy(bump())
    change(document)
    with pytest.raises(DocumentError, match=message) as raised:
        read(document)
    assert str(raised.value).startswith("bad.json")


def test_two_observables_need_two_values_an_entry() -> None:
    """A flat list of numbers is not cut into pairs."""
    document = copy.deepcopy(plane())
    document["data"][0]["entries"] = [0.1, 0.2, 0.3, 0.4]
    with pytest.raises(DocumentError, match=r"/data/0/entries/0: .*1 value for 2"):
        read(document)
    document["data"][0]["entries"] = [[0.1, 0.2], [0.3, 0.4]]
    assert read(document).observation.counts.sum() == 2.0


def test_one_observable_takes_bare_numbers_and_unit_weights() -> None:
    """Entries of one axis may be bare numbers; weights of one are none."""
    for values in ([0.1, 0.2], [[0.1], [0.2]]):
        document = copy.deepcopy(bump())
        entries(*values, weights=[1, 1.0])(document)
        assert read(document).observation.counts.sum() == 2.0


def test_nested_mixtures_have_a_budget() -> None:
    """Thirty mixtures, each of the one before twice, would be taken apart a billion times."""
    document = copy.deepcopy(bump())
    names = ["bkg", *(f"mix{k}" for k in range(30))]
    for below, name in pairwise(names):
        more(
            "distributions",
            {
                "name": name,
                "type": "mixture_dist",
                "summands": [below, below],
                "coefficients": [0.5, 0.5],
                "extended": True,
            },
        )(document)
    item(document, "distributions", "model")["summands"][1] = names[-1]
    with pytest.raises(DocumentError, match=r"more than [0-9]+ (parts|distributions)"):
        read(document)


def test_long_sums_can_be_split() -> None:
    """What the message advises works: a sum of a thousand terms in parentheses."""
    document = copy.deepcopy(bump())
    part = "(" + "+".join(["mu"] * 100) + ")"
    put("functions", NSIG, expression="+".join([part] * 10))(document)
    model = read(document)
    component = model.channels[0].components[0]
    assert float(component.expected.at(model.inits * 0 + 2.0)) == pytest.approx(2000.0)
    assert np.isfinite(model.inits).all()
