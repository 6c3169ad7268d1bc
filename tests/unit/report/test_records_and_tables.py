"""Records and tables of results made by hand: no fit is needed to see what is written."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from darkstats.errors import FitFailedError, OptionError, UnknownNameError
from darkstats.inference.p_values import ExpectedPValues, FitCounts, PValue, ToyCounts
from darkstats.inference.results import HypoTestResult, LowCounts, UpperLimit
from darkstats.referee import Comparison, Verdict
from darkstats.report.provenance import Inputs
from darkstats.report.records import error_record, hypotest_record, limit_record, verdict_record
from darkstats.report.tables import hypotest_sheet, limit_sheet, with_appendix
from darkstats.report.writing import json_text

INPUTS = Inputs(
    source="search.json",
    workspace_sha256="a" * 64,
    canonical_sha256="b" * 64,
    measurement="limit",
    model_sha256="c" * 64,
    poi="mu",
    interpolation=(("histosys", "code4p"), ("normsys", "code4")),
    simulated=True,
    command="darkstats limit search.json",
)
BAND = ExpectedPValues(
    cls=(0.001, 0.01, 0.05, 0.2, 0.5),
    clsb=(0.0001, 0.002, 0.025, 0.15, 0.48),
    clb=(0.02, 0.16, 0.5, 0.84, 0.98),
)
TEST = HypoTestResult(
    poi="mu",
    mu=1.0,
    test_stat="qtilde",
    calculator="asymptotic",
    cls=PValue.exact(0.0625),
    clsb=PValue.exact(0.03125),
    clb=PValue.exact(0.5),
    expected=BAND,
    statistic=3.4657,
    statistic_asimov=3.8416,
    mu_hat=0.125,
    twice_nll=4.5,
    sigma=0.51,
    poi_lower=0.0,
    fits=FitCounts(attempted=6, certified=6, second_start=4),
    references=("arXiv:1007.1727",),
)
LIMIT = UpperLimit(
    poi="mu",
    cl=0.95,
    method="cls",
    test_stat="qtilde",
    calculator="asymptotic",
    observed=1.0625,
    observed_low=1.0625,
    observed_high=1.0625,
    expected=(0.5312, 0.7131, 0.9898, 1.3776, 1.8468),
    expected_definition="roots",
    at_unit=TEST,
    mu_hat=0.125,
    twice_nll=4.5,
    sigma=0.51,
    poi_lower=0.0,
    fits=FitCounts(attempted=40, certified=40, second_start=9),
    warnings=("mind the gap",),
    references=("arXiv:1007.1727",),
)
LIMIT_FIELDS = {
    "schema", "poi", "cl", "method", "calculator", "test_stat", "interpolation", "observed",
    "expected", "expected_definition", "interval", "CLs_obs", "CLs_exp", "mu_hat", "twice_nll",
    "fits", "toys", "probe", "prior", "warnings", "provenance",
}  # fmt: skip

SNAPSHOT = """\
Upper limit on mu at 95 % CL
CLs · q̃μ · asymptotic · simulated data · search.json
  ────────────────────────────────────────────────────────────────────
                  observed       −2σ      −1σ   median     +1σ     +2σ
  ────────────────────────────────────────────────────────────────────
  mu <               1.062    0.5312   0.7131   0.9898   1.378   1.847
  CLs at mu = 1     0.0625   0.00100   0.0100   0.0500   0.200   0.500
  ────────────────────────────────────────────────────────────────────
 best fit  mu = 0.1250, deviance 4.500
 fits      40 of 40 certified, 9 of them from a second start
 model     sha256 cccccccccccccccc…
