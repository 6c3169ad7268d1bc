"""Credible limits, binned and unbinned, of the searches that quote them; zfit's sampler beside.

    python docs/examples/unbinned_posterior.py OUT [--emcee STEPS]

Reads the committed workspaces and unbinned models. Writes ``OUT.json``, from which
``docs/studies/unbinned.md`` is made. Everything is simulated.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from darkstats.inference.bayes import bayes_limits
from darkstats.model import compile_workspace
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.searches.output import read_build
from darkstats.searches.pseudo_events import pseudo_events
from darkstats.workspace import read_workspace
from darkstats.workspace.hs3 import Hs3Document, read_hs3

ROOT = Path(__file__).resolve().parents[2]
SEARCHES = ("zprime_invisible_2018", "dark_higgsstrahlung")
LEVEL = 0.90


def sampled(
    document: Hs3Document, model: UnbinnedModel, limit: float, steps: int
) -> tuple[float, float, int]:
    """Limit by zfit's ensemble sampler, its error from groups of walkers, and draws."""
    from darkstats.model.unbinned.zfit_model import import_zfit, zfit_likelihood

    zfit = import_zfit()
    likelihood = zfit_likelihood(document, model.analysis)
    assert model.observation.events is not None
    parts = [part.events_of(0) for part in model.observation.events.channels]
    loss = likelihood.loss([x[:, w > 0.0] for x, w in parts])
    start = np.array(model.inits)
    start[model.require_poi()] = 0.4 * limit
    likelihood.set_values(start)
    for name, parameter in zip(model.parameter_names, likelihood.parameters, strict=True):
        low, high = (0.0, 12.0 * limit) if name == model.poi_name else (-7.0, 7.0)
        parameter.lower, parameter.upper = low, high
        parameter.set_prior(zfit.prior.Uniform(low, high))
    walkers = 48
    np.random.seed(7)  # noqa: NPY002 -- emcee's own generator
    drawn = zfit.mcmc.EmceeSampler(nwalkers=walkers).sample(
        loss=loss, params=list(likelihood.parameters), n_samples=steps, n_warmup=steps // 2
    )
    chain = np.asarray(drawn.samples)[:, model.require_poi()].reshape(steps, walkers)
    groups = [np.quantile(part, LEVEL) for part in np.split(chain, 8, axis=1)]
    error = float(np.std(groups, ddof=1)) / math.sqrt(len(groups))
    return float(np.quantile(chain, LEVEL)), error, chain.size


def main() -> None:
    """Run everything, print as it comes, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--emcee", type=int, default=0)
    args = parser.parse_args()
    study: dict[str, Any] = {"schema": "darkstats.unbinned-posterior/1", "searches": {}}
    for search in SEARCHES:
        document = read_hs3(ROOT / "models" / search / "unbinned.json")
        build = read_build(ROOT / "workspaces" / search)
        digest = build.record["card"]["digest"]
        events = pseudo_events(
            build.workspace, build.sidecar, seed=build.record["seed"], digest=digest
        )
        rows = []
        for name in document.analysis_names:
            model = compile_hs3(document, name)
            channel = model.channels[0]
            spectrum = events[build.sidecar["windows"][name].get("spectrum", "plane")]
            x = np.array([spectrum[column] for column in channel.observables])
            ends = np.array(channel.ranges).T[:, :, None]
            x = x[:, ((x >= ends[0]) & (x <= ends[1])).all(axis=0)]
            model = model.with_observation(model.observe([x]))
            binned = compile_workspace(
                read_workspace(
                    str(build.workspace_path), patchset=str(build.patch_set_path), point=name
                )
            )
            found = bayes_limits([model, binned], cl=LEVEL, expected="none")
            row: dict[str, Any] = {
                "name": name,
                "values": dict(model.values),
                "events": int(x.shape[1]),
                "unbinned": found[0].observed,
                "unbinned_error": found[0].observed_error,
                "unbinned_engine": found[0].engine,
                "binned": found[1].observed,
                "binned_engine": found[1].engine,
            }
            if args.emcee and not rows:
                assert found[0].observed is not None
                limit, error, draws = sampled(document, model, found[0].observed, args.emcee)
                row |= {"emcee": limit, "emcee_error": error, "emcee_draws": draws}
            print(search, row, flush=True)
            rows.append(row)
        study["searches"][search] = {"cl": LEVEL, "rows": rows}
    text = json.dumps(study, indent=1, sort_keys=True) + "\n"
    args.output.with_suffix(".json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
