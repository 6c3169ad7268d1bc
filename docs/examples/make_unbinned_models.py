"""Make the unbinned models of the searches: ``python docs/examples/make_unbinned_models.py OUT``.

Windows, smooth spectra and cuts come from the committed workspaces, signal shapes from the
simulated signals of the cards (``darkstats simulate CARD``), which are made where the cache lacks
them. Everything is simulated.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from darkstats.searches.build import _signal_name, simulate
from darkstats.searches.card import SearchCard, read_card
from darkstats.searches.cuts import passing
from darkstats.searches.output import BuildFolder, read_build
from darkstats.searches.plane_response import highest_higgs
from darkstats.searches.smooth_cuts import cut_of
from darkstats.searches.unbinned import (
    bump_hunt_document,
    plane_document,
    recoil_hunt_document,
)
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.production import default_cache
from darkstats.workspace.hs3 import Hs3Document, write_hs3

ROOT = Path(__file__).resolve().parents[2]
ALP_MASSES = (1.0, 0.25, 0.35, 0.5, 0.75, 1.5, 2.5, 3.5, 5.0, 6.5, 7.5, 8.5, 9.4)
ZPRIME_MASSES = (3.0, 0.5, 1.2, 1.8, 2.4, 3.6, 4.2, 4.8, 5.4, 6.0, 6.6, 7.2)
DARK_HIGGS = tuple(
    (mass, fraction) for mass in (6.0, 4.5, 5.0, 7.0, 8.0, 7.5) for fraction in (0.15, 0.6)
)


def samples(card: SearchCard) -> dict[str, Candidates]:
    """Signals of a card, as the committed workspaces have them."""
    return simulate(replace(card, backgrounds=()), cache=default_cache(), seed=1, workers=1)


def nearest(folder: Path, masses: tuple[float, ...]) -> list[str]:
    """Names of the hypotheses of a build that lie closest to some masses."""
    windows = read_build(folder).sidecar["windows"]
    names = [name for name in windows if not name.endswith("_shifted")]
    grid = np.array([windows[name]["mass_gev"] for name in names])
    return [names[int(np.argmin(np.abs(grid - mass)))] for mass in masses]


def alp() -> Hs3Document:
    """Axion-like particles at a dozen masses."""
    card = read_card(ROOT / "models" / "alp.yaml")
    made = samples(card)
    assert card.signal is not None
    folder = ROOT / "workspaces" / "alp"
    signals = {key[0]: made[_signal_name(key)] for key in card.signal.masses_gev}
    return bump_hunt_document(
        card.settings, read_build(folder), signals, nearest(folder, ALP_MASSES), title=card.title
    )


def passed_signals(
    card: SearchCard, folder: BuildFolder, channel: str, least: int
) -> dict[tuple[float, ...], Candidates]:
    """Simulated signals of a card that pass the cuts of its build, where there are enough.

    The build has chosen cuts that no card holds; its sidecar has all of them.
    """
    assert card.signal is not None
    made = samples(card)
    cuts = [cut_of(plain) for plain in folder.sidecar["channels"][channel]["cuts"]]
    signals = {key: made[_signal_name(key)] for key in card.signal.masses_gev}
    passed = {key: s.select(passing(s, cuts)) for key, s in signals.items()}
    return {key: sample for key, sample in passed.items() if len(sample) > least}


def zprime() -> Hs3Document:
    """An invisible Z' at a dozen masses."""
    card = read_card(ROOT / "models" / "zprime_invisible_2018.yaml")
    path = ROOT / "workspaces" / "zprime_invisible_2018"
    folder = read_build(path)
    found = passed_signals(card, folder, "recoil", 200)
    signals = {key[0]: sample for key, sample in found.items()}
    return recoil_hunt_document(
        card.settings, folder, signals, nearest(path, ZPRIME_MASSES), title=card.title
    )


def dark_higgs() -> Hs3Document:
    """Dark Higgsstrahlung at a dozen points."""
    card = read_card(ROOT / "models" / "dark_higgsstrahlung.yaml")
    folder = read_build(ROOT / "workspaces" / "dark_higgsstrahlung")
    windows = folder.sidecar["windows"]
    names = []
    for mass, fraction in DARK_HIGGS:
        wanted = (mass, (fraction * highest_higgs(mass)) ** 2)

        def away(name: str, wanted: tuple[float, float] = wanted) -> float:
            facts = windows[name]
            offset = np.subtract(facts["centre"], wanted) / facts["sigma"]
            return float((offset**2).sum())

        names.append(min(windows, key=away))
    signals = passed_signals(card, folder, "plane", 100)
    return plane_document(card.settings, folder, signals, names, title=card.title)


MODELS = {
    "alp": alp,
    "zprime_invisible_2018": zprime,
    "dark_higgsstrahlung": dark_higgs,
}


def main(output: Path) -> None:
    """Write all models below a folder."""
    for name, make in MODELS.items():
        folder = output / name
        folder.mkdir(parents=True, exist_ok=True)
        write_hs3(make().document, folder / "unbinned.json")
        print(folder / "unbinned.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
