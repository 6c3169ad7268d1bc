"""What a HEPData submission says of the collision: declared once, and asked alike everywhere."""

from __future__ import annotations

import math

import pytest

from darkstats import workflows as w
from darkstats.errors import OptionError
from darkstats.options import named_choices
from darkstats.workflows.submission_requests import SubmissionRequest

FIELDS = ("hepdata", "sqrt_s_gev", "beams", "collaboration", "reaction")


@pytest.mark.parametrize("request_type", [w.ExportRequest, w.ContourRequest, w.RecastRequest])
def test_all_that_write_submissions_ask_alike(request_type: type) -> None:
    """Each field once, in this order, and with one help."""
    known = named_choices(request_type)
    names = [name for name in known if name in FIELDS]
    assert tuple(names) == FIELDS
    helps = {choice.option.text for name in FIELDS for choice in known[name]}
    assert len(helps) == len(FIELDS)
    assert helps == {
        c.option.text for one in named_choices(SubmissionRequest).values() for c in one
    }


@pytest.mark.parametrize("energy", [0.0, -10.58, 1e9, math.inf, math.nan])
def test_an_energy_that_is_none_is_refused(energy: float) -> None:
    with pytest.raises(OptionError, match="above zero"):
        SubmissionRequest(hepdata="folder", sqrt_s_gev=energy)


@pytest.mark.parametrize(
    "said", [{"sqrt_s_gev": 10.58}, {"beams": "e+ e-"}, {"collaboration": "A"}, {"reaction": "B"}]
)
def test_words_without_a_submission_are_refused(said: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="go with --hepdata"):
        SubmissionRequest(**said)  # type: ignore[arg-type]
    assert SubmissionRequest(hepdata="folder", **said).hepdata == "folder"  # type: ignore[arg-type]
