"""Toys of a whole spectrum as a job, and the responses that the covariance method rests on."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import darkstats
from darkstats.errors import OptionError
from darkstats.execution.processes import InProcess
from darkstats.execution.run import run_job
from darkstats.look_elsewhere.arrangement import arranged
from darkstats.look_elsewhere.responses import responses_of
from darkstats.look_elsewhere.spectrum_job import (
    TOY_TASKS,
    collect_tallies,
    toys_job,
)
from darkstats.look_elsewhere.window_spectrum import SpectrumContext
from darkstats.scan.job import limits_job
from darkstats.scan.mass_hypotheses import BinnedHypotheses
from darkstats.scan.settings import ScanSettings
from darkstats.scan.spectrum_toys import TOYS_PER_BLOCK
from darkstats.workspace import read_patchset

EXAMPLE = Path(__file__).parents[3] / "workspaces/examples/mass_scan"
CODES = "normsys=code4,histosys=code4p"


@pytest.fixture(scope="module")
def inputs():
    document = json.loads((EXAMPLE / "background_only.json").read_text("utf-8"))
    return BinnedHypotheses.of_patches(document, read_patchset(EXAMPLE / "patchset.json"))


@pytest.fixture(scope="module")
def context(inputs):
    return SpectrumContext.of(inputs, CODES)


def blocks_of(inputs, n_toys, seed=1, observed=None):
    limits = limits_job(inputs, ScanSettings(interpolation=CODES))
    job = toys_job(limits, seed=seed, n_toys=n_toys, observed=observed or {})
    found = run_job(TOY_TASKS[job.kind], job, InProcess())
    return job, [found[b] for b in range(job.n_blocks)]


def test_more_toys_are_more_blocks_of_the_same_job(inputs):
    few, two = blocks_of(inputs, 2 * TOYS_PER_BLOCK - 5)
    more, three = blocks_of(inputs, 2 * TOYS_PER_BLOCK + 5)
    assert (few.digest, len(two), len(three)) == (more.digest, 2, 3)
    assert three[:2] == two
    other, _ = blocks_of(inputs, 10, seed=2)
    assert other.digest != few.digest


@pytest.mark.parametrize("n_parts", [2, 8])
def test_parts_of_what_is_drawn_together_give_the_same(inputs, n_parts):
    """How toys are cut into blocks changes the name of a job, and not one number."""
    job, whole = blocks_of(inputs, 2 * TOYS_PER_BLOCK)
    size = TOYS_PER_BLOCK // n_parts
    parts = replace(
        job, settings={**job.settings, "toys_per_block": size}, n_blocks=n_parts * job.n_blocks
    )
    assert parts.digest != job.digest
    found = run_job(TOY_TASKS[job.kind], parts, InProcess())
    tallies = [collect_tallies([some[b] for b in sorted(some)])
               for some in (dict(enumerate(whole)), found)]  # fmt: skip
    for name in ("maxima", "local", "excursions"):
        one, other = (getattr(tally, name).arrays() for tally in tallies)
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=f"{name} {key}")


def test_the_largest_root_is_the_largest_local_significance(inputs, context):
    """Toys refitted one by one, window by window, by the public significance."""
    windows, spectrum = context.windows, context.spectrum
    roots = windows.roots(spectrum, 3, 0, TOYS_PER_BLOCK)
    drawn = list(windows.draw(spectrum, 3, 0, TOYS_PER_BLOCK))
    for toy in np.argsort(roots.max(axis=1))[-6:]:
        point = int(np.argmax(roots[toy]))
        counts, auxdata = (values[toy] for values in drawn[point])
        data = darkstats.Observation(counts=counts, auxdata=auxdata)
        found = darkstats.significance(context.models[point], data)
        assert found.observed == pytest.approx(roots[toy, point], abs=2e-4)


def test_tallies_hold_all_toys(inputs):
    _, blocks = blocks_of(inputs, 2 * TOYS_PER_BLOCK)
    tallies = collect_tallies(blocks)
    assert tallies.maxima.ok == tallies.maxima.asked == 2 * TOYS_PER_BLOCK
    assert tallies.auxiliary == "drawn"
    with pytest.raises(OptionError, match="no toys"):
        collect_tallies([])


def test_responses_add_up_to_unit_variance(context):
    """In the Gaussian limit each root is a sum of independent unit normals times the responses."""
    found = responses_of(context)
    variance = (found.values**2).sum(axis=0)
    assert variance == pytest.approx(np.ones(len(context.names)), abs=0.06)


def test_responses_give_the_correlations_of_toys(inputs, context):
    """Correlations of roots between hypotheses: by responses, and by toys."""
    found = responses_of(context)
    covariance = found.values.T @ found.values
    spread = np.sqrt(np.diag(covariance))
    rho = np.clip(covariance / np.outer(spread, spread), -1.0, 1.0)
    # Roots of deficits are zero: the correlation of max(x, 0) and max(y, 0) of normal x, y.
    both = (np.sqrt(1.0 - rho**2) + rho * (math.pi - np.arccos(rho))) / (2.0 * math.pi)
    predicted = (both - 1.0 / (2.0 * math.pi)) / (0.5 - 1.0 / (2.0 * math.pi))
    roots = np.concatenate(
        [context.windows.roots(context.spectrum, 5, block, TOYS_PER_BLOCK) for block in range(4)]
    )
    measured = np.corrcoef(roots, rowvar=False)
    assert np.abs(measured - predicted).max() < 4.0 / math.sqrt(len(roots))
    assert predicted[0, 1] < 0.9  # neighbours differ


@pytest.mark.parametrize(
    ("labels", "says"),
    [(["a", "b"], "name 0 masses"), (["a_gev", "b_gev", "c_gev"], "name 3 masses")],
)
def test_hypotheses_need_one_or_two_masses(inputs, labels, says):
    members = tuple(replace(h, values=h.values[:1] * len(labels)) for h in inputs.members)
    with pytest.raises(OptionError, match=says):
        SpectrumContext.of(replace(inputs, labels=tuple(labels), members=members), CODES)


def test_masses_are_numbers(inputs):
    members = tuple(replace(one, values=("heavy",)) for one in inputs.members)
    with pytest.raises(OptionError, match="no number"):
        SpectrumContext.of(replace(inputs, members=members), CODES)


def with_lifetimes(inputs, lifetimes):
    """Each hypothesis with lifetimes as a second label."""
    members = tuple(
        replace(one, name=f"{one.name}_{k}", values=(*one.values[:1], time))
        for one in inputs.members
        for k, time in enumerate(lifetimes)
    )
    return replace(inputs, labels=("m_gev", "ctau_mm"), members=members)


def test_masses_and_lifetimes_are_a_plane(inputs):
    """The second coordinate is the logarithm of the lifetime, and no two points coincide."""
    members, geometry = arranged(with_lifetimes(inputs, (0.1, 10.0, 1000.0)))
    n = len(inputs.members)
    assert geometry.kind == "rows"
    assert geometry.dimension == 2
    assert len(members) == geometry.n_points == 3 * n
    assert geometry.euler == 1  # one piece
    np.testing.assert_allclose(geometry.coordinates[:3, 1], [-1.0, 1.0, 3.0])
    np.testing.assert_array_equal(geometry.coordinates[:3, 0], float(members[0].values[0]))


@pytest.mark.parametrize("lifetime", [0.0, -1.0, math.inf, math.nan, "long", True])
def test_lifetimes_are_positive(inputs, lifetime):
    with pytest.raises(OptionError, match="lifetime"):
        arranged(with_lifetimes(inputs, (lifetime,)))
