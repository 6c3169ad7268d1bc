"""Limits, tests, significances and goodness of fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darkstats.report.numbers import (
    BAND_LABELS,
    number,
    p_number,
    percent,
    statistic_symbol,
    with_error,
)
from darkstats.service.pages.views.parts import (
    Axis,
    Band,
    Fact,
    Headline,
    Mark,
    Plot,
    Series,
    Table,
    View,
    band_table,
    brazil,
)

__all__ = ["goodness_view", "hypotest_view", "limit_view", "significance_view"]

Record = Mapping[str, Any]

_METHODS = {
    "cls": "CLs", "clsb": "CLs+b", "pcl": "power-constrained", "fc": "Feldman–Cousins",
    "bayes": "Bayesian",
}  # fmt: skip
_LEVELS = {"bayes": "credibility"}
_CURVE_FLOOR = 1e-4  # of p-values that are drawn
_DRAWN_TO = 1.6  # limits


def method_words(record: Record) -> str:
    """Name of a method for readers."""
    return _METHODS.get(str(record.get("method")), str(record.get("method")))


def level_words(record: Record) -> str:
    """Level with its name."""
    kind = _LEVELS.get(str(record.get("method")), "CL")
    return f"{percent(record['cl'])} {kind}"


def expected_words(five: Any) -> str:  # noqa: ANN401 -- a list of a record
    """Median and the way to the ends of the inner band."""
    if not five or five[2] is None:
        return "–"
    low, middle, high = five[1], five[2], five[3]
    if low is None or high is None:
        return number(middle)
    return f"{number(middle)} (+{number(high - middle, 2)} −{number(middle - low, 2)})"


def limit_view(record: Record) -> View:
    """An upper limit, or an interval: the number, the curve or the posterior behind it."""
    poi, level = record["poi"], level_words(record)
    blind = record.get("provenance", {}).get("blind", False)
    headlines = []
    if not blind:
        shown = with_error(record.get("observed"), record.get("observed_error"))
        reason = record.get("observed_reason") or ""
        headlines.append(
            Headline(label=f"Observed upper limit on {poi}", value=shown, note=reason or level)
        )
    headlines.append(
        Headline(
            label=f"Expected upper limit on {poi}", value=expected_words(record.get("expected")),
            note="median, and 68 % of outcomes without signal",
        )
    )  # fmt: skip
    tested = record.get("CLs_exp") if blind else record.get("CLs_obs")
    if tested is not None and not blind:
        headlines.append(_verdict(record, tested))
    plots = [one for one in (_curve(record, blind), _posterior(record)) if one is not None]
    return View(
        title=f"Upper limit on {poi}",
        lead=_limit_lead(record, blind),
        headlines=headlines,
        facts=_limit_facts(record),
        plots=plots,
        tables=_limit_tables(record),
        notices=_notices(record),
        figures=("cls",) if record.get("scan") else ("posterior",),
    )


def _limit_lead(record: Record, blind: bool) -> str:
    observed = record.get("observed")
    if blind or observed is None:
        return "Expected values only: the data stay closed."
    words = method_words(record)
    return (
        f"Signal strengths above {number(observed)} are excluded at {level_words(record)} "
        f"({words}). Strength 1 is the signal as the document has it."
    )


def _verdict(record: Record, tested: float) -> Headline:
    alpha = 1.0 - float(record["cl"])
    excluded = tested < alpha
    word = "excluded" if excluded else "not excluded"
    return Headline(
        label="The signal at strength 1 is", value=word,
        note=f"CLs = {p_number(tested)}, {'below' if excluded else 'not below'} {alpha:.3g}",
        tone="signal" if excluded else "",
    )  # fmt: skip


def _limit_facts(record: Record) -> list[Fact]:
    facts = [Fact(label="Method", value=method_words(record), note=level_words(record))]
    if record.get("calculator"):
        facts.append(Fact(label="Calculator", value=str(record["calculator"])))
    if record.get("test_stat"):
        facts.append(Fact(label="Test statistic", value=statistic_symbol(record["test_stat"])))
    if record.get("mu_hat") is not None:
        facts.append(Fact(label=f"Best fit of {record['poi']}", value=number(record["mu_hat"])))
    if record.get("interval"):
        one = record["interval"]
        facts.append(
            Fact(
                label="Interval", note=str(one.get("construction", "")),
                value=f"{number(one.get('lower'))} to {number(one.get('upper'))}",
            )
        )  # fmt: skip
    if record.get("prior"):
        facts.append(Fact(label="Prior", value=str(record["prior"].get("description", ""))))
    return facts


def _notices(record: Record) -> list[str]:
    found = []
    probe, low = record.get("probe"), record.get("low_counts")
    if isinstance(probe, Mapping) and probe.get("message"):
        found.append(str(probe["message"]))
    if isinstance(low, Mapping) and low.get("message"):
        found.append(str(low["message"]))
    return found


def _limit_tables(record: Record) -> list[Table]:
    tables = []
    expected = record.get("expected")
    if expected:
        rows = [[label, number(value)] for label, value in zip(BAND_LABELS, expected, strict=True)]
        if record.get("observed") is not None:
            rows.insert(0, ["observed", number(record["observed"])])
        tables.append(
            Table(title="Upper limits", columns=["outcome", f"limit on {record['poi']}"], rows=rows)
        )
    couplings = record.get("couplings")
    if isinstance(couplings, Mapping):
        rows = [
            [str(one.get("symbol") or name), number(one.get("observed")),
             expected_words(one.get("expected"))]
            for name, one in couplings.items() if isinstance(one, Mapping)
        ]  # fmt: skip
        if rows:
            tables.append(
                Table(title="As couplings", columns=["coupling", "observed", "expected"], rows=rows)
            )
    if record.get("nuisances"):
        rows = [
            [one["name"], number(one.get("mean")), number(one.get("standard_deviation")),
             number(one.get("correlation_with_poi"), 2), str(one.get("prior", ""))]
            for one in record["nuisances"]
        ]  # fmt: skip
        tables.append(
            Table(
                title="Nuisance parameters", rows=rows,
                columns=["parameter", "mean", "standard deviation", "correlation", "prior"],
            )
        )  # fmt: skip
    return tables


def _curve(record: Record, blind: bool) -> Plot | None:
    scan = record.get("scan")
    if not isinstance(scan, Mapping) or not scan.get("mu"):
        return None
    n_points = len(scan["mu"])
    rows = list(zip(*scan["expected"], strict=True)) if scan.get("expected") else [None] * n_points
    observed = None if blind else scan.get("observed")
    reach = max(
        [one for one in (record.get("observed"), *(record.get("expected") or ())) if one] or [0.0]
    )
    kept = [k for k, mu in enumerate(scan["mu"]) if not reach or mu <= _DRAWN_TO * reach]
    mu = [scan["mu"][k] for k in kept]
    expected = [rows[k] for k in kept]
    shown = None if observed is None else [observed[k] for k in kept]
    bands, series = brazil(expected, shown)
    alpha = 1.0 - float(record["cl"])
    quantity = {"clsb": "CLs+b", "pcl": "CLs+b"}.get(str(record.get("method")), "CLs")
    poi = record["poi"]
    return Plot(
        name="cls", title=f"{quantity} against the signal strength",
        summary=f"{quantity} falls below {alpha:.3g} at the upper limit: observed "
        f"{number(record.get('observed'))}, expected {expected_words(record.get('expected'))}.",
        x_axis=Axis(label=f"signal strength {poi}"),
        y_axis=Axis(label=quantity, log=True, low=_CURVE_FLOOR, high=1.5),
        x=mu, bands=bands, series=series,
        marks=[Mark(axis="y", at=alpha, label=f"{alpha:.3g}")],
        table=band_table(
            f"{quantity} at each signal strength", [poi], [[number(one)] for one in mu], shown,
            expected,
        ),
    )  # fmt: skip


def _posterior(record: Record) -> Plot | None:
    found = record.get("posterior")
    if not isinstance(found, Mapping) or not found.get("mu"):
        return None
    mu, density, poi = found["mu"], found["density"], record["poi"]
    limit = record.get("observed")
    below = [one if limit is None or x <= limit else None
             for x, one in zip(mu, density, strict=True)]  # fmt: skip
    return Plot(
        name="posterior", title=f"Posterior of {poi}",
        summary=f"Mean {number(found.get('mean'))}, median {number(found.get('median'))}; "
        f"{percent(record['cl'])} of the probability lie below {number(limit)}.",
        x_axis=Axis(label=f"signal strength {poi}"), y_axis=Axis(label="density", low=0.0), x=mu,
        bands=[Band(label=f"{percent(record['cl'])}", low=[None if one is None else 0.0
                                                        for one in below],
                    high=below, look="band1", shown=below)],
        series=[Series(label="posterior density", values=density, look="observed")],
        marks=[] if limit is None else [Mark(axis="x", at=limit, label="limit")],
        table=Table(title="Posterior density", columns=[poi, "density"],
                    rows=[[number(a), number(b)] for a, b in zip(mu, density, strict=True)]),
    )  # fmt: skip


def hypotest_view(record: Record) -> View:
    """A test of one signal strength."""
    q0 = record.get("test_stat") == "q0"
    blind = record.get("provenance", {}).get("blind", False)
    what = "p₀" if q0 else "CLs"
    headlines = [
        Headline(
            label=f"Observed {what} at {record['poi']} = {number(record['mu'], 3)}",
            value=_p(record.get("CLs_obs"), record.get("CLs_obs_bound")),
            note=record.get("CLs_obs_reason") or "",
        )
    ]
    if blind:
        headlines = []
    expected = record.get("CLs_exp")
    if expected:
        headlines.append(
            Headline(label=f"Expected {what}", value=p_number(expected[2]), note="median")
        )
    rows = []
    for key, label in (("cls", "CLs"), ("clsb", "CLs+b"), ("clb", "CLb")):
        one, five = record.get(key), (record.get("expected") or {}).get(key)
        shown = _p(one.get("value"), one.get("bound")) if isinstance(one, Mapping) else "–"
        rows.append([label, shown, *(map(p_number, five) if five else ["–"] * 5)])
    return View(
        title=f"Test of {record['poi']} = {number(record['mu'], 3)}",
        headlines=headlines,
        facts=[
            Fact(label="Test statistic", value=statistic_symbol(record["test_stat"]),
                 note=f"observed {number(record.get('statistic'))}"),
            Fact(label="Calculator", value=str(record.get("calculator"))),
            Fact(label=f"Best fit of {record['poi']}", value=number(record.get("mu_hat"))),
        ],
        tables=[
            Table(title="p-values", rows=rows,
                  columns=["", "observed", *(f"expected {one}" for one in BAND_LABELS)])
        ],
    )  # fmt: skip


def significance_view(record: Record) -> View:
    """Significance of an excess."""
    p0 = record.get("p0") or {}
    headlines = [
        Headline(
            label="Observed significance", note=record.get("observed_reason") or "",
            value=f"{with_error(record.get('observed'), record.get('observed_error'))} σ",
        ),
        Headline(label="p₀", value=_p(p0.get("value"), p0.get("bound")),
                 note="of the background-only hypothesis"),
    ]  # fmt: skip
    expected = record.get("expected")
    if expected:
        headlines.append(
            Headline(
                label=f"Expected for {record['poi']} = {number(record.get('expected_mu'), 3)}",
                value=f"{expected_words(expected)} σ",
            )
        )
    rows = []
    if expected:
        five = record.get("expected_p0") or [None] * 5
        rows = [[label, number(z), p_number(p)]
                for label, z, p in zip(BAND_LABELS, expected, five, strict=True)]  # fmt: skip
    return View(
        title="Significance of an excess",
        lead="How unlikely is an excess as large as this one, if there is background alone.",
        headlines=headlines,
        facts=[
            Fact(label="Test statistic", value=statistic_symbol(record["test_stat"])),
            Fact(label="Calculator", value=str(record.get("calculator"))),
            Fact(label=f"Best fit of {record['poi']}", value=number(record.get("mu_hat"))),
        ],
        tables=[Table(title="Expected with signal", columns=["outcome", "Z", "p₀"], rows=rows)]
        if rows
        else [],
        figures=("scan",),
    )


def goodness_view(record: Record) -> View:
    """Goodness of fit."""
    p = record.get("p_value") or {}
    return View(
        title="Goodness of fit",
        lead="Against the saturated model, which predicts each count as it was.",
        headlines=[
            Headline(label="p-value", value=_p(p.get("value"), p.get("bound"))),
            Headline(
                label="Deviance", value=number(record.get("statistic")),
                note=f"{record.get('degrees_of_freedom')} degrees of freedom",
            ),
        ],
        facts=[
            Fact(label="Bins", value=str(record.get("n_bins"))),
            Fact(label="Free parameters", value=str(record.get("n_free"))),
            Fact(label="Calculator", value=str(record.get("calculator"))),
        ],
        figures=("gof",),
    )  # fmt: skip


def _p(value: float | None, bound: float | None) -> str:
    if value is None and bound is not None:
        return f"< {p_number(bound)}"
    return p_number(value, bound)
