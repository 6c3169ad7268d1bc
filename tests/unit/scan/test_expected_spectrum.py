"""What the expected spectrum gives in windows whose background does not follow it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from darkstats.execution.processes import InProcess, LocalProcesses
from darkstats.execution.run import run_job
from darkstats.look_elsewhere import LocalTally
from darkstats.look_elsewhere.spectrum_job import TOY_TASKS, collect_tallies, toys_job
from darkstats.report.scan_exports import scan_columns
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_records import scan_record
from darkstats.scan.expected_spectrum import LARGEST_BIAS, bias_words
from darkstats.scan.job import LIMIT_TASKS, collect_scan, limits_job
from darkstats.scan.mass_hypotheses import BinnedHypotheses
from darkstats.scan.mass_scan import MassScan
from darkstats.scan.settings import ScanSettings
from darkstats.scan.spectrum_toys import TOYS_PER_BLOCK

CODES = "normsys=code4,histosys=code4p"
N_FINE = 40
#: Flat at 100, with a hump in bin 12 and a dip in bin 26 that no window's sideband knows of.
EXPECTED = np.full(N_FINE, 100.0)
EXPECTED[12], EXPECTED[26] = 112.0, 88.0
MASSES = (6, 12, 26, 33)
SIDE = 3  # fine bins on either side


def _window(mass: int) -> dict[str, Any]:
    """On/off: one fine bin for the signal, three on either side for the background."""
    on, off = EXPECTED[mass], 2 * SIDE * 100.0
    background = {"name": "bkg", "modifiers": [{"name": "nb", "type": "normfactor", "data": None}]}
    signal = {
        "name": "sig",
        "data": [10.0],
        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
    }
    counts = {12: 130.0}.get(mass, round(on))
    return {
        "name": f"m_{mass}",
        "values": [float(mass)],
        "patch": [
            {
                "op": "replace",
                "path": "/channels",
                "value": [
                    {"name": "a", "samples": [signal, {**background, "data": [100.0]}]},
                    {"name": "b", "samples": [{**background, "data": [off]}]},
                ],
            },
            {
                "op": "replace",
                "path": "/observations",
                "value": [{"name": "a", "data": [counts]}, {"name": "b", "data": [off]}],
            },
        ],
    }


@pytest.fixture(scope="module")
def inputs() -> dict[str, Any]:
    bins = {
        f"m_{m}": {
            "a": {"spectrum": "all", "bins": [[m, 1]]},
            "b": {"spectrum": "all", "bins": [[m - SIDE, SIDE, m + 1, SIDE]]},
        }
        for m in MASSES
    }
    return {
        "workspace": {
            "channels": [
                {
                    "name": "all",
                    "samples": [
                        {
                            "name": "bkg",
                            "data": EXPECTED.tolist(),
                            "modifiers": [],
                        }
                    ],
                }
            ],
            "observations": [{"name": "all", "data": EXPECTED.tolist()}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
            "version": "1.0.0",
        },
        "labels": ["m_gev"],
        "patches": [_window(mass) for mass in MASSES],
        "fill": {"schema": "darkstats.fill/1", "windows": bins},
        "facts": {"name": "t", "title": "t", "simulated": True, "luminosity_ipb": 1.0},
        "benchmarks": [],
    }


def scanned(inputs: dict[str, Any], settings: ScanSettings, executor: Any = None) -> MassScan:
    hypotheses = BinnedHypotheses.of_plain(inputs)
    job = limits_job(hypotheses, settings)
    blocks = run_job(LIMIT_TASKS[job.kind], job, executor or InProcess())
    return collect_scan(hypotheses, job, settings, [blocks[b] for b in range(job.n_blocks)])


def li_ma(on: float, off: float) -> float:
    """Signed significance of on/off counts (Li and Ma, equation 17)."""
    alpha = 1.0 / (2 * SIDE)
    ratio = on * math.log((1 + alpha) / alpha * on / (on + off))
    ratio += off * math.log((1 + alpha) * off / (on + off))
    return math.copysign(math.sqrt(2.0 * ratio), on - alpha * off)


@pytest.mark.parametrize("factor", [1.0, 9.0])
def test_the_significance_is_that_of_li_and_ma(inputs: dict[str, Any], factor: float) -> None:
    """On the expected counts, of either sign, whatever the data: and 0 where the window follows."""
    scan = scanned(inputs, ScanSettings(luminosity_factor=factor, systematics="statistical"))
    found = {p.name: p.expected_spectrum_significance for p in scan.points}
    wanted = {m: li_ma(factor * EXPECTED[m], factor * 600.0) for m in (12, 26)}
    assert found["m_12"] == pytest.approx(wanted[12], abs=1e-6)
    assert found["m_26"] == pytest.approx(wanted[26], abs=1e-6)
    assert found["m_6"] == pytest.approx(0.0, abs=1e-3)
    assert found["m_33"] == pytest.approx(0.0, abs=1e-3)
    assert wanted[12] > 1.0 > -1.0 > wanted[26]


def test_biased_windows_say_so_in_point_record_and_csv(inputs: dict[str, Any]) -> None:
    """Warnings of both signs, none where the window follows; the numbers in record and table."""
    scan = scanned(inputs, ScanSettings())
    said = {p.name: " ".join(p.warnings) for p in scan.points}
    assert "+1.09 sigma in this window" in said["m_12"]
    assert "limits lie too low" in said["m_26"]
    assert "expected spectrum" not in said["m_6"] + said["m_33"]
    record = scan_record(scan, facts=inputs["facts"], couplings={}, job_digest="", versions={})
    assert record["summary"]["expected_spectrum"]["beyond"] == 2
    assert record["summary"]["largest_excess"]["expected_spectrum_significance"] == pytest.approx(
        li_ma(112.0, 600.0), abs=1e-6
    )
    column = scan_columns(read_scan(record))["expected_spectrum_significance"]
    assert column == [p.expected_spectrum_significance for p in scan.points]


def test_neither_blindness_nor_workers_change_it(inputs: dict[str, Any]) -> None:
    """It looks at no data."""
    open_ = scanned(inputs, ScanSettings())
    blind = scanned(inputs, ScanSettings(blind=True))
    split = scanned(inputs, ScanSettings(hypotheses_per_block=1), LocalProcesses(workers=2))
    values = [p.expected_spectrum_significance for p in open_.points]
    assert [p.expected_spectrum_significance for p in blind.points] == values
    assert split.points == open_.points


def test_without_a_spectrum_there_is_a_reason(inputs: dict[str, Any]) -> None:
    """An ordinary patch set: null, with the reason, and no warning."""
    point = scanned({**inputs, "fill": None}, ScanSettings()).points[1]
    assert point.expected_spectrum_significance is None
    assert "no spectrum of its own" in str(point.expected_spectrum_significance_reason)
    assert point.warnings == scanned(inputs, ScanSettings()).points[0].warnings


def test_words_begin_at_the_largest_bias() -> None:
    """On both sides."""
    assert bias_words(LARGEST_BIAS) == bias_words(-LARGEST_BIAS) == bias_words(None) == ()
    assert bias_words(1.01 * LARGEST_BIAS)
    assert bias_words(-1.01 * LARGEST_BIAS)


def toys_of(inputs: dict[str, Any], n_toys: int, executor: Any = None) -> LocalTally:
    observed = {
        p.name: p.significance
        for p in scanned(inputs, ScanSettings()).points
        if p.significance is not None
    }
    limits = limits_job(BinnedHypotheses.of_plain(inputs), ScanSettings(interpolation=CODES))
    job = toys_job(limits, seed=1, n_toys=n_toys, observed=observed)
    blocks = run_job(TOY_TASKS[job.kind], job, executor or InProcess())
    return collect_tallies([blocks[b] for b in range(job.n_blocks)]).local


def test_toys_count_the_local_p_value_that_the_spectrum_gives(inputs: dict[str, Any]) -> None:
    """Against toys of the two counts and Li-Ma: several times the asymptotic p-value."""
    tally = toys_of(inputs, 4 * TOYS_PER_BLOCK)
    at = [float(m) for m in MASSES].index(12.0)
    local = tally.at(at)
    assert local is not None
    assert local.value is not None
    observed = li_ma(130.0, 600.0)
    assert tally.observed[at] == pytest.approx(observed, abs=1e-4)
    rng = np.random.default_rng(8)
    pairs = rng.poisson([112.0, 600.0], (40_000, 2))
    wanted = float(np.mean([li_ma(a, b) >= observed - 1e-9 for a, b in pairs]))
    error = math.hypot(local.value.error, math.sqrt(wanted / 40_000))
    assert abs(local.value.value - wanted) < 4.0 * error
    assert wanted > 10.0 * 0.5 * math.erfc(observed / math.sqrt(2.0))


def test_tallies_do_not_depend_on_workers(inputs: dict[str, Any]) -> None:
    """Two blocks in two processes or in one: the same counts."""
    one, two = (
        toys_of(inputs, 2 * TOYS_PER_BLOCK),
        toys_of(inputs, 2 * TOYS_PER_BLOCK, LocalProcesses(workers=2)),
    )
    assert dataclasses.replace(one, digest="").above.tolist() == two.above.tolist()
    assert one.certified.tolist() == two.certified.tolist()
