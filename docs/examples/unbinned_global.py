"""Global significance of the unbinned search for axion-like particles over many masses.

    python docs/examples/unbinned_global.py FOLDER [--toys N] [--step K] [--output OUT]

Writes the unbinned model at every K-th mass of the committed workspace and the pseudo-data as
events into FOLDER, and asks ``darkstats global`` of them. Toys are spectra of events that every
window looks into. Signals are simulated where the cache lacks them. Everything is simulated.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from darkstats.searches.build import _signal_name
from darkstats.searches.card import read_card
from darkstats.searches.output import read_build
from darkstats.searches.pseudo_events import pseudo_events
from darkstats.searches.unbinned import bump_hunt_document
from darkstats.workflows import GlobalRequest, global_significance
from darkstats.workspace.hs3 import write_hs3
from darkstats.workspace.hs3.event_files import write_events

sys.path.insert(0, str(Path(__file__).parent))
from make_unbinned_models import samples

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Write model and events, and print the comparison of methods."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--toys", type=int, default=1024)
    parser.add_argument("--step", type=int, default=1, help="take every K-th mass")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--output", type=Path, help="keep the record here")
    args = parser.parse_args()
    card = read_card(ROOT / "models" / "alp.yaml")
    made = samples(card)
    assert card.signal is not None
    build = read_build(ROOT / "workspaces" / "alp")
    signals = {key[0]: made[_signal_name(key)] for key in card.signal.masses_gev}
    names = list(build.sidecar["windows"])[:: args.step]
    document = bump_hunt_document(card.settings, build, signals, names, title=card.title)
    args.folder.mkdir(parents=True, exist_ok=True)
    model = args.folder / "alp_every_mass.json"
    write_hs3(document.document, model)
    digest = build.record["card"]["digest"]
    found = pseudo_events(build.workspace, build.sidecar, seed=build.record["seed"], digest=digest)
    files = []
    for name, columns in found.items():
        files.append(args.folder / f"events_{name}.npz")
        write_events(files[-1], columns, {"simulated": True, "spectrum": name})
    outcome = global_significance(
        GlobalRequest(
            source=str(model),
            data=tuple(str(file) for file in files),
            output=str(args.folder / f"scan_{args.step}"),
            n_toys=args.toys,
            workers=args.workers,
        )
    )
    print(f"{len(names)} masses")
    print(outcome.result.to_markdown())
    if args.output is not None:
        record = {**outcome.record(), "masses": len(names)}
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        args.output.with_suffix(".json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
