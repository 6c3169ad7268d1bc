"""What a search looked for: by its signal, and beside the benchmarks that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkstats.errors import OptionError
from darkstats.searches.card import read_card
from darkstats.signals.benchmarks import BENCHMARKS
from darkstats.signals.mediators import FINAL_STATES, MEDIATORS
from darkstats.signals.productions import PRODUCTIONS
from darkstats.signals.searched import (
    SEARCHED_PRODUCTIONS,
    SEARCHED_STATES,
    Searched,
    searched_of,
)


def test_each_benchmark_says_what_it_converts() -> None:
    """But that of an efficiency, which converts nothing."""
    for name, one in BENCHMARKS.items():
        assert bool(one.made_in) != one.is_efficiency, name
        assert set(one.made_in) <= set(SEARCHED_PRODUCTIONS)
        assert set(one.final_states or ()) <= set(FINAL_STATES)
        assert one.final_states != () or one.is_efficiency


def test_every_card_names_benchmarks_of_its_own_signal(repository: Path) -> None:
    """Cards of searches say what they look for, by their process; and it survives as JSON."""
    without = []
    for path in sorted((repository / "models").glob("*.yaml")):
        card = read_card(path)
        if card.searched is None:
            without.append(path.stem)
            continue
        assert all(BENCHMARKS[name].converts(card.searched) for name in card.benchmarks)
        assert searched_of(card.searched.plain()) == card.searched
    assert without == ["zprime_lfv_2018"]


def test_models_fix_what_signals_fix(repository: Path) -> None:
    """The recast of inelastic dark matter is on the line of masses of the shipped card."""
    card = read_card(repository / "models/inelastic_dark_matter.yaml")
    assert card.searched is not None
    model = MEDIATORS["inelastic_dark_matter"]
    assert card.searched.fixes({**PRODUCTIONS["radiative"].parameters, **model.parameters})
    assert model.parent_ratio == model.parameters["mediator_ratio"]


def test_what_is_no_search_is_refused() -> None:
    for document in (None, {}, {"production": "b_to_k"}, {"production": "x", "final_state": "ee"},
                     {"production": "b_to_k", "final_state": "ee", "more": 1},
                     {"production": "b_to_k", "final_state": "ee", "parameters": {"a": "1"}},
                     {"production": "b_to_k", "final_state": "ee", "parameters": [1]}):  # fmt: skip
        with pytest.raises(OptionError):
            searched_of(document)
    assert "gammagamma" in SEARCHED_STATES
    with pytest.raises(OptionError, match="no number"):
        Searched(production="mumu", final_state="ee", parameters={"a": float("nan")})
