"""The page on fidelity holds what the command on the effects of the ALP search found."""

import json

import numpy as np
import pytest
import yaml

from example_scripts import example_script

STUDIES = "docs/studies"


@pytest.fixture(scope="module")
def script(repository):
    return example_script("alp_effects")


@pytest.fixture(scope="module")
def report(repository):
    return json.loads((repository / STUDIES / "alp-effects.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def card(repository):
    return yaml.safe_load((repository / "models/alp.yaml").read_text("utf-8"))


def test_the_page_shows_the_tables_of_the_report(script, report, repository):
    page = (repository / STUDIES / "fidelity.md").read_text("utf-8")
    for line in script.tables(report).splitlines():
        assert line in page


def test_the_report_is_of_the_full_simulation_and_of_every_effect(script, report):
    assert not report["quick"]
    assert set(report["stages"]) == {
        "before", *script.OFF, "all", "all, efficiency with radiation",
    }  # fmt: skip
    for stage in report["stages"].values():
        assert {float(mass) for mass in stage} == set(script.PUBLISHED_PB)


def test_the_medians_are_those_of_the_limits(script, report):
    """Ratio of couplings is the root of that of cross sections, above 0.29 GeV."""
    for name, stage in report["stages"].items():
        ratios = [
            (one["expected_pb"] / script.PUBLISHED_PB[float(mass)]) ** 0.5
            for mass, one in stage.items()
            if float(mass) > 0.29
        ]
        told = report["coupling_over_published"][name]
        assert told["median"] == pytest.approx(np.median(ratios), rel=1e-9)
        assert told["rms_of_shape"] == pytest.approx(np.std(np.log(ratios)), rel=1e-9)


def test_the_median_coupling_is_the_published_one_within_ten_per_cent(report):
    """Declared target, without anything fitted to the curve; no effect at all misses it."""
    found = report["coupling_over_published"]
    assert abs(found["all"]["median"] - 1.0) < 0.10 < abs(found["before"]["median"] - 1.0)


def test_every_hypothesis_of_the_shipped_search_has_a_background_that_describes_it(repository):
    """No fit of the simulated spectrum finds more than a quarter of a standard deviation."""
    record = json.loads((repository / "workspaces/alp/record.json").read_text("utf-8"))
    said = record["summary"]["background_choice"]
    assert said["not_described"] == []
    assert said["spurious_sigma_largest"] <= said["largest_spurious_sigma"] == 0.25


def test_every_effect_switches_something_off(script, card):
    """Nothing that is named is missing from the shipped card; all of it together is *before*."""
    for values in script.OFF.values():
        assert script.with_values(card, values) != card
        for path in values:
            section, _, key = path.rpartition(".")
            names = [one["name"] for one in card[section]] if section == "backgrounds" else ()
            assert key in (names or card[section]) or key == "recoil_ceiling_gev"
    before = script.with_effects(card, ())
    assert before["bump_hunt"]["orders"] == [[0.7, 2], [6.85, 4]]
    assert before["bump_hunt"]["recoil_orders"] == [[9.4, 5], [9.71, 3]]
    assert [one["name"] for one in before["backgrounds"]] == [
        "three_photons", "pi0_gamma", "eta_gamma", "eta_prime_gamma",
    ]  # fmt: skip
    gone = {"background_choice", "spurious_term", "follow_acceptance"}
    assert not gone & set(before["bump_hunt"])
    assert script.with_effects(card, script.OFF) == card


def test_every_stage_is_a_card(script, card):
    stages = script.stages_of(card)
    assert len({json.dumps(one) for one in stages.values()}) == len(stages)
    for content in stages.values():
        assert script.read_as_card(content).name == "alp"
