"""The command of the pages on fidelity, and the studies that it runs."""

import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest

import darkstats
from darkstats.searches.products import Patch
from darkstats.templates.histfactory import normfactor, normsys, parameter, staterror
from darkstats.workspace import Workspace
from example_scripts import EXAMPLES, example_script

STUDIES = "docs/studies"


@pytest.fixture(scope="module")
def command():
    return example_script("fidelity")


@pytest.fixture(scope="module")
def jumps():
    return example_script("jumps")


@pytest.fixture(scope="module")
def bias():
    return example_script("closure_bias")


def records(command):
    return [step.record for step in command.STEPS if step.record is not None]


def run(*words):
    return subprocess.run(
        [sys.executable, str(EXAMPLES / "fidelity.py"), *words],
        check=True, capture_output=True, text=True, timeout=600,
    ).stdout  # fmt: skip


def test_every_record_has_its_tables_on_the_pages(command, repository):
    """The pages are what the command would write now."""
    for record in records(command):
        content = json.loads((repository / STUDIES / record).read_text("utf-8"))
        tables = command.tables_of(record, content)
        assert tables or record == "fidelity-effects.json"  # a page of its own
        for page, heading, table in tables:
            text = (repository / STUDIES / page).read_text("utf-8")
            assert command.filled(text, heading, table) == text, (page, heading)


def test_the_command_lists_what_it_writes(command, repository):
    said = run("--list")
    files = re.findall(r"[\w-]+\.(?:json|md)", said)
    assert set(records(command)) <= set(files)
    assert len(files) == len(set(files))
    for file in files:
        assert (repository / STUDIES / file).is_file()
    for step in command.STEPS:
        assert f"{step.name}: " in said


def test_the_page_begins_with_the_command(repository):
    head = (repository / STUDIES / "fidelity.md").read_text("utf-8").split("## ")[0]
    assert "python docs/examples/fidelity.py --work" in head


def test_a_quick_step_writes_its_record_and_its_page(repository, tmp_path):
    said = run(
        "--work", str(tmp_path), "--workspaces", str(repository / "workspaces"),
        "--only", "closure bias", "--quick",
    )  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["closure-bias.json", "closure.md"]
    assert f"wrote {tmp_path / 'closure-bias.json'}" in said
    assert f"wrote {tmp_path / 'closure.md'}: changed Why estimates are biased" in said
    shipped = (repository / STUDIES / "closure.md").read_text("utf-8")
    assert (tmp_path / "closure.md").read_text("utf-8") != shipped  # fewer toys


ROWS = "| a | b |\n|---|---|\n"
PAGE = f"# One\n\n{ROWS}| 1 | 2 |\n\nwords\n\n## Two\n\n{ROWS}| 3 | 4 |\n"


def test_a_table_takes_the_place_of_the_one_with_its_head(command):
    table = "| a | b |\n|---|---|\n| 5 | 6 |\n| 7 | 8 |"
    first = command.filled(PAGE, "One", table)
    assert first == PAGE.replace("| 1 | 2 |", "| 5 | 6 |\n| 7 | 8 |")
    assert command.filled(PAGE, "Two", table) == PAGE.replace("| 3 | 4 |", "| 5 | 6 |\n| 7 | 8 |")
    with pytest.raises(ValueError, match="no heading"):
        command.filled(PAGE, "Three", table)
    with pytest.raises(ValueError, match="no table below"):
        command.filled(f"# Zero\n\n{PAGE}", "Zero", table)


def test_the_jackknife_of_a_mean_is_its_variance(jumps):
    """Of ten groups of equal size: exactly the variance of their means over ten."""
    values = np.random.default_rng(1).normal(size=(10, 7))
    left = (values.sum(axis=0) - values) / 9.0
    np.testing.assert_allclose(jumps.jackknife(left), values.var(axis=0, ddof=1) / 10.0, rtol=1e-12)


@pytest.mark.parametrize(("reached", "n"), [(2.0, 30), (3.0, 200), (3.3, 500)])
def test_the_largest_of_independent_numbers_is_known(jumps, reached, n):
    expected = 1.0 - (1.0 - math.erfc(reached / math.sqrt(2.0))) ** n
    found = jumps.largest_of_correlated(reached, n, ())
    error = math.sqrt(expected * (1.0 - expected) / 20_000)
    assert found == pytest.approx(expected, abs=5.0 * error)


