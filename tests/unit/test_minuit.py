"""iminuit's C++ part says nothing on standard output, where a record may stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import iminuit
import numpy as np

from darkstats.fit import ladder
from darkstats.fit.lanes import Problem
from darkstats.minuit import silenced
from small_models import counting

if TYPE_CHECKING:
    import pytest


def hill() -> iminuit.Minuit:
    """A maximum to start from, which the minimiser complains of."""
    minuit = iminuit.Minuit(
        lambda values: -float(values @ values),
        np.array([0.1, 0.1, 0.1]),
        grad=lambda values: -2.0 * values,
    )
    minuit.errordef = iminuit.Minuit.LIKELIHOOD
    return minuit


def test_nothing_is_printed_and_the_level_is_put_back(capfd: pytest.CaptureFixture[str]) -> None:
    hill().migrad()
    loud = capfd.readouterr()
    assert "not pos.def." in loud.out + loud.err
    minuit = hill()
    with silenced(minuit):
        minuit.migrad()
    quiet = capfd.readouterr()
    assert (quiet.out, quiet.err) == ("", "")
    assert minuit.print_level == 0


def test_the_rung_of_a_fit_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ranking printed a line of C++ before its JSON record."""
    model = counting(3.0, 2.0, 2.0, 0.5)
    problem = Problem.of(model, fix_poi=False, fixed={}, poi_lower=None, poi_upper=None)
    data, auxdata = model.stack([model.observation])
    levels = []
    sound = iminuit.Minuit.migrad

    def watched(self: iminuit.Minuit, **options: Any) -> iminuit.Minuit:
        levels.append(self.print_level)
        return sound(self, **options)

    monkeypatch.setattr(iminuit.Minuit, "migrad", watched)
    ladder._minuit_point(problem, data, auxdata[0], model.inits, most_calls=500)
    assert levels == [-1]
