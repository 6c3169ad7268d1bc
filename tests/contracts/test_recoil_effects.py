"""The study of effects on the recoil searches: its cards, its limits, and its page."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from darkstats.searches.card import read_card
from darkstats.searches.optimise import _limit
from darkstats.searches.output import read_build
from darkstats.searches.smooth_cuts import cut_of
from example_scripts import example_script

CHANGED_KEYS = {
    "zprime_invisible_2018": ("detector", "backgrounds", "recoil_hunt"),
    "zprime_invisible_2020": ("detector", "backgrounds", "recoil_hunt"),
    "dark_higgsstrahlung": ("detector", "selection", "backgrounds", "plane_scan"),
    "zprime_lfv_2018": ("detector", "backgrounds", "recoil_hunt"),
}


@pytest.fixture(scope="module")
def study(repository: Path) -> ModuleType:
    return example_script("recoil_effects")


@pytest.mark.parametrize("name", CHANGED_KEYS)
def test_shipped_cards_have_all_effects_on(
    study: ModuleType, repository: Path, tmp_path: Path, name: str
) -> None:
    """With all effects the card is the shipped one; without them a card that can be built."""
    shipped = yaml.safe_load((repository / "models" / f"{name}.yaml").read_text("utf-8"))
    assert study.card_with(name) == shipped
    plain = study.card_with(name, effects=0)
    assert {key for key in shipped if shipped[key] != plain.get(key)} == set(CHANGED_KEYS[name])
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(plain, sort_keys=False), "utf-8")
    before, after = read_card(path), read_card(repository / "models" / f"{name}.yaml")
    assert before.detector.extra_energy_efficiency == 1.0
    assert after.detector.extra_energy_efficiency < 1.0
    few, more = (
        next(b for b in card.backgrounds if b.process.name == "tau_pairs")
        for card in (before, after)
    )
    assert few.process.pion_misidentification == 0.0 < more.process.pion_misidentification
    # 919 pb, and what the pions add to the muons: 0.1082 of the taus times the chance
    added = 1.0 + more.process.pion_misidentification * 0.1082 / 0.1739
    added = added**2 if more.process.decays == "mumu" else added
    assert more.cross_section_pb / few.cross_section_pb == pytest.approx(added, rel=1e-3)


@pytest.mark.parametrize("name", CHANGED_KEYS)
def test_committed_workspaces_are_built_from_the_shipped_cards(repository: Path, name: str) -> None:
    """Every cut of the card holds in the workspace, with those that the search has chosen."""
    card = read_card(repository / "models" / f"{name}.yaml")
    build = read_build(repository / "workspaces" / name)
    assert build.record["card"]["digest"] == card.digest
    assert build.record["quick"] is False
    for channel in build.sidecar["channels"].values():
        held = [cut_of(plain) for plain in channel["cuts"]]
        followed = [cut for cut in held if cut not in card.settings.cuts]
        assert set(card.settings.cuts) <= set(held)
        optimise = getattr(card.settings, "optimise", None)
        chosen = {cut.variable for cut in followed}
        assert chosen == (set(optimise.scan) if optimise is not None else set())


def test_counting_limits_are_the_known_ones(study: ModuleType) -> None:
    """No event: ln 10, whatever the background; others by bisection of the Poisson sum."""
    counts = [(0, 1.3), (1, 0.3), (3, 2.0), (12, 9.0)]
    found = study.counting_limits(counts, cl=0.9, errors={})
    assert found[0] == pytest.approx(math.log(10.0), rel=1e-6)
    for (n, background), limit in zip(counts, found, strict=True):
        assert limit == pytest.approx(_limit(n, background, 0.9), rel=1e-5)
    (wide,) = study.counting_limits([(3, 2.0)], cl=0.9, errors={"signal": 0.2, "background": 0.2})
    assert wide > 1.02 * found[2]


def test_the_median_limit_moves_continuously_with_the_background(study: ModuleType) -> None:
    backgrounds = [0.05 * k for k in range(81)]
    values = study.median_counting_limits(backgrounds, cl=0.9, errors={})
    assert values[0] == pytest.approx(math.log(10.0), rel=1e-6)
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
