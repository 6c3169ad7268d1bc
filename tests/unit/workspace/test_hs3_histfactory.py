"""HistFactory channels of HS3: what ROOT and others write, and what is refused by name.

The documents have the form that ROOT's RooJSONFactoryWSTool and the tests of pyhs3 give them
(https://github.com/root-project/root, roofit/hs3; https://github.com/scipp-atlas/pyhs3); they are
written here anew.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.cli import run
from darkstats.errors import DocumentError, UnknownNameError
from darkstats.inference import upper_limit
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import Workspace, read_workspace
from darkstats.workspace.hs3 import Hs3Document
from darkstats.workspace.hs3.histfactory import histfactory_workspace

Item = dict[str, Any]
AXIS = {"name": "obs_x", "min": 0.0, "max": 2.0, "nbins": 2}


def document(
    samples: list[Item],
    parameters: list[tuple[str, float, float, float, bool]],
    *,
    counts: tuple[float, ...] = (51.0, 48.0),
    package: str | None = "ROOT",
    others: tuple[Item, ...] = (),
    functions: tuple[Item, ...] = (),
    auxiliary: tuple[str, ...] = (),
    channel: Item | None = None,
) -> Item:
    """One channel as ROOT writes it, with observed and Asimov data; parameters in its form."""
    packages = [{"name": package, "version": "6.32.06"}] if package else []
    extra = {"aux_distributions": list(auxiliary)} if auxiliary else {}
    names = ("obsData", "asimovData")
    values = [
        {"name": name, "value": value} | ({"const": True} if constant else {})
        for name, value, _, _, constant in parameters
    ]
    return {
        "metadata": {"hs3_version": "0.2", "packages": packages},
        "distributions": [
            {"name": "model_SR", "type": "histfactory_dist", "axes": [AXIS], "samples": samples}
            | (channel or {}),
            *others,
        ],
        "functions": list(functions),
        "data": [
            {"name": f"{name}_SR", "type": "binned", "axes": [AXIS], "contents": list(contents)}
            for name, contents in zip(names, (counts, (62.0, 63.0)), strict=True)
        ],
        "likelihoods": [
            {"name": name, "distributions": ["model_SR"], "data": [f"{name}_SR"], **extra}
            for name in names
        ],
        "domains": [
            {
                "name": "default_domain",
                "type": "product_domain",
                "axes": [{"name": n, "min": a, "max": b} for n, _, a, b, _ in parameters],
            }
        ],
        "parameter_points": [{"name": "default_values", "parameters": values}],
        "analyses": [
            {"name": n, "likelihood": n, "domains": ["default_domain"],
             "parameters_of_interest": ["mu"]}
            for n in names
        ],
    }  # fmt: skip


MU = ("mu", 1.0, 0.0, 10.0, False)
LUMI = ("Lumi", 1.0, 0.0, 10.0, True)
SIGNAL: Item = {
    "name": "signal",
    "data": {"contents": [12.0, 11.0]},
    "modifiers": [
        {"name": "Lumi", "parameter": "Lumi", "type": "normfactor"},
        {"name": "mu", "parameter": "mu", "type": "normfactor"},
    ],
}


def background(*modifiers: Item, errors: list[float] | None = None, name: str = "bkg") -> Item:
    data: Item = {"contents": [50.0, 52.0]} | ({"errors": errors} if errors else {})
    return {"name": name, "data": data, "modifiers": list(modifiers)}


def shapesys(vals: list[float], **more: Any) -> Item:
    names = ["g_0", "g_1"]
    return {"name": "unc", "type": "shapesys", "constraint": "Poisson", "parameters": names,
            "data": {"vals": vals}} | more  # fmt: skip


def gammas(*upper: float) -> list[tuple[str, float, float, float, bool]]:
    return [(f"g_{i}", 1.0, 0.0, high, False) for i, high in enumerate(upper)]


def model_of(item: Item, analysis: str = "obsData") -> HistFactoryModel:
    found = histfactory_workspace(Hs3Document.from_document(item), analysis)
    return compile_workspace(Workspace.from_document(found), analysis)


def normal(x: float, mean: float, sigma: float) -> float:
    return -0.5 * ((x - mean) / sigma) ** 2 - math.log(sigma * math.sqrt(2.0 * math.pi))


def poisson(n: float, nu: float) -> float:
    return n * math.log(nu) - nu - math.lgamma(n + 1.0)


@pytest.mark.parametrize(
    ("vals", "upper"),
    [([3.0, 7.0], (1.3, 1.0 + 35.0 / 52.0)), ([0.06, 7.0 / 52.0], (1.3, 1.0 + 35.0 / 52.0)),
     ([0.06, 7.0 / 52.0], (10.0, 10.0))],
)  # fmt: skip
def test_the_uncorrelated_model_is_pyhfs(vals: list[float], upper: tuple[float, ...]) -> None:
    """Errors as ROOT writes them, relative, or in events: pyhf's simple model, CLs 0.05 there.

    With ranges of ROOT the two are told apart; without, ROOT's meaning is taken from ROOT.
    """
    import pyhf

    item = document([SIGNAL, background(shapesys(vals))], [MU, LUMI, *gammas(*upper)])
    model = model_of(item)
    assert model.parameters[-1].width == pytest.approx((52.0 / 7.0) ** 2, rel=1e-12)
    theirs = pyhf.simplemodels.uncorrelated_background([12, 11], [50, 52], [3, 7])
    data = [51.0, 48.0, *theirs.config.auxdata]
    point = [0.4, 1.1, 0.9]  # mu, then the factors of the bins
    ours = model.log_density(np.array([1.0, 0.4, 1.1, 0.9]), model.observation)
    assert model.parameter_names == ("Lumi", "mu", "unc[0]", "unc[1]")
    assert ours == pytest.approx(float(theirs.logpdf(point, data)[0]), rel=1e-12)
    limit = upper_limit(model, model.observation).observed
    found = pyhf.infer.hypotest(limit, data, theirs, test_stat="qtilde")
    assert float(found) == pytest.approx(0.05, abs=1e-5)


def hf001(constraint: str | None = "Poisson", **channel: Item) -> Item:
    """The shape of ROOT's example hf001: two backgrounds share statistical errors."""
    lumi = {"name": "Lumi", "parameter": "Lumi", "type": "normfactor"}
    stat = {"name": "staterror", "type": "staterror", "parameters": ["g_0", "g_1"]}
    stat |= {"constraint": constraint} if constraint else {}

    def overall(name: str) -> Item:
        return {"name": name, "type": "normsys", "parameter": f"alpha_{name}",
                "data": {"hi": 1.05, "lo": 0.95}, "constraint": "Gauss"}  # fmt: skip

    samples = [
        {"name": "b1", "data": {"contents": [100.0, 20.0], "errors": [5.0, 1.0]},
         "modifiers": [lumi, overall("syst2"), stat]},
        {"name": "b2", "data": {"contents": [10.0, 100.0], "errors": [1.0, 10.0]},
         "modifiers": [lumi, overall("syst3"), stat]},
        {"name": "s", "data": {"contents": [20.0, 10.0]},
         "modifiers": [lumi, {"name": "mu", "parameter": "mu", "type": "normfactor"},
                       overall("syst1")]},
    ]  # fmt: skip
    pulls = [(f"alpha_syst{k}", 0.0, -5.0, 5.0, False) for k in (1, 2, 3)]
    return document(samples, [MU, LUMI, *pulls, *gammas(1.25, 1.5)], counts=(122.0, 112.0),
                    channel=channel)  # fmt: skip


