"""The page on fidelity holds what the command on the effects of the ALP search found."""

import importlib.util
import json

import numpy as np
import pytest
import yaml

STUDIES = "docs/studies"


@pytest.fixture(scope="module")
def script(repository):
    path = repository / "docs/examples/alp_effects.py"
    spec = importlib.util.spec_from_file_location("alp_effects", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def report(repository):
    return json.loads((repository / STUDIES / "alp-effects.json").read_text("utf-8"))


def cards(repository):
    return [
        yaml.safe_load((repository / f"models/{name}.yaml").read_text("utf-8"))
        for name in ("alp", "alp_effects")
    ]


def test_the_page_shows_the_tables_of_the_report(script, report, repository):
    page = (repository / STUDIES / "fidelity.md").read_text("utf-8")
    for line in script.tables(report).splitlines():
        assert line in page


def test_the_report_is_of_the_full_simulation_and_of_every_effect(script, report):
    assert not report["quick"]
    assert set(report["stages"]) == {
        "before", *script.EFFECTS, "all", "all, efficiency with radiation",
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
    """Declared target, without anything fitted to the curve; the shipped card misses it."""
    found = report["coupling_over_published"]
    assert abs(found["all"]["median"] - 1.0) < 0.10 < abs(found["before"]["median"] - 1.0)


def test_all_that_differs_between_the_cards_is_an_effect(script, repository):
    before, after = cards(repository)
    old, new = script.flat(before), script.flat(after)
    differ = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    of_effects = {key for keys in script.EFFECTS.values() for key in keys}
    assert differ <= of_effects | set(script.BESIDE)
    assert of_effects <= differ  # and no effect is empty


def test_every_effect_alone_is_a_card(script, repository):
    before, after = cards(repository)
    new = script.flat(after)
    for keys in script.EFFECTS.values():
        card = script.read_as_card(script.with_values(before, {key: new.get(key) for key in keys}))
        assert card.name == "alp"
