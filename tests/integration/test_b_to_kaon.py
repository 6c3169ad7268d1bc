"""B -> K S from its card to limits on branching fractions, and to the mixing."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest

from darkstats import workflows as w
from darkstats.cli import run
from darkstats.errors import DocumentError, OptionError
from darkstats.signals.b_to_k import scalar_branching
from scanned_builds import build_and_scan, scan_of

MASSES_GEV = (0.25, 0.4, 0.6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A quick build of three masses, and its scan."""
    at = tmp_path_factory.mktemp("b_to_kaon")
    text = (repository / "models/b_to_k_scalar.yaml").read_text("utf-8")
    before, _, after = text.partition("masses_gev: [")
    masses = ", ".join(map(str, MASSES_GEV))
    card = at / "card.yaml"
    card.write_text(f"{before}masses_gev: [{masses}]{after.partition(']')[2]}", "utf-8")
    build_and_scan(at)
    return at


def test_branching_fractions_are_events_over_b_mesons_and_efficiency(folder: Path) -> None:
    """The limit times 2.04e8 B+ times the efficiency is the events of a count; 3.0 for none."""
    record = scan_of(folder)
    meta = json.loads((folder / "build/background_only.meta.json").read_text("utf-8"))
    assert record["parent_cross_section_pb"] == meta["parent_cross_section_pb"] == 1077
    observed = {
        one["name"]: one["data"][0]
        for one in json.loads((folder / "build/background_only.json").read_text("utf-8"))[
            "observations"
        ]
    }
    assert len(record["points"]) > 40
    for point in record["points"]:
        window = meta["windows"][point["name"]]
        branching = point["couplings"]["b_to_k_branching"]
        events = [
            value * 2.0354e8 * window["efficiency"]
            for value in (branching["observed"], branching["expected"][2])
        ]
        relative = window["efficiency_error"] / window["efficiency"]
        name = f"signal_region_{window['mass_gev']:.4f}".replace(".", "p")
        low, high = 0.999 * math.log(20.0), math.log(20.0) * (1.05 + 5.0 * relative**2)
        assert low < events[1] < high  # no event is the median of 0.1
        if observed[name] == 0.0:
            assert low < events[0] < high


def decays(folder: Path) -> tuple[tuple[str, str], ...]:
    """Lifetime of 1/sin^2 x 1 um, half of the decays to muons."""
    for name, column, value in (("ctau", "ctau_m", 1e-6), ("mumu", "BR", 0.5)):
        rows = "\n".join(f"{mass},{value}" for mass in (0.2, 1.0))
        (folder / f"{name}.csv").write_text(f"mass_GeV,{column}\n{rows}\n", "utf-8")
    return tuple((name, str(folder / f"{name}.csv")) for name in ("ctau", "mumu"))


def test_the_mixing_solves_the_equation(folder: Path) -> None:
    """sin^2 BR(B -> K S) BR(S -> mumu) is the limit on the branching fractions at its lifetime."""
    found = w.recast(
        w.RecastRequest(
            limit=str(folder / "scan/scan.json"), to="dark_higgs_mixing", production="b_to_k",
            final_state="mumu", decays=decays(folder),
        )
    ).result  # fmt: skip
    assert [point.mass_gev for point in found.first] == list(MASSES_GEV)
    points = scan_of(folder)["points"]
    for point in found.first:
        low = point.intervals[0].lower
        ctau_mm = 1e-3 / low**2
        rows = sorted(
            (math.log(one["values"][1]),
             math.log(one["couplings"]["b_to_k_branching"]["observed"]))
            for one in points if one["values"][0] == point.mass_gev
        )  # fmt: skip
        (a, x), (b, y) = next(
            (one, two) for one, two in itertools.pairwise(rows)
            if one[0] <= math.log(ctau_mm) <= two[0]
        )  # fmt: skip
        limit = math.exp(x + (y - x) * (math.log(ctau_mm) - a) / (b - a))
        made = low**2 * scalar_branching(point.mass_gev) * 0.5
        assert made == pytest.approx(limit, rel=1e-6)


def test_a_limit_on_another_rate_is_refused(folder: Path) -> None:
    """Of B0 -> K*0 S there is none in this scan."""
    with pytest.raises(OptionError, match="b_to_kstar_branching"):
        w.recast(
            w.RecastRequest(
                limit=str(folder / "scan/scan.json"), to="dark_higgs_mixing",
                production="b_to_kstar", final_state="mumu", decays=decays(folder),
            )
        )  # fmt: skip


def test_the_limit_at_one_lifetime_is_not_recast(folder: Path, tmp_path: Path) -> None:
    """Couplings give lifetimes of their own: the scan has a limit at each."""
    build, out = folder / "build", tmp_path / "limit.json"
    point = scan_of(folder)["points"][0]["name"]
    words = ["limit", str(build / "background_only.json"), "--patchset",
             str(next(build.glob("patchset.json*"))), "--point", point,
             "--cross-sections", "sigma_fb = 12.3*g**2", "-o", str(out)]  # fmt: skip
    assert run(words) == 0
    record = json.loads(out.read_text("utf-8"))
    assert record["searched"] == scan_of(folder)["searched"]
    assert record["ctau_mm"] > 0.0
    request = w.RecastRequest(
        limit=str(out), to="dark_photon", production="radiative", final_state="mumu"
    )
    with pytest.raises(DocumentError, match=r"is a limit at c tau = .* mm alone"):
        w.recast(request)