def expected_density(model: HistFactoryModel, values: dict[str, float], kind: str) -> float:
    """Sum of the logarithms, term by term, of the document of hf001."""

    def code4(alpha: float) -> float:  # hi = 1.05, lo = 0.95 inside |alpha| < 1
        from darkstats.model.interpolation import normsys_coefficients

        c = normsys_coefficients(1.05, 0.95)[2:]
        return float(1.0 + sum(a * alpha ** (k + 1) for k, a in enumerate(c)))

    factors = {k: code4(values[f"alpha_syst{k}"]) for k in (1, 2, 3)}
    g = (values["g_0"], values["g_1"])
    total = 0.0
    for i, (n, b1, b2, s) in enumerate(((122.0, 100.0, 10.0, 20.0), (112.0, 20.0, 100.0, 10.0))):
        nu = g[i] * (b1 * factors[2] + b2 * factors[3]) + values["mu"] * factors[1] * s
        total += poisson(n, nu)
    total += sum(normal(0.0, values[f"alpha_syst{k}"], 1.0) for k in (1, 2, 3))
    for value, (nominal, error) in zip(
        g, ((110.0, math.hypot(5.0, 1.0)), (120.0, math.hypot(1.0, 10.0))), strict=True
    ):
        relative = error / nominal
        if kind == "Gauss":
            total += normal(1.0, value, relative)
        else:
            total += poisson(relative**-2, relative**-2 * value)
    return total


