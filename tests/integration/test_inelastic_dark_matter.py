"""Inelastic dark matter from its card to both ends of the excluded mixing."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats import workflows as w
from darkstats.cli import run
from darkstats.errors import OptionError
from darkstats.signals.dark_photon import cross_section_pb
from darkstats.signals.inelastic_dark_matter import InelasticDarkMatter


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A quick build of three masses, and its scan."""
    at = tmp_path_factory.mktemp("idm")
    text = (repository / "models/inelastic_dark_matter.yaml").read_text("utf-8")
    before, _, after = text.partition("masses_gev: [")
    card = at / "card.yaml"
    card.write_text(f"{before}masses_gev: [0.5, 1.0, 2.0]{after.partition(']')[2]}", "utf-8")
    assert run(["build", str(card), "-o", str(at / "build"), "--quick"]) == 0
    assert run(["scan", str(at / "build"), "-o", str(at / "scan")]) == 0
    return at


def scan(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "scan/scan.json").read_text("utf-8"))


def test_limits_are_those_of_no_event(folder: Path) -> None:
    """ln 10 events of posterior 90 %, with 5 % errors of the efficiency: within 1 % of 2.30."""
    build = json.loads((folder / "build/background_only.meta.json").read_text("utf-8"))
    points = scan(folder)["points"]
    assert len(points) > 40
    for point in points:
        events = (
            1e-3
            * point["cross_section_fb"]["observed"]
            * build["windows"][point["name"]]["signal_events_per_pb"]
        )
        error = build["windows"][point["name"]]["efficiency_error"]
        relative = error / build["windows"][point["name"]]["efficiency"]
        # a Gaussian error d of the yield raises the limit by about d^2 (1 + ln 10) / 2 at most
        assert math.log(10.0) * 0.999 < events
        assert events < math.log(10.0) * (1.01 + 4.0 * relative**2)


def test_both_ends_of_the_mixing_solve_the_equation(folder: Path) -> None:
    """eps^2 sigma BR(ee) is the limit at the lifetime of this mixing; about 1e-4 at 100/fb."""
    found = w.recast(
        w.RecastRequest(
            limit=str(folder / "scan/scan.json"), to="inelastic_dark_matter",
            production="radiative", final_state="ee",
        )
    ).result  # fmt: skip
    points = scan(folder)["points"]
    assert [point.mass_gev for point in found.first] == [0.5, 1.0, 2.0]
    for point in found.first:
        model = InelasticDarkMatter.benchmark(point.mass_gev)
        widths = model.widths_gev()
        share = widths["ee"] / sum(widths.values())
        rows = [one for one in points if one["values"][0] == point.mass_gev]
        x = np.log([one["values"][1] for one in rows])
        y = np.log([1e-3 * one["cross_section_fb"]["observed"] for one in rows])
        (interval,) = point.intervals
        ends = [interval.lower]
        if interval.upper is not None and interval.upper_reason is None:
            ends.append(interval.upper)
        for end in ends:
            limit = math.exp(np.interp(math.log(model.ctau_mm(end)), x, y))
            made = cross_section_pb(model.mediator_gev, end) * share
            assert made == pytest.approx(limit, rel=1e-6)
        assert interval.upper is not None
        assert interval.upper > 10.0 * interval.lower
        # the sensitivity that is quoted for 100/fb is 1e-4 (Belle II, proceedings)
        assert 1e-4 < interval.lower < 3e-4


def test_windows_along_the_flight_are_refused(folder: Path) -> None:
    """What decays is chi2, and the momentum that is known is that of A'."""
    with pytest.raises(OptionError, match="not what is made"):
        w.RecastRequest(
            limit=str(folder / "scan/scan.json"), to="inelastic_dark_matter",
            production="radiative", final_state="ee", window="2:9",
        )  # fmt: skip
