"""What searches the benchmarks are limits of."""

from __future__ import annotations

import pytest

from darkstats.signals.benchmarks import BENCHMARKS, efficiency_benchmark
from darkstats.signals.mediators import FINAL_STATES
from darkstats.signals.productions import PRODUCTIONS


@pytest.mark.parametrize("name", BENCHMARKS)
def test_searches_are_of_known_productions_and_final_states(name: str) -> None:
    """It names a final state where a signal makes it; the first production is absolute."""
    one = BENCHMARKS[name]
    assert set(one.productions) <= set(PRODUCTIONS)
    assert set(one.final_states or ()) <= set(FINAL_STATES)
    assert bool(one.made_in) == (one.final_states != ())
    assert one.made_in or not one.productions
    for production in one.productions[:1]:
        assert PRODUCTIONS[production].unit == ("1" if one.per_parent else "pb")


def test_the_branching_fraction_in_a_limit_is_that_of_its_final_state() -> None:
    words = {"lmu_ltau_mumu": "mumu", "lmu_ltau_tautau": "tautau", "alp_photon": "gammagamma"}
    for name, state in words.items():
        assert BENCHMARKS[name].final_states == (state,)
    for name, production in (
        ("b_to_k_branching", "b_to_k"),
        ("b_to_kstar_branching", "b_to_kstar"),
    ):
        assert BENCHMARKS[name].is_made(production, "mumu")
        assert not BENCHMARKS[name].is_made("radiative", "mumu")


def test_one_benchmark_has_the_efficiency_in_it() -> None:
    assert [one.name for one in BENCHMARKS.values() if one.is_efficiency] == ["lfv_efficiency"]
    found = efficiency_benchmark(["a model of mine", "dark_photon", "lfv_efficiency"])
    assert found is BENCHMARKS["lfv_efficiency"]
    assert efficiency_benchmark(["dark_photon"]) is None