@pytest.mark.parametrize("kind", ["Poisson", "Gauss"])
def test_statistical_errors_as_root_writes_them(kind: str) -> None:
    """Poisson or Gaussian, shared by samples: the sum of the terms, written out by hand."""
    model = model_of(hf001(kind))
    values = {"mu": 0.7, "alpha_syst1": 0.3, "alpha_syst2": -0.4, "alpha_syst3": 0.8,
              "g_0": 1.03, "g_1": 0.94, "Lumi": 1.0}  # fmt: skip
    names = {"staterror[0]": "g_0", "staterror[1]": "g_1"}
    point = np.array([values[names.get(name, name)] for name in model.parameter_names])
    found = model.log_density(point, model.observation)
    assert found == pytest.approx(expected_density(model, values, kind), rel=1e-12)


def test_what_root_says_of_a_channel_decides() -> None:
    """The constraint stands with the channel in some versions; nothing said by ROOT is Poisson."""
    gaussian = model_of(hf001(None, staterror={"constraint_type": "Gauss"}))
    assert {p.constraint for p in gaussian.parameters if p.name.startswith("stat")} == {"gaussian"}
    assert "auxiliary_staterror" in [c.name for c in model_of(hf001(None)).channels]
    quiet = model_of(hf001("Gauss", staterror={"relThreshold": 0.06}))
    held = {p.name: p.fixed for p in quiet.parameters}
    assert held["staterror[0]"]
    assert not held["staterror[1]"]


def test_a_luminosity_with_a_named_constraint() -> None:
    """ROOT's Lumi with a Gaussian of its own becomes the luminosity; held, a plain factor."""
    parameters = [MU, ("Lumi", 1.0, 0.5, 1.5, False), ("nom", 1.0, 0.0, 10.0, True)]
    gauss = {"name": "lc", "type": "gaussian_dist", "x": "Lumi", "mean": "nom", "sigma": 0.1}
    signal = copy.deepcopy(SIGNAL)
    signal["modifiers"][0]["constraint_name"] = "lc"
    model = model_of(document([signal, background()], parameters, others=(gauss,)))
    lumi = next(p for p in model.parameters if p.name == "lumi")
    assert (lumi.constraint, lumi.auxdata, lumi.width) == ("gaussian", 1.0, 0.1)
    assert (lumi.lower, lumi.upper, lumi.modifier_types) == (0.5, 1.5, ("lumi",))
    held = model_of(document([SIGNAL, background()], [MU, LUMI]))
    assert [(p.name, p.fixed) for p in held.parameters] == [("Lumi", True), ("mu", False)]


