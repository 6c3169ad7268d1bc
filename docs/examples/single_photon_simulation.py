"""What the statistics of simulation make of the search for single photons, sample by sample.

    python docs/examples/single_photon_simulation.py CACHE OUTPUT

The fit of a window is linear in small changes of the counts: the change of the signed root at no
signal is a sum over bins, with weights from the Fisher information of counts and constraints. So
the error that each sample makes comes without fits (`errors`), as does the difference of two
simulations (`shifts`).

`few_events` says what 2 million events of three photons gave, as the card had them: those with a
photon in a gap or along a beam, 40 million for each of two seeds, are cut into twenty such samples.
Everything is simulated.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

import darkstats
from darkstats.scan.spectrum import SpectrumMap, read_fill
from darkstats.searches.build import sample_requests, simulate
from darkstats.searches.card import read_card
from darkstats.searches.cuts import passing
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.production import _encode, _path, _read, _write, make_block
from darkstats.simulation.three_photons import ThreePhotons

sys.path.insert(0, str(Path(__file__).parent))
from spurious_signal import SEEDS, at_no_signal

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "workspaces/single_photon"
PARTS, PART_MASSES_GEV = 20, (5.14696, 5.30903, 5.4691)


def root_weights(model: darkstats.Model) -> np.ndarray:
    """Change of the signed root for one more event in each bin. Shape [bin]."""
    zero, background, _ = at_no_signal(model, model.observation.counts)
    index = model.parameter_index("mu")
    slopes = np.empty((model.n_bins, len(zero)))
    for k in range(len(zero)):
        step = np.zeros(len(zero))
        step[k] = 1e-2 if k == index else 1e-4
        up, down = model.expected_rates(zero + step), model.expected_rates(zero - step)
        slopes[:, k] = (up - down) / (2.0 * step[k])
    known = [0.0 if p.constraint == "none" else p.width**-2 for p in model.parameters]
    inverse = np.linalg.inv(slopes.T @ (slopes / background[:, None]) + np.diag(known))
    return np.asarray((inverse @ (slopes.T / background))[index] / np.sqrt(inverse[index, index]))


def filled(sample, hunt, edges: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """Sums of the events, and of their squares, on the fine grid. Shapes [theta x fine bin]."""
    events = sample.events(hunt.luminosity_ipb)
    place = sample[hunt.angle], sample[hunt.variable]
    return [np.histogram2d(*place, bins=edges, weights=events**k)[0].ravel() for k in (1, 2)]


def main() -> None:
    cache, output = Path(sys.argv[1]), Path(sys.argv[2])
    card = read_card(REPOSITORY / "models/single_photon.yaml")
    hunt, names = card.settings, [b.name for b in card.backgrounds]
    meta = json.loads((FOLDER / "background_only.meta.json").read_text("utf-8"))
    (channel,) = meta["channels"].values()
    edges = np.radians(channel["theta_edges_deg"]), np.array(channel["edges"])
    document = darkstats.read_workspace(str(FOLDER / "background_only.json")).document
    spectra = SpectrumMap.of(document, read_fill(FOLDER / "fill.json"))
    made = {seed: simulate(card, cache=cache, seed=seed) for seed in SEEDS}
    fine = {(s, n): filled(made[s][n], hunt, edges) for s in SEEDS for n in names}
    rows, weights = [], {}
    for name, window in meta["windows"].items():
        workspace = darkstats.read_workspace(
            str(FOLDER / "background_only.json"), patchset=str(FOLDER / "patchset.json"), point=name
        )
        here, held = root_weights(darkstats.compile_workspace(workspace)), spectra.window(name)
        weights[window["mass_gev"]] = here, held
        errors, shifts = {}, {}
        for sample in names:
            one, two = fine[SEEDS[0], sample], fine[SEEDS[1], sample]
            errors[sample] = float(np.sqrt(here**2 @ held.gather(0.5 * (one[1] + two[1]))))
            shifts[sample] = float(here @ held.gather(two[0] - one[0]))
        total = float(np.sqrt(2.0 * sum(e**2 for e in errors.values())))
        row = {"mass_gev": window["mass_gev"], "errors": errors, "shifts": shifts}
        rows.append(row | {"two_simulations": total, "shift": sum(shifts.values())})
    few = parts(card, cache, weights, edges)
    digits = json.loads(json.dumps({"rows": rows, "few_events": few}), parse_float=_short)
    record = {"simulated": True, "card": card.digest} | digits
    output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps(digits["few_events"], indent=1))


def _short(text: str) -> float:
    return float(f"{float(text):.4g}")


def parts(card, cache: Path, weights, edges) -> list[dict[str, float]]:
    """Spread of the signed root by three photons, a twentieth of the events at a time."""
    found: dict[float, list[float]] = {mass: [] for mass in PART_MASSES_GEV}
    own_errors: dict[float, list[float]] = {mass: [] for mass in PART_MASSES_GEV}
    process = ThreePhotons(
        min_energy_gev=0.15, max_cosine=0.96, part="inside",
        ranges_deg=((5.0, 12.4), (31.4, 32.2), (128.7, 130.7), (155.1, 175.0)),
    )  # fmt: skip
    for seed in SEEDS:
        requests = sample_requests(card, quick=False, seed=seed)
        (request,) = (r for r in requests if r.name == "three_photons_gap")
        request = dataclasses.replace(request, process=process, n_events=PARTS * 2_000_000)
        whole = request.n_blocks // PARTS
        for k in range(PARTS):
            blocks = [_cached(request, b, cache) for b in range(k * whole, (k + 1) * whole)]
            sample = Candidates.concatenate(blocks)
            sample = sample.select(passing(sample, card.settings.cuts))
            sums, squares = filled(sample, card.settings, edges)
            for mass in PART_MASSES_GEV:
                here, held = weights[mass]
                found[mass].append(float(here @ held.gather(sums)))
                own_errors[mass].append(float(np.sqrt(here**2 @ held.gather(squares))))
    rows = []
    for mass in PART_MASSES_GEV:
        roots, own = np.array(found[mass]), np.array(own_errors[mass])
        pairs = np.abs(roots[:, None] - roots)[np.triu_indices(len(roots), 1)]
        rows.append(
            {
                "mass_gev": mass, "samples": len(roots), "spread": float(roots.std(ddof=1)),
                "own_error_least": float(own.min()), "own_error_median": float(np.median(own)),
                "own_error_most": float(own.max()), "largest_difference": float(pairs.max()),
                "pairs_beyond_0.33": float(np.mean(pairs > 0.33)),
            }
        )  # fmt: skip
    return rows


def _cached(request, block: int, cache: Path):
    path = _path(cache, request.digest(), block)
    found = _read(path)
    if found is None:
        found = make_block(request, block)
        _write(path, _encode(found))
    return found


if __name__ == "__main__":
    main()
