"""The page of each kind of answer: its number, its plot, and a table below every plot."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")

from darkstats.service.pages.views import view_of
from darkstats.service.pages.views.constraints import constraints_plot
from darkstats.service.pages.views.contours import ticks

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

    from darkstats.service.store import Store

Work = Callable[[], None]


@pytest.fixture
def three_channels(store: Store, examples: Path) -> str:
    names = ("three_channels.json", "three_channels.meta.json")
    kept = store.documents.collect(
        {name: (examples / name).read_bytes() for name in names}, owner="local", title="three"
    )
    return f"sha256:{kept.digest}/three_channels.json"


def ask(client: TestClient, work: Work, verb: str, **given: str) -> str:
    sent = client.post(f"/ask/{verb}", data=given, follow_redirects=False)
    assert sent.status_code == 303, re.findall(r'class="error">(.*?)<', sent.text)
    work()
    page = client.get(sent.headers["location"])
    assert page.status_code == 200
    n_plots = page.text.count('<figure class="plot" id=')
    assert page.text.count("Numbers of this plot") == n_plots
    return page.text


@pytest.mark.parametrize(
    "case",
    [
        ("hypotest", {"mu": "2"}, ["Test of mu = 2.00", "CLs+b"]),
        ("significance", {}, ["Observed significance", "0.8129 σ"]),
        ("gof", {}, ["Goodness of fit", "7 degrees of freedom"]),
        ("fit", {}, ["0.58 ± 0.73", "plot-pulls", "energy_scale", "/parts/postfit?key="]),
        ("rank", {}, ["What moves mu", "plot-ranking", "other_norm"]),
        ("scan-poi", {}, ["Profile likelihood of mu", "data-profile"]),
        ("limit", {"method": "clsb"}, ["CLs+b against the signal strength"]),
        ("limit", {"blind": "true"}, ["the data stay closed", ">blind<"]),
        ("reinterpret", {"channel": "signal_region", "yields": "1 2 3 2", "missing": "keep"},
         ["2.860", "they are kept without signal"]),
    ],
)  # fmt: skip
def test_each_kind_says_its_number(
    client: TestClient, work: Work, three_channels: str, case: tuple[str, dict[str, str], list[str]]
) -> None:
    verb, given, words = case
    text = ask(client, work, verb, source=three_channels, **given)
    for one in words:
        assert one in text
    assert "simulated data" in text


def test_a_posterior_is_drawn(client: TestClient, work: Work, two_bins: str) -> None:
    text = ask(client, work, "limit", source=two_bins, method="bayes")
    assert "1.755" in text
    assert 'id="data-posterior"' in text
    assert "background_bins[0]" in text


def test_a_scan_with_a_coupling_leads_on(client: TestClient, work: Work, mass_scan: str) -> None:
    """A name of a file of the collection is enough; what follows is offered."""
    text = ask(client, work, "scan", source=mass_scan, cross_sections="dark_vector.csv")
    assert "Upper limit on the coupling g_D" in text
    assert "Largest local excess" in text
    assert "mass = 1.800 GeV" in text
    assert "/ask/global?source=result%3A" in text
    table = re.search(r'href="(/results/[0-9a-f]{64}/table\.csv)"', text)[1]
    client.get(table, follow_redirects=False)
    work()
    assert "m_a_gev" in client.get(table).text or "mass_gev" in client.get(table).text
    second = ask(client, work, "scan", source=mass_scan, cl="0.9")
    keys = [re.search(r"/api/v1/results/([0-9a-f]{64})", one)[1] for one in (text, second)]
    whole = ask(client, work, "global", source=f"result:{keys[0]}", n_toys="200")
    assert "Global significance" in whole
    assert f"darkstats global scan-{keys[0][:12]} --toys 200" in whole
    blind = ask(client, work, "scan", source=mass_scan, blind="true")
    assert "/ask/global" not in blind
    both = client.get(f"/compare?a={keys[0]}&b={keys[1]}").text
    assert "Hypotheses that both have" in both
    assert 'id="data-limits"' in both


def test_signals_of_a_patch_set_can_be_chosen(
    client: TestClient, work: Work, mass_scan: str
) -> None:
    digest = mass_scan.removeprefix("sha256:")
    here = client.get(f"/likelihoods/{digest}", follow_redirects=False).headers["location"]
    assert here.endswith("/background_only.json")
    client.get(here)
    work()
    page = client.get(here).text
    assert "no modifier is named" in page
    address = re.search(r'hx-get="(/parts/points[^"]*)"', page)[1].replace("&amp;", "&")
    client.get(address)
    work()
    part = client.get(address).text
    link = re.search(r'href="(/ask/limit\?[^"]*point=mass_1p8)"', part)[1].replace("&amp;", "&")
    form = client.get(link).text
    assert 'value="mass_1p8"' in form
    found = ask(client, work, "limit", point="mass_1p8", source=f"{mass_scan}/background_only.json")
    assert "0.5853" in found


def test_a_contour_shows_every_hypothesis() -> None:
    points = [
        {"name": f"p{x}{y}", "values": {}, "x": x, "y": y, "scan": "",
         "observed": 0.2 * x * y + 0.1, "expected": [0.5, 0.7, 0.9, 1.1, 1.3]}
        for x in (1.0, 2.0, 3.0) for y in (1.0, 2.0, 3.0)
    ]  # fmt: skip
    record = {
        "schema": "darkstats.contour/1", "title": "plane", "method": "cls", "cl": 0.95,
        "calculator": "asymptotic", "quantity": "mu", "level": 1.0, "definition": "below 1",
        "interpolation": "linear", "points": points, "left_out": [],
        "axes": [{"label": "m", "title": "m", "unit": "GeV"},
                 {"label": "n", "title": "<n>", "unit": None}],
        "contours": [{"curve": "observed", "excluded": 5, "pieces": [
            {"closed": False, "x": [1.0, 2.0], "y": [3.0, 2.2]}]}],
    }  # fmt: skip
    view = view_of(record, "contour")
    (plane,) = view.plots
    circles = [attributes for tag, attributes in plane.shapes if tag == "circle"]
    assert len(circles) == 9
    assert sum(one["class"] == "dot-out" for one in circles) == 6
    assert view.headlines[0].value == "6 of 9"
    assert [row[0] for row in plane.table.rows] == [one["name"] for one in points]


def test_ticks_are_round_and_inside() -> None:
    for low, high in ((0.0, 1.0), (130.0, 1490.0), (-2.0, 3.3), (1e-3, 2e-3)):
        found = ticks(low, high)
        assert 3 <= len(found) <= 9
        assert all(low - 1e-9 <= one <= high + 1e-9 for one in found)


def test_any_other_record_is_shown_by_its_fields() -> None:
    view = view_of({"schema": "darkstats.digest/1", "sha256": "ab", "sorted": True}, "digest")
    assert [(one.label, one.value) for one in view.facts] == [("sha256", "ab"), ("sorted", "yes")]
    assert view.title == "Digest"


def test_a_search_has_a_reach(client: TestClient, work: Work, mass_scan: str) -> None:
    text = ask(
        client, work, "project", source=mass_scan, luminosity_ifb="1", luminosities_ifb="2,5"
    )
    assert "Reach of the search" in text
    assert "2.00 fb⁻¹" in text
    assert "5.00 fb⁻¹" in text


def test_a_global_significance_names_its_methods() -> None:
    record = {
        "schema": "darkstats.global/1", "title": "Search", "labels": ["m_a_gev"],
        "point": {"name": "m_1", "values": [1.0]}, "quoted": "toys", "z_global": 0.5,
        "p_global": 0.3, "p_global_below": None, "z_local": 2.9, "p_local": 0.0019,
        "statement": "all certified", "not_computed": [],
        "methods": [{"method": "toys", "p_global": 0.3, "z_global": 0.5, "trials_factor": 160.0,
                     "valid": True, "notes": ["a note"], "reasons": []}],
    }  # fmt: skip
    view = view_of(record, "global")
    assert view.headlines[0].value == "0.500 σ"
    assert "by toys of the whole spectrum" in view.headlines[0].note
    assert "m a = 1.000 GeV" in view.lead
    assert view.tables[0].rows[0][:2] == ["toys of the whole spectrum", "0.300"]


def test_earlier_constraints_stand_beside_a_coupling() -> None:
    rows = [
        {"hypothesis": f"m{k}", "m_a_gev": str(mass), "observed": "0.002",
         **{f"expected_{name}": "0.001"
            for name in ("minus2", "minus1", "median", "plus1", "plus2")},
         "constraint_name": "LEP" if k else "Belle II", "constraint_level": "0.95",
         "constraint_method": "CLs", "constraint_source": "<b>arXiv</b>",
         "constraint_mass_gev": str(mass), "constraint_lower": "0.003",
         "constraint_upper": "0.1" if k else ""}
        for k, mass in enumerate((0.2, 1.0, 5.0))
    ]  # fmt: skip
    record = {"labels": ["m_a_gev"], "points": [{"couplings": {"alp": {"symbol": "g"}}}]}
    plot = constraints_plot(rows, record)
    assert plot is not None
    assert [(one.label, one.dash) for one in plot.curves] == [
        ("Belle II", False), ("LEP", False), ("LEP, upper end", True),
    ]  # fmt: skip
    assert [row[0] for row in plot.table.rows] == ["Belle II", "LEP"]
    assert plot.x_axis.log
    assert constraints_plot(rows[:1], {"labels": ["m_a_gev", "m_b_gev"]}) is None
