"""One mass of the unbinned search for axion-like particles beside zfit, hepstats and pyhs3.

    python docs/examples/unbinned_peers.py OUT

Needs ``darkstats[unbinned]``. Writes ``OUT.json``, from which ``docs/studies/unbinned.md`` is made.
The data are a toy with signal, so that the best fit lies away from zero, where hepstats' test
statistic is ours.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from darkstats.fit import fit
from darkstats.inference import ToyOptions, hypotest, upper_limit
from darkstats.model.unbinned.model import compile_hs3
from darkstats.model.unbinned.zfit_engine import ZfitEngine
from darkstats.model.unbinned.zfit_model import import_zfit, zfit_likelihood
from darkstats.streams import keyed_generator
from darkstats.workspace.hs3 import read_hs3, write_hs3

ROOT = Path(__file__).resolve().parents[2]
NAME, STRENGTH, LEAST = "m_0p9979", 0.3, -0.02
TOYS = 100  # of hepstats


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    warnings.simplefilter("ignore")
    zfit = import_zfit()
    from hepstats.hypotests import UpperLimit
    from hepstats.hypotests.calculators import AsymptoticCalculator, FrequentistCalculator
    from hepstats.hypotests.parameters import POI, POIarray

    document = read_hs3(ROOT / "models" / "alp" / "unbinned.json")
    model = compile_hs3(document, NAME)
    truth = np.array(model.inits)
    truth[model.require_poi()] = STRENGTH
    data, auxdata = model.throw(truth, keyed_generator(1, model.digest, 19), 1)
    x, weights = data.channels[0].events_of(0)
    observation = model.observe([x[:, weights > 0.0]])
    assert fit(model, observation).poi > 0.1
    likelihood = zfit_likelihood(document, NAME)
    found: dict[str, Any] = {"schema": "darkstats.unbinned-peers/1", "name": NAME}

    ours = upper_limit(model, observation, probe=False, scan_points=0)
    engine = ZfitEngine.of_likelihood(likelihood, model.parameter_names)
    theirs = upper_limit(model.with_engine(engine), observation, probe=False, scan_points=0)
    found["limit"] = {"kernels": ours.observed, "zfit_loss": theirs.observed}
    print(found["limit"], flush=True)

    clsb = upper_limit(
        model, observation, method="clsb", test_stat="q", poi_lower=LEAST, probe=False,
        scan_points=0,
    )  # fmt: skip
    likelihood = zfit_likelihood(document, NAME)
    loss = likelihood.loss([x[:, weights > 0.0]])
    poi = likelihood.parameters[model.require_poi()]
    poi.lower = LEAST
    minuit = zfit.minimize.Minuit(tol=1e-5)
    strengths = [float(f) * clsb.observed for f in (0.85, 0.95, 1.0, 1.05, 1.15)]
    calculator = AsymptoticCalculator(loss, minuit, asimov_bins=400)
    limit = UpperLimit(calculator, POIarray(poi, strengths), POI(poi, 0.0), qtilde=False)
    p_values = np.asarray(limit.pvalues(CLs=False)["clsb"])
    own = [
        hypotest(model, observation, mu, test_stat="q", poi_lower=LEAST).clsb.value
        for mu in strengths
    ]
    crossing = float(np.interp(math.log(0.05), np.log(p_values[::-1]), strengths[::-1]))
    found["hepstats"] = {
        "strengths": strengths,
        "clsb": p_values.tolist(),
        "clsb_ours": own,
        "limit": crossing,
        "limit_ours": clsb.observed,
    }
    print(found["hepstats"], flush=True)

    tested = strengths[1]
    toys = hypotest(
        model, observation, tested, test_stat="q", poi_lower=LEAST, calculator="toys",
        toys=ToyOptions(n_toys=4096, seed=1),
    )  # fmt: skip
    thrown = FrequentistCalculator(loss, zfit.minimize.Minuit(), ntoysnull=TOYS, ntoysalt=1)
    null, _ = thrown.pvalue(
        POIarray(poi, [tested]), POIarray(poi, [0.0]), qtilde=False, onesided=True
    )
    p = float(null[0])
    found["toys"] = {
        "strength": tested,
        "hepstats": p,
        "hepstats_error": math.sqrt(max(p * (1.0 - p), 0.01) / TOYS),
        "ours": toys.clsb.value,
        "ours_error": toys.clsb.error,
    }
    print(found["toys"], flush=True)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "again.json"
        differences = []
        for search in ("alp", "zprime_invisible_2018", "dark_higgsstrahlung"):
            first = read_hs3(ROOT / "models" / search / "unbinned.json")
            write_hs3(first.document, path)
            second = read_hs3(path)
            for name in first.analysis_names:
                a, b = compile_hs3(first, name), compile_hs3(second, name)
                toy, aux = a.throw(a.inits, keyed_generator(2, a.digest, 20), 1)
                values = [m.derivatives(m.inits, toy, aux[0])[0] for m in (a, b)]
                differences.append(abs(values[0] - values[1]))
    found["round_trip_nll"] = max(differences)
    print(found["round_trip_nll"], len(differences), flush=True)
    output.with_suffix(".json").write_text(
        json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main()
