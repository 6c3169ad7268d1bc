"""The probe of an asymptotic limit keeps its own budget, whatever its toys do."""

from __future__ import annotations

from typing import Any

import pytest

from darkstats.fit import ladder
from darkstats.inference import toys as toy_module
from darkstats.inference import upper_limit
from darkstats.inference.probe import probe_size
from darkstats.model import HistFactoryModel
from small_models import compiled, counting


def large(n_nuisances: int) -> HistFactoryModel:
    """One bin of two background events with many small uncertainties."""
    modifiers = [
        {"name": f"e{k}", "type": "normsys", "data": {"hi": 1.01, "lo": 0.99}}
        for k in range(n_nuisances)
    ]
    strength = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": [1.0], "modifiers": [strength]},
        {"name": "background", "data": [2.0], "modifiers": modifiers},
    ]
    return compiled(
        {
            "version": "1.0.0",
            "channels": [{"name": "c", "samples": samples}],
            "observations": [{"name": "c", "data": [2.0]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        }
    )


def test_a_toy_that_fails_in_the_probe_is_a_failed_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No fallback minimiser: each batch of toys takes three passes of the kernel at most."""
    model = counting(n=3.0, signal=2.0, background=3.0, width=0.5)
    right = upper_limit(model, model.observation, probe=False, scan_points=0)
    passes: list[int] = []
    batches: list[int] = []
    kernel, fit_batch = ladder.run_kernel, toy_module.fit_batch

    def failing(*arguments: Any, **options: Any) -> Any:
        lanes = kernel(*arguments, **options)
        passes.append(len(lanes.edm))
        lanes.edm[:] = 1.0
        return lanes

    def spied(*arguments: Any, **options: Any) -> Any:
        assert options["options"].fallback is False
        options["options"] = type(options["options"])(max_steps=1, threads=1, fallback=False)
        batches.append(1)
        return fit_batch(*arguments, **options)

    monkeypatch.setattr(toy_module, "fit_batch", spied)
    monkeypatch.setattr(ladder, "run_kernel", failing)
    monkeypatch.setattr(ladder, "_minuit_point", lambda *a, **k: pytest.fail("iminuit"))
    monkeypatch.setattr(ladder, "feasible_point", lambda *a, **k: pytest.fail("phase one"))
    limit = upper_limit(model, model.observation, scan_points=0)
    assert limit.observed == right.observed
    assert limit.probe is None
    assert "toys could not be fitted" in (limit.probe_reason or "")
    assert len(passes) <= 2 * len(batches)


def test_a_probe_says_what_it_does() -> None:
    """The number of toys is told before they are thrown."""
    model = counting(n=3.0, signal=2.0, background=3.0, width=0.5)
    told: list[int] = []
    limit = upper_limit(model, model.observation, scan_points=0, on_probe=told.append)
    assert limit.probe is not None
    assert told == [probe_size(model.n_parameters, model.n_bins)]
    assert limit.probe.toys.asked == 2 * told[0]


def test_a_model_too_large_for_a_probe_gets_the_words_instead() -> None:
    """Where a hundred toys cost more than the limit, low counts are said and nothing is thrown."""
    model = large(125)
    told: list[int] = []
    limit = upper_limit(model, model.observation, scan_points=0, on_probe=told.append)
    assert not told
    assert limit.probe is None
    assert "126 parameters" in (limit.probe_reason or "")
    assert any("compare with toys" in note for note in limit.warnings)


def test_the_size_of_a_probe_follows_from_that_of_the_model() -> None:
    """Small models get 2000 toys, those of sixty parameters hundreds, much larger ones none."""
    assert probe_size(2, 1) == 2000
    assert 100 < probe_size(64, 6) < 1000
    assert probe_size(126, 14) == 0
    assert probe_size(300, 50) == 0
