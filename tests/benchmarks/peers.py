"""Peers, timed in an interpreter of their own: reads a request on stdin, prints one JSON line.

NextStat (AGPL) and the NumPy that pyhf's minuit optimizer needs live in that interpreter's
environment; darkstats never imports either of them for this.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

CODES = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}


def pyhf_model(request: dict[str, Any]) -> Any:
    import pyhf

    pyhf.set_backend("numpy", request["peer"].split("-")[1])
    return pyhf.Workspace(request["workspace"]).model(modifier_settings=CODES)


def pyhf_toys(request: dict[str, Any]) -> dict[str, float]:
    """Free fits of the very toys that darkstats fits."""
    import pyhf

    model = pyhf_model(request)
    main = [np.asarray(toy["main"]) for toy in request["toys"]]
    toys = [np.concatenate([m, toy["aux"]]) for m, toy in zip(main, request["toys"], strict=True)]
    failed, start = 0, time.perf_counter()
    for toy in toys:
        try:
            pyhf.infer.mle.fit(toy, model)
        except pyhf.exceptions.FailedMinimization:
            failed += 1
    return {"rate": len(toys) / (time.perf_counter() - start), "failed": failed / len(toys)}


def nextstat_toys(request: dict[str, Any]) -> dict[str, float]:
    """NextStat's own batched toy fits, on all cores; the toys are its own, from the same point."""
    import nextstat

    model = nextstat.from_pyhf(json.dumps(request["workspace"]))
    names, point = list(model.parameter_names()), list(model.suggested_init())
    point[names.index(request["workspace"]["measurements"][0]["config"]["poi"])] = 0.0
    n_toys = request["n_toys"]
    nextstat.fit_toys(model, point, n_toys=10, seed=1)
    start = time.perf_counter()
    fits = nextstat.fit_toys(model, point, n_toys=n_toys, seed=2)
    seconds = time.perf_counter() - start
    return {"rate": n_toys / seconds, "failed": sum(not fit.converged for fit in fits) / n_toys}


def pyhf_hypotest(request: dict[str, Any]) -> dict[str, float]:
    """Wall time of one asymptotic hypothesis test at mu = 1, model built beforehand."""
    import pyhf

    model = pyhf_model(request)
    data = pyhf.Workspace(request["workspace"]).data(model)
    start = time.perf_counter()
    value = pyhf.infer.hypotest(1.0, data, model, test_stat="qtilde", return_expected_set=True)
    return {"seconds": time.perf_counter() - start, "CLs_obs": float(value[0])}


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    if request["task"] == "hypotest":
        answer = pyhf_hypotest(request)
    elif request["peer"] == "nextstat":
        answer = nextstat_toys(request)
    else:
        answer = pyhf_toys(request)
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