def test_the_analysis_is_chosen_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where analyses have other data, the name has to be given; then each has its limit."""
    path = tmp_path / "hf001.json"
    path.write_text(json.dumps(hf001()))
    assert run(["limit", str(path)]) == 2
    assert "choose one with --measurement: obsData, asimovData" in capsys.readouterr().err
    found = []
    for name in ("obsData", "asimovData"):
        assert run(["limit", str(path), "--measurement", name, "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert record["poi"] == "mu"
        found.append(record["observed"])
    assert found[0] != found[1]
    with pytest.raises(UnknownNameError, match="obsData"):
        read_workspace(path, analysis="simPdf")


def test_every_verb_reads_what_hs3_writes(
    example_workspaces: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A workspace written by ``hs3`` gives the same record of a limit, digests apart."""
    source, path = str(example_workspaces["three_channels"]), str(tmp_path / "three.hs3.json")
    assert run(["hs3", source, "-o", path]) == 0
    records = []
    for one in (source, path):
        capsys.readouterr()
        assert run(["limit", one, "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
        records.append({k: v for k, v in record.items() if k not in ("provenance", "command")})
    assert records[0]["observed"] == records[1]["observed"]
    assert records[0]["expected"] == records[1]["expected"]
    for verb in ("inspect", "fit", "significance", "digest"):
        assert run([verb, path]) == 0
    assert run(["limit", path, "-p", source]) == 2
    assert "patches are made for the JSON of a workspace" in capsys.readouterr().err


# --- what is refused --------------------------------------------------------------------------

Change = Callable[[Item], object]
MODIFIER = "/distributions/0/samples/1/modifiers/0"


def with_modifier(**changes: Any) -> Item:
    normsys = {"name": "s", "type": "normsys", "parameter": "alpha_s", "constraint": "Gauss",
               "data": {"hi": 1.1, "lo": 0.9}} | changes  # fmt: skip
    pull = ("alpha_s", 0.0, -5.0, 5.0, False)
    return document([SIGNAL, background(normsys)], [MU, LUMI, pull])


def histosys(**data: Any) -> Item:
    templates = {"hi": {"contents": [55.0, 50.0]}, "lo": {"contents": [45.0, 54.0]}}
    return with_modifier(type="histosys", data=templates | data)


def two_constraints() -> Item:
    item = with_modifier()
    again = {"name": "c", "type": "gaussian_dist", "x": 0.0, "mean": "alpha_s", "sigma": 1.0}
    item["distributions"].append(again)
    for likelihood in item["likelihoods"]:
        likelihood["aux_distributions"] = ["c"]
    return item


def with_constraint(**changes: Any) -> Item:
    """A shapefactor with one auxiliary distribution for each bin."""
    gaussians = [
        {"name": f"c_{i}", "type": "gaussian_dist", "x": 1.0, "mean": f"g_{i}", "sigma": 0.1}
        for i in (0, 1)
    ]
    gaussians[0] |= changes
    gaussians[0] = {k: v for k, v in gaussians[0].items() if v is not None}
    factor = {"name": "f", "type": "shapefactor", "parameters": ["g_0", "g_1"]}
    return document([SIGNAL, background(factor)], [MU, LUMI, *gammas(5.0, 5.0)],
                    others=tuple(gaussians), auxiliary=("c_0", "c_1"))  # fmt: skip


def two_factors() -> Item:
    factors = [{"name": n, "type": "normfactor", "parameter": n, "constraint": f"c_{n}"}
               for n in ("p", "q")]  # fmt: skip
    gaussians = tuple(
        {"name": f"c_{n}", "type": "gaussian_dist", "x": 1.0, "mean": n, "sigma": 0.1}
        for n in ("p", "q")
    )
    parameters = [MU, LUMI, ("p", 1.0, 0.0, 2.0, False), ("q", 1.0, 0.0, 2.0, False)]
    return document([SIGNAL, background(*factors)], parameters, others=gaussians)


def changed(item: Item, change: Change) -> Item:
    change(item)
    return item


def unsaid(**changes: Any) -> Item:
    parameters = [MU, LUMI, *gammas(10.0, 10.0)]
    samples = [SIGNAL, background(shapesys([3.0, 7.0]) | changes)]
    return document(samples, parameters, package=None)


REFUSED: dict[str, tuple[Item, str]] = {
    "custom": (with_modifier(type="custom"), "modifier 's' of type 'custom'"),
    "overallsys": (with_modifier(type="overallsys"), "of type 'overallsys'"),
    "no parameter": (with_modifier(parameter=None), "the normsys has no parameter"),
    "LogNormal": (with_modifier(constraint="LogNormal"), "constrained by 'LogNormal'"),
    "Poisson alpha": (with_modifier(constraint="Poisson"), "constrained by 'Poisson'"),
    "no numbers": (with_modifier(data={"hi": 1.1}), "no numbers hi and lo"),
    "poly6": (with_modifier(interpolation="poly6"), "interpolated by 'poly6'"),
    "code 1": (with_modifier(interpolation=1), "interpolated by 1"),
    "channel's code": (
        changed(histosys(), lambda d: d["distributions"][0].update(
            default_interpolation={"type": "mult", "in": "poly6", "out": "exp"})),
        "the histosys is interpolated by",
    ),
    "bins of hi": (histosys(hi={"contents": [1.0]}), "1 numbers for 2 bins"),
    "no hi": (histosys(hi=None), "is no list of numbers"),
    "differences": (
        changed(histosys(hi={"contents": [5.0, -2.0]}), lambda d: d["metadata"].pop("packages")),
        "differences to the nominal yield",
    ),
    "twice": (two_constraints(), "'alpha_s' is constrained twice"),
    "two luminosities": (two_factors(), "2 scale factors are constrained (p, q)"),
    "lognormal_dist": (with_constraint(type="lognormal_dist"), "is a lognormal_dist"),
    "no sigma": (with_constraint(sigma=None), "has no sigma"),
    "negative sigma": (with_constraint(sigma=-0.1), "the width of the constraint 'c_0' is -0.1"),
    "two parameters": (with_constraint(x="g_1"), "ties g_1 and g_0 together"),
    "no constant": (with_constraint(x="nom_g_0"), "'nom_g_0' is no constant"),
    "mixed": (
        with_constraint(type="poisson_dist", sigma=None), "are constrained in different ways"
    ),
    "one free": (
        changed(with_constraint(), lambda d: [one.update(aux_distributions=["c_0"])
                                              for one in d["likelihoods"]]),
        "g_1 not at all",
    ),
    "missing constraint": (
        changed(with_constraint(), lambda d: d["likelihoods"][0].update(
            aux_distributions=["nowhere"])),
        "'nowhere' is named as a constraint",
    ),
    "vals": (unsaid(), "may be relative errors, events, or their squares"),
    "tiny vals": (unsaid(constraint="Gauss", data={"vals": [1e-300, 7.0]}), "may be relative"),
    "tiny errors": (
        changed(hf001(), lambda d: [s["data"].update(errors=[1e-200, 1e-200])
                                    for s in d["distributions"][0]["samples"][:2]]),
        "is out of range",
    ),
    "vals missing": (unsaid(data={}), "is no list of numbers"),
    "staterror unsaid": (
        changed(hf001(None), lambda d: d["metadata"].pop("packages")),
        "the staterror does not say its constraint",
    ),
    "staterror without errors": (
        changed(hf001(), lambda d: d["distributions"][0]["samples"][0]["data"].pop("errors")),
        "has a staterror, and no errors",
    ),
    "some bins held": (
        hf001("Poisson", staterror={"relThreshold": 0.06, "constraint_type": "Poisson"}),
        "g_0 is held, the parameters of the other bins are not",
    ),
    "number of parameters": (unsaid(parameters=["g_0"]), "1 different parameters for 2 bins"),
    "scalar and bin": (unsaid(parameters=["mu", "g_1"]), "two different lists of parameters"),
    "unbinned data": (
        changed(with_modifier(), lambda d: d["data"][0].update(type="unbinned")),
        "are 'unbinned', not binned",
    ),
    "bins of data": (
        changed(with_modifier(), lambda d: d["data"][0].update(contents=[1.0])),
        "1 bins of data for the 2 of channel",
    ),
    "another distribution": (
        changed(with_modifier(), lambda d: (
            d["distributions"].append({"name": "g", "type": "gaussian_dist", "x": "x", "mean": 0,
                                       "sigma": 1}),
            d["likelihoods"][0].update(distributions=["g"]))),
        "is a gaussian_dist beside HistFactory channels",
    ),
    "no samples": (
        changed(with_modifier(), lambda d: d["distributions"][0].update(samples=[])),
        "has no samples",
    ),
    "two POIs": (
        changed(with_modifier(), lambda d: d["analyses"][0].update(
            parameters_of_interest=["mu", "Lumi"])),
        "has 2 parameters of interest",
    ),
    "unknown POI": (
        changed(with_modifier(), lambda d: d["analyses"][0].update(
            parameters_of_interest=["nowhere"])),
        "nothing depends on the parameter of interest 'nowhere'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_workspace_cannot_say_is_refused(name: str) -> None:
    """Each with its name; the message says what to do."""
    item, words = REFUSED[name]
    with pytest.raises(DocumentError) as caught:
        model_of(item)
    assert words in str(caught.value)
    assert caught.value.remedy


def test_the_documents_that_are_spoilt_above_are_good() -> None:
    """Unspoilt, each is read: what is refused is the fault and nothing else."""
    for item in (with_modifier(), histosys(), with_constraint(), hf001()):
        assert model_of(item).poi_name == "mu"
