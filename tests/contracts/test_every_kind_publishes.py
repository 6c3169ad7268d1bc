"""A built search of each kind, scanned and published as anybody would, and verified."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from darkstats.cli import run
from darkstats.searches.card_kinds import KINDS
from scanned_builds import build_and_scan

#: Cards of each kind, made small by changes.
CARDS: dict[str, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    "bump_hunt": (
        "bump_hunt", "alp",
        (
            (r"constant_gev: 0.009, slope: 0.0105", "constant_gev: 0.09, slope: 0.05"),
            (r"relative_energy: 0.021", "relative_energy: 0.2"),
            (r"quick: \d+", "quick: 20000"),
        ),
    ),
    "counting": (
        "counting", "b_to_k_scalar", ((r"masses_gev: \[[^]]*\]", "masses_gev: [0.25, 0.4, 0.6]"),),
    ),
    "counting of photons": (
        "counting", "b_to_k_alp", ((r"masses_gev: \[[^]]*\]", "masses_gev: [0.5, 1.0]"),),
    ),
    "recoil_hunt": (
        "recoil_hunt", "zprime_mumu_cuts",
        (
            (r"step_sigma: 2.0", "step_sigma: 60.0"),
            (r"quick: \d+", "quick: 5000"),
            (r"events_per_block: \d+", "events_per_block: 5000"),
        ),
    ),
    "plane_scan": (
        "plane_scan", "dark_higgsstrahlung",
        (
            (r"step_sigma: 1.1", "step_sigma: 20.0"),
            (r"quick: \d+", "quick: 100000"),
            (r"quick: 100000}\n  events_per_block", "quick: 5000}\n  events_per_block"),
        ),
    ),
}  # fmt: skip


def test_each_kind_is_here() -> None:
    assert {kind for kind, _, _ in CARDS.values()} == set(KINDS)


@pytest.mark.parametrize("key", CARDS)
def test_a_built_search_is_published_with_its_limits(
    key: str, tmp_path: Path, repository: Path
) -> None:
    """The scan of a build is one of that build, whatever its sidecar and its record say."""
    kind, name, changes = CARDS[key]
    text = (repository / f"models/{name}.yaml").read_text("utf-8")
    assert f"kind: {kind}\n" in text
    for pattern, to in changes:
        text, count = re.subn(pattern, to, text)
        assert count, pattern
    (tmp_path / "card.yaml").write_text(text, "utf-8")
    build_and_scan(tmp_path)
    source, bundle = str(tmp_path / "build"), tmp_path / "bundle"
    scan = str(tmp_path / "scan/scan.json")
    assert run(["publish", source, "--scan", scan, "-o", str(bundle), "--author", "A. Person"]) == 0
    stated = json.loads((bundle / "limits.json").read_text("utf-8"))
    assert stated == json.loads(Path(scan).read_text("utf-8"))
    assert run(["verify", str(bundle), "--points", "2"]) == 0