def test_second_differences_of_independent_values_are_correlated_as_known(jumps):
    """-2/3 and 1/6; their largest is reached less often than that of independent numbers."""
    draws = np.random.default_rng(2).normal(size=(20_000, 102))
    second = jumps.second_differences(draws) / math.sqrt(6.0)
    reached = float(np.mean(np.abs(second).max(axis=1) >= 3.0))
    found = jumps.largest_of_correlated(3.0, 100, (-2 / 3, 1 / 6))
    assert found == pytest.approx(reached, abs=0.02)


def limits_of(jump, n=60, builds=10, error=0.01):
    """Limits along one chain, and those of the builds of a jackknife, whose errors are known."""
    rng = np.random.default_rng(3)
    groups = rng.normal(0.0, error * math.sqrt(builds), (builds, n))
    course = 0.02 * np.arange(n) + np.where(np.arange(n) > n // 2, jump, 0.0)
    whole = course + groups.mean(axis=0)
    parts = course + (groups.sum(axis=0) - groups) / (builds - 1)
    names = [f"m{k:02d}" for k in range(n)]
    windows = {name: {"mass_gev": 1.0 + 0.1 * k} for k, name in enumerate(names)}
    return windows, *(
        [dict(zip(names, np.exp(row).tolist(), strict=True)) for row in rows]
        for rows in (whole[None, :], parts)
    )


def test_a_jump_is_found_and_a_slope_is_not(jumps):
    for size, found in ((0.0, False), (0.2, True)):
        windows, (whole,), parts = limits_of(size)
        record = jumps.summarised(windows, whole, parts, nodes_gev=(4.05,))
        assert record["steps"]["n"] == 59
        assert record["jumps"]["n"] == 58
        assert record["jumps"]["median_error"] == pytest.approx(math.sqrt(6.0) * 0.01, rel=0.2)
        assert (record["jumps"]["above_3"] > 0) is found
        assert (record["jumps"]["chance_of_the_largest"] < 0.01) is found
        for one in record["large jumps"]:
            assert one["at_gev"] == pytest.approx(4.05, abs=0.15)
            assert one["what"] == "kink"


def test_no_search_jumps_but_where_bounds_bend_or_choices_change(jumps, repository):
    """What else is above three errors is below 2.5 %: errors are 0.1 %, and limits bend."""
    record = json.loads((repository / STUDIES / "jumps.json").read_text("utf-8"))
    assert tuple(record) == jumps.JUDGED
    largest = {"choice": 0.08, "kink": 0.10, "apart": 0.80, "other": 0.025}
    for name, row in record.items():
        folder = repository / "workspaces" / name
        sidecar = json.loads((folder / "background_only.meta.json").read_text("utf-8"))
        assert row["hypotheses"] == row["compared"] == len(sidecar["windows"])
        assert len(row["large jumps"]) == row["jumps"]["above_3"]
        for one in row["large jumps"]:
            assert abs(one["size"]) < largest[one["what"]], (name, one)
            assert one["what"] != "apart" or one["at_gev"] < 2.5


def model_of(samples, *, bins=1):
    document = {
        "channels": [{"name": "window", "samples": samples}],
        "observations": [
            {"name": "window", "data": list(np.sum([s["data"] for s in samples[1:]], axis=0))}
        ],
        "measurements": [
            {"name": "m", "config": {"poi": "mu", "parameters": [parameter("mu", 0.0, 1e3, 1.0)]}}
        ],
        "version": "1.0.0",
    }
    model = darkstats.compile_workspace(Workspace.from_document(document))
    assert model.n_bins == bins
    return model


def test_limits_of_the_jackknife_have_what_moves_bins_together(jumps):
    """One parameter as ``normsys`` and ``histosys``, and an error of each bin."""
    signal, background = np.array([2.0, 1.0]), np.array([4e6, 3e6])  # many events
    slope, variance = np.array([2e3, -1.5e3]), np.array([2.5e5, 3.6e5])
    ends = {"hi_data": (background + slope).tolist(), "lo_data": (background - slope).tolist()}
    mode = {"name": "b_simulation_sum", "type": "histosys", "data": ends}
    error = normsys("b_simulation_sum", 1e-3)
    samples = [
        sample_of("signal", signal.tolist(), normfactor("mu")),
        sample_of("b", background.tolist(), error, mode, staterror("staterror_window", variance)),
    ]
    operation = {"op": "replace", "path": "/channels", "value": [{"samples": samples}]}
    patch = Patch(name="m", values=(1.0,), operations=(operation,))
    moved = 0.5 * (error["data"]["hi"] - error["data"]["lo"]) * background + slope
    covariance = np.diag(background + variance) + np.outer(moved, moved)
    spread = (signal @ np.linalg.solve(covariance, signal)) ** -0.5
    assert jumps.fit_limit(patch) == pytest.approx(1.64485 * spread, rel=1e-3)


def truth_of(model, mu):
    truth = model.inits.copy()
    truth[model.require_poi()] = mu
    return truth


def sample_of(name, data, *modifiers):
    return {"name": name, "data": data, "modifiers": list(modifiers)}


def test_counts_with_a_known_background_have_no_bias_of_first_order(bias):
    model = model_of(
        [sample_of("signal", [1.0, 3.0], normfactor("mu")), sample_of("b", [4.0, 5.0])], bins=2
    )
    found = bias.predicted_biases(model, truth_of(model, 2.0))
    assert found == pytest.approx({"fixed": 0.0, "drawn": 0.0}, abs=1e-6)


def test_one_count_has_none_whatever_is_known_of_its_background(bias):
    """The estimate is (n - b) / s: the pull of the background stays at its datum."""
    model = model_of(
        [
            sample_of("signal", [1.0], normfactor("mu")),
            sample_of("b", [20.0], staterror("staterror_b", [16.0])),
        ]
    )
    assert bias.predicted_biases(model, truth_of(model, 9.0))["fixed"] == pytest.approx(
        0.0, abs=1e-6
    )


def test_an_efficiency_pushes_the_mean_up_where_its_datum_is_drawn(bias):
    """E[1 / (1 + d alpha)] = 1 + d^2 to its first order, for the estimate (n - b) / efficiency."""
    error, mu = 0.1, 50.0
    model = model_of(
        [
            sample_of("signal", [1.0], normfactor("mu"), normsys("efficiency", error)),
            sample_of("b", [10.0]),
        ]
    )
    spread = math.sqrt(mu + 10.0 + (mu * error) ** 2)
    expected = error**2 * mu / spread
    found = bias.predicted_biases(model, truth_of(model, mu))
    assert found["drawn"] == pytest.approx(expected, rel=0.1)
    assert found["fixed"] == pytest.approx(0.0, abs=2e-3)


def test_toys_have_the_predicted_bias_where_data_are_held(bias):
    """Sixteen bins whose backgrounds are known to 40 %: held at the truth, -0.1 of the spread."""
    shape = np.exp(-0.5 * ((np.arange(16) - 7.5) / 2.0) ** 2)
    background = np.full(16, 12.0)
    model = model_of(
        [
            sample_of("signal", shape.tolist(), normfactor("mu")),
            sample_of("b", background.tolist(), staterror("staterror_b", (0.4 * background) ** 2)),
        ],
        bins=16,
    )
    truth = truth_of(model, 12.0)
    predicted = bias.predicted_biases(model, truth)
    toys = bias.toy_biases(model, truth, toys=20_000, seed=4)
    assert predicted["fixed"] < -0.1
    assert predicted["drawn"] == pytest.approx(0.0, abs=1e-6)
    for kind, found in toys.items():
        assert found["failed"] == 0
        assert found["bias"] == pytest.approx(predicted[kind], abs=0.03)
    assert toys["fixed"]["bias"] < -0.08


def test_the_bias_of_the_shipped_search_is_the_predicted_one(bias, repository):
    record = json.loads((repository / STUDIES / "closure-bias.json").read_text("utf-8"))
    for name, numbers in bias.agreement(record["rows"]).items():
        assert numbers == pytest.approx(record["toys beyond prediction"][name])
    held = record["toys beyond prediction"]["as it is, fixed"]
    assert abs(held["mean"]) < 0.02
    assert held["rms"] < 0.03
