"""One mass of the unbinned search for axion-like particles beside zfit, hepstats and HS3 files.

    python docs/examples/unbinned_peers.py docs/studies/unbinned-peers

Needs ``darkstats[unbinned]``. Writes ``unbinned-peers.json``, which
``docs/examples/unbinned_page.py`` reads. The data are a toy with signal, so that the best fit lies
away from zero, where hepstats' test statistic is ours.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.fit import fit
from darkstats.inference import ToyOptions, hypotest, upper_limit
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.model.unbinned.zfit_engine import ZfitEngine
from darkstats.model.unbinned.zfit_model import import_zfit, zfit_likelihood
from darkstats.streams import keyed_generator
from darkstats.workspace.hs3 import read_hs3, write_hs3

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.model import Observation
    from darkstats.model.unbinned.model import UnbinnedModel
    from darkstats.workspace.hs3 import Hs3Document

Record = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
SEARCHES = ("alp", "zprime_invisible_2018", "dark_higgsstrahlung")
NAME, STRENGTH = "m_0p9979", 0.5
LEAST = -0.02  # lower bound of the strength, for all programs: densities stay positive above it
TOYS, OWN_TOYS = 60, 4096  # of hepstats, of darkstats


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One hypothesis with the toy that all programs fit."""

    document: Hs3Document
    model: UnbinnedModel
    events: FloatArray
    observation: Observation


def case() -> Case:
    """A toy with a signal of 0.5, of the mass hypothesis at 0.998 GeV."""
    document = read_hs3(ROOT / "models" / "alp" / "unbinned.json")
    model = compile_hs3(document, NAME)
    truth = np.array(model.inits)
    truth[model.require_poi()] = STRENGTH
    data, _ = model.throw(truth, keyed_generator(1, model.digest, 19), 1)
    x, weights = data.channels[0].events_of(0)
    events = x[:, weights > 0.0]
    observation = model.observe([events])
    if fit(model, observation).poi < 0.1:
        raise SystemExit("the toy has no signal: hepstats' test statistic would differ from ours")
    return Case(document=document, model=model, events=events, observation=observation)


def limits_of_two_engines(one: Case) -> Record:
    """CLs limits with the kernels and with zfit's loss under them."""
    likelihood = zfit_likelihood(one.document, NAME)
    engine = ZfitEngine.of_likelihood(likelihood, one.model.parameter_names)
    found = {}
    for name, model in (("kernels", one.model), ("zfit_loss", one.model.with_engine(engine))):
        limit = upper_limit(model, one.observation, probe=False, scan_points=0)
        found[name] = limit.observed
    return found


def hepstats_limit(one: Case) -> tuple[Record, Record]:
    """CLs+b p-values around the limit and the limit, asymptotic; one p-value from toys."""
    from hepstats.hypotests import UpperLimit
    from hepstats.hypotests.calculators import AsymptoticCalculator, FrequentistCalculator
    from hepstats.hypotests.parameters import POI, POIarray

    zfit = import_zfit()
    ours = upper_limit(
        one.model, one.observation, method="clsb", test_stat="q", poi_lower=LEAST, probe=False,
        scan_points=0,
    )  # fmt: skip
    likelihood = zfit_likelihood(one.document, NAME)
    loss = likelihood.loss([one.events])
    poi = likelihood.parameters[one.model.require_poi()]
    poi.lower = LEAST
    strengths = [float(f) * ours.observed for f in (0.85, 0.95, 1.0, 1.05, 1.15)]
    calculator = AsymptoticCalculator(loss, zfit.minimize.Minuit(tol=1e-5), asimov_bins=400)
    search = UpperLimit(calculator, POIarray(poi, strengths), POI(poi, 0.0), qtilde=False)
    p_values = np.asarray(search.pvalues(CLs=False)["clsb"])
    own = [
        hypotest(one.model, one.observation, mu, test_stat="q", poi_lower=LEAST).clsb.value
        for mu in strengths
    ]
    # log p is nearly a straight line over 5 % of the limit.
    crossing = float(np.interp(math.log(0.05), np.log(p_values[::-1]), strengths[::-1]))
    asymptotic = {
        "strengths": strengths,
        "clsb": p_values.tolist(),
        "clsb_ours": own,
        "limit": crossing,
        "limit_ours": ours.observed,
    }
    tested = strengths[1]
    thrown = FrequentistCalculator(loss, zfit.minimize.Minuit(), ntoysnull=TOYS, ntoysalt=1)
    null, _ = thrown.pvalue(POIarray(poi, [tested]), qtilde=False, onesided=True)
    mine = hypotest(
        one.model, one.observation, tested, test_stat="q", poi_lower=LEAST, calculator="toys",
        toys=ToyOptions(n_toys=OWN_TOYS, seed=1),
    )  # fmt: skip
    p = float(null[0])
    toys = {
        "strength": tested,
        "hepstats": p,
        "hepstats_error": math.sqrt(max(p * (1.0 - p), 0.01) / TOYS),
        "hepstats_toys": TOYS,
        "ours": mine.clsb.value,
        "ours_error": mine.clsb.error,
        "ours_toys": OWN_TOYS,
    }
    return asymptotic, toys


def round_trip() -> Record:
    """Largest difference in NLL after writing and reading the models of three searches."""
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "again.json"
        for search in SEARCHES:
            first = read_hs3(ROOT / "models" / search / "unbinned.json")
            write_hs3(first.document, path)
            second = read_hs3(path)
            for name in first.analysis_names:
                before, after = compile_hs3(first, name), compile_hs3(second, name)
                toy, auxdata = before.throw(before.inits, keyed_generator(2, before.digest, 20), 1)
                one, other = (
                    model.derivatives(model.inits, toy, auxdata[0])[0] for model in (before, after)
                )
                differences.append(abs(one - other))
    return {"models": len(differences), "largest_nll": float(max(differences))}


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    warnings.simplefilter("ignore")
    one = case()
    found: Record = {
        "schema": "darkstats.unbinned-peers/1",
        "name": NAME,
        "signal_strength": STRENGTH,
        "least_strength": LEAST,
        "events": int(one.events.shape[1]),
        "limit": limits_of_two_engines(one),
    }
    print(found["limit"], flush=True)
    found["hepstats"], found["toys"] = hepstats_limit(one)
    print(found["hepstats"], found["toys"], flush=True)
    found["round_trip"] = round_trip()
    print(found["round_trip"], flush=True)
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    output.with_suffix(".json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