warning: mind the gap
"""


def printed(renderable: RenderableType, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(renderable)
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())


def nulls_without_reason(record: object, at: str = "") -> list[str]:
    """Places of nulls that nobody explains."""
    found = []
    if isinstance(record, dict):
        for key, value in record.items():
            if value is None and not record.get(f"{key}_reason"):
                found.append(f"{at}/{key}")
            found += nulls_without_reason(value, f"{at}/{key}")
    return found


def test_limit_table_is_the_product_that_we_promise() -> None:
    """The table of a limit, character by character."""
    assert printed(limit_sheet(LIMIT, INPUTS)) == SNAPSHOT


def test_limit_record_has_all_promised_fields() -> None:
    """The fields of the contract are there, and keys of pyhf keep their meaning."""
    record = limit_record(LIMIT, INPUTS, calculator_asked="auto")
    assert set(record) >= LIMIT_FIELDS
    assert record["schema"] == "darkstats.limit/1"
    assert record["CLs_obs"] == 0.0625
    assert record["CLs_exp"] == list(BAND.cls)
    assert record["interpolation"] == {"histosys": "code4p", "normsys": "code4"}
    assert record["provenance"]["workspace"]["sha256"] == "a" * 64
    assert record["provenance"]["certification"]["certification_level"] == 2


def test_a_null_is_always_explained() -> None:
    """Wherever a record has null at its top level or below, a reason stands beside it."""
    blind = replace(
        LIMIT,
        observed=None, observed_low=None, observed_high=None, observed_reason="blinded",
        mu_hat=None, twice_nll=None, sigma=None, poi_lower=-math.inf,
        at_unit=replace(TEST, cls=None, clsb=None, clb=None, observed_reason="blinded",
                        statistic=None, mu_hat=None, twice_nll=None),
    )  # fmt: skip
    for limit in (LIMIT, blind):
        record = limit_record(limit, INPUTS, calculator_asked="auto")
        assert nulls_without_reason(record) == []
    assert limit_record(blind, INPUTS, calculator_asked="auto")["observed_reason"] == "blinded"


def test_a_record_is_the_same_bytes_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the clock enters a record, but what SOURCE_DATE_EPOCH says."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    first = json_text(limit_record(LIMIT, INPUTS, calculator_asked="auto"))
    assert json_text(limit_record(LIMIT, INPUTS, calculator_asked="auto")) == first
    assert json.loads(first)["provenance"]["date"] is None
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    dated = limit_record(LIMIT, INPUTS, calculator_asked="auto")["provenance"]
    assert dated["date"] == "1970-01-01T00:00:00+00:00"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(OptionError, match="seconds since 1970, got 'yesterday'"):
        limit_record(LIMIT, INPUTS, calculator_asked="auto")


def test_toys_are_counted_in_record_and_table() -> None:
    """Asked, certified and failed toys, the seed, and the errors that toys leave."""
    limit = replace(
        LIMIT, calculator="toys", observed_error=0.021, expected_error=(0.1, 0.1, 0.02, 0.03, 0.04),
        toys=ToyCounts(asked=20_000, ok=19_998, failed=2), seed=7,
    )  # fmt: skip
    record = limit_record(limit, INPUTS, calculator_asked="toys")
    assert record["toys"] == {"asked": 20_000, "ok": 19_998, "failed": 2}
    assert record["seed"] == 7
    text = printed(limit_sheet(limit, INPUTS))
    assert "19 998 of 20 000 certified, seed 7" in text
    assert "1.062 ± 0.021" in text
    assert "CLs at mu = 1  asymptotic\n" in text


def test_hypotest_record_keeps_the_keys_of_pyhf() -> None:
    """CLs_obs and CLs_exp; for q0 both are p0."""
    record = hypotest_record(TEST, INPUTS)
    assert (record["CLs_obs"], record["CLs_exp"]) == (0.0625, list(BAND.cls))
    discovery = replace(TEST, test_stat="q0", mu=0.0, cls=None, clb=None)
    record = hypotest_record(discovery, INPUTS)
    assert (record["CLs_obs"], record["CLs_exp"]) == (0.03125, list(BAND.clsb))
    assert record["cls_reason"] == "not defined for q0"
    assert "p₀" in printed(hypotest_sheet(discovery, INPUTS))


def test_names_are_no_markup() -> None:
    """gamma[3] or [red] in a name is printed as it is."""
    limit = replace(LIMIT, poi="gamma[red]", warnings=("[bold]x",))
    text = printed(limit_sheet(limit, replace(INPUTS, source="[blue].json")))
    assert "gamma[red] <" in text
    assert "warning: [bold]x" in text
    assert "[blue].json" in text


def test_the_referee_stands_under_the_result() -> None:
    """Both numbers, their difference, and what it amounts to."""
    verdict = Verdict(
        status="differs", what="CLs", version="0.7.6",
        comparisons=(Comparison(quantity="CLs", darkstats=0.05, referee=0.0625),),
    )  # fmt: skip
    text = printed(with_appendix(limit_sheet(LIMIT, INPUTS), verdict))
    assert "Referee pyhf 0.7.6: differs" in text
    assert "+1.25e−02" in text
    record = verdict_record(verdict)
    assert record is not None
    assert record["comparisons"][0]["difference"] == pytest.approx(0.0125)


def test_a_referee_without_a_number_says_why() -> None:
    """Silence is no agreement."""
    verdict = Verdict(status="failed", what="CLs", reason="FailedMinimization: no")
    text = printed(with_appendix(limit_sheet(LIMIT, INPUTS), verdict))
    assert "Referee pyhf: failed" in text
    assert "FailedMinimization: no" in text


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OptionError("bad option"), "input"),
        (FitFailedError("no minimum"), "not-certified"),
        (RuntimeError("bug"), "internal"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_errors_have_records(error: BaseException, kind: str) -> None:
    """Kind, message and exit status of an error are data, too."""
    record = error_record(error, exit_status=1)
    assert record["schema"] == "darkstats.error/1"
    assert record["kind"] == kind
    assert record["message"] == str(error)


def test_the_fields_of_an_error_are_in_its_record() -> None:
    """An unknown name comes with the names that exist."""
    record = error_record(UnknownNameError("channel", "SR", ("CR", "VR")), exit_status=2)
    assert record["what"] == "channel"
    assert record["known"] == ["CR", "VR"]


def test_no_number_is_cut_on_a_narrow_terminal() -> None:
    """A table keeps the width of its numbers; sentences are folded."""
    out = io.StringIO()
    Console(file=out, width=40, highlight=False).print(limit_sheet(LIMIT, INPUTS), crop=False)
    wide = SNAPSHOT.splitlines()
    narrow = [line.rstrip() for line in out.getvalue().splitlines()]
    assert [line for line in wide if "median" in line or "mu <" in line] == [
        line for line in narrow if "median" in line or "mu <" in line
    ]
    assert "…" not in "".join(line for line in narrow if "sha256" not in line)


def test_limits_that_toys_put_beside_others_have_their_errors() -> None:
    held = LowCounts(
        floor=1.0, observed_below=True, expected_below=(True, True, False, False, False),
        calculator="toys", observed=1.2, observed_error=0.05,
        expected=(1.0, 1.0, 1.25, 1.5, 2.5), expected_error=(0.25, 0.125, 0.0625, 0.03125, 0.5),
    )  # fmt: skip
    lines = printed(limit_sheet(replace(LIMIT, low_counts=held), INPUTS)).splitlines()
    row = next(k for k, line in enumerate(lines) if "mu <, toys" in line)
    assert lines[row + 1].split() == ["±", "toys", "0.25", "0.12", "0.062", "0.031", "0.50"]
    exact = replace(held, calculator="exact counting", expected_error=(0.0,) * 5)
    assert "± toys" not in printed(limit_sheet(replace(LIMIT, low_counts=exact), INPUTS))
