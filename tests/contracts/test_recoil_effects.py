"""The study of effects on the recoil searches: its cards, its limits, and its page."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from darkstats.searches.card import read_card
from darkstats.searches.optimise import _limit

FINAL_KEYS = {
    "zprime_invisible_2018": ("detector", "backgrounds", "recoil_hunt"),
    "zprime_invisible_2020": ("detector", "backgrounds", "recoil_hunt"),
    "dark_higgsstrahlung": ("detector", "selection", "backgrounds", "plane_scan"),
    "zprime_lfv_2018": ("detector", "backgrounds", "recoil_hunt"),
}


@pytest.fixture(scope="module")
def study(repository: Path) -> ModuleType:
    path = repository / "docs/examples/recoil_effects.py"
    spec = importlib.util.spec_from_file_location("recoil_effects", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", FINAL_KEYS)
def test_cards_with_all_effects_are_good(
    study: ModuleType, repository: Path, tmp_path: Path, name: str
) -> None:
    """Without an effect the card is the shipped one; with all of them a card that can be built."""
    shipped = yaml.safe_load((repository / "models" / f"{name}.yaml").read_text("utf-8"))
    assert study.final_card(name, effects=0) == shipped
    final = study.final_card(name)
    assert {key for key in final if final[key] != shipped.get(key)} == set(FINAL_KEYS[name])
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(final, sort_keys=False), "utf-8")
    card = read_card(path)
    assert card.detector.extra_energy_efficiency == study.QUIET
    (taus,) = (b for b in card.backgrounds if b.process.name == "tau_pairs")
    assert taus.process.pion_misidentification > 0.0
    assert taus.cross_section_pb is not None
    assert 1.0 < taus.cross_section_pb / (27.79 if taus.process.decays == "mumu" else 56.96) < 1.5


def test_counting_limits_are_the_known_ones(study: ModuleType) -> None:
    """No event: ln 10, whatever the background; others by bisection of the Poisson sum."""
    assert study.counting_limit(0, 1.3, cl=0.9) == pytest.approx(math.log(10.0), rel=1e-3)
    for n, background in ((1, 0.3), (3, 2.0), (12, 9.0)):
        expected = _limit(n, background, 0.9)
        assert study.counting_limit(n, background, cl=0.9) == pytest.approx(expected, rel=1e-3)
    wide = study.counting_limit(3, 2.0, cl=0.9, signal_error=0.2, background_error=0.2)
    assert wide > 1.02 * study.counting_limit(3, 2.0, cl=0.9)


def test_the_median_limit_moves_continuously_with_the_background(study: ModuleType) -> None:
    values = [study.median_counting_limit(0.05 * k, cl=0.9) for k in range(81)]
    assert values[0] == pytest.approx(math.log(10.0), rel=1e-3)
    steps = [b - a for a, b in pairwise(values)]
    assert min(steps) > -1e-3
    assert max(steps) < 0.2  # a jump from one whole count to the next is more than 0.9


def test_the_page_is_what_the_record_gives(study: ModuleType, repository: Path) -> None:
    folder = repository / "docs/studies"
    record = json.loads((folder / "fidelity-effects.json").read_text("utf-8"))
    page = (folder / "fidelity-effects.md").read_text("utf-8")
    assert page == study.page(record)
    assert "@" not in page
    assert set(record) <= set(study.SEARCHES)
    assert page.count("Not measured.") == len(set(study.SEARCHES) - set(record))
