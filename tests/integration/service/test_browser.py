"""A first visit in a real browser: open a published record, ask, watch, compare, take away.

Pages are looked at by axe at each step, and no request may leave the machine.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")
playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome")
     if (found := shutil.which(name))), None,
)  # fmt: skip
RECORD = "atlas_susy_2018_31/pyhf-ins1748602-probability-models.tar.gz"
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
_PATIENCE_MS = 240_000


@pytest.fixture(scope="module")
def address(
    serve: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("browser")
    store = folder / "service.db"
    with serve(
        store, "--port", "0", "--workers", "2", "--workspaces", str(repository / "workspaces")
    ) as (url, _):
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium: apt-get install chromium")
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Visitor:
    """Somebody at a browser, who notes what goes wrong."""

    def __init__(self, browser: Any, address: str, **settings: Any) -> None:
        context = browser.new_context(viewport=WIDE, **settings)
        context.set_default_timeout(_PATIENCE_MS)
        self.page, self.address = context.new_page(), address
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._console)
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(message.text)

    def opened(self, title: str) -> None:
        self.page.goto(self.address + "/")
        self.page.click(f"a.card bdi:text-is('{title}')")
        self.page.wait_for_selector("#ask")

    def card(self, title: str) -> None:
        self.page.click(f".asks strong:text-is('{title}')")

    def ask(self) -> None:
        self.page.click("button:text-is('Ask')")

    def answered(self) -> None:
        self.page.wait_for_url("**/results/**")
        self.page.wait_for_load_state("networkidle")

    def check(self, name: str) -> None:
        """No violation, at a desktop and on a phone, where nothing is wider than the screen."""
        for size in (WIDE, PHONE):
            self.page.set_viewport_size(size)
            self.page.wait_for_timeout(300)
            width = self.page.evaluate("document.documentElement.scrollWidth")
            assert width <= size["width"], f"{name}: {width} pixels wide at {size['width']}"
            found = axe.Axe().run(
                self.page,
                options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
            )
            assert found.violations_count == 0, f"{name}: {found.generate_report()}"
            self._picture(name, size)
        self.page.set_viewport_size(WIDE)

    def _picture(self, name: str, size: dict[str, int]) -> None:
        folder = os.environ.get("DARKSTATS_SCREENSHOTS")
        if folder:
            path = Path(folder) / f"{name}-{size['width']}.png"
            self.page.screenshot(path=path, full_page=True)

    def leaves(self) -> None:
        """Nothing went wrong, and nothing was asked of another machine."""
        assert self.wrong == []
        hosts = {urlsplit(url).hostname for url in self.asked if not url.startswith("data:")}
        assert hosts <= {"127.0.0.1", "localhost"}


@pytest.fixture
def visitor(browser: Any, address: str) -> Iterator[Visitor]:
    one = Visitor(browser, address)
    yield one
    one.page.context.close()


def test_a_first_visit(visitor: Visitor, tmp_path: Path) -> None:
    """Start, a likelihood, a limit with its curve under the pointer, its record, two compared."""
    page = visitor.page
    page.goto(visitor.address + "/")
    visitor.check("start")
    visitor.opened("Three channels")
    page.wait_for_selector(".canvas canvas")
    visitor.check("likelihood")
    page.set_viewport_size(PHONE)
    rows = page.locator("main tr")
    tallest = rows.evaluate_all("rows => Math.max(...rows.map(row => row.offsetHeight))")
    assert tallest < 130, "about five lines: words broken into letters take more"
    page.set_viewport_size(WIDE)
    visitor.card("Upper limit")
    visitor.check("ask")
    visitor.ask()
    visitor.answered()
    assert "1.966" in page.inner_text("dl.headlines")
    page.wait_for_selector(".canvas canvas")
    page.hover(".u-over")
    assert re.search(r"observed\s0\.\d+", page.inner_text(".readout"))
    page.focus(".canvas")
    page.keyboard.press("Home")
    assert "signal strength mu: 0" in page.inner_text(".readout")
    visitor.check("limit")
    with page.expect_download() as saved:
        page.click("text=Record (JSON)")
    saved.value.save_as(tmp_path / "limit.json")
    assert '"schema": "darkstats.limit/1"' in (tmp_path / "limit.json").read_text()
    with page.expect_download() as saved:
        page.click(".formats a:has-text('PDF')")
    saved.value.save_as(tmp_path / "limit.pdf")
    assert (tmp_path / "limit.pdf").read_bytes().startswith(b"%PDF")
    visitor.opened("Three channels")
    visitor.card("Upper limit")
    page.fill("[name=cl]", "0.9")
    visitor.ask()
    visitor.answered()
    page.click("text=Compare with another answer")
    page.select_option("#b", index=2)
    page.click("button:text-is('Compare')")
    page.wait_for_selector(".canvas canvas")
    visitor.check("compare")
    page.goto(visitor.address + "/history")
    visitor.check("history")
    visitor.leaves()


def test_fits_and_faults(visitor: Visitor) -> None:
    """Pulls and data after the fit; a form with a fault; a page that is not there."""
    page = visitor.page
    visitor.opened("Three channels")
    visitor.card("Fit")
    visitor.ask()
    visitor.answered()
    page.wait_for_selector(".yields canvas")
    visitor.check("fit")
    visitor.opened("Three channels")
    visitor.card("A signal of your own")
    page.fill("#y-1", "1, 2")
    page.select_option("[name=missing]", "keep")
    visitor.check("own-signal")
    visitor.ask()
    visitor.answered()
    assert "This cannot be answered." in page.inner_text("[role=alert]")
    visitor.check("refused")
    visitor.leaves()
    page.goto(visitor.address + "/nowhere")
    visitor.check("nowhere")


def test_a_scan_is_watched(visitor: Visitor) -> None:
    """Progress is told as it goes, and leads to the answer by itself."""
    page = visitor.page
    visitor.opened("A mass scan")
    page.wait_for_selector("#points-table")
    visitor.check("search")
    visitor.card("Scan all signals")
    page.fill("[name=cross_sections]", "examples/mass_scan/dark_vector.csv")
    visitor.ask()
    visitor.answered()
    page.wait_for_selector(".canvas canvas")
    assert "g_D" in page.inner_text("main")
    visitor.check("scan")
    visitor.leaves()


@pytest.mark.soak
def test_the_alp_scan_is_watched(visitor: Visitor) -> None:
    """502 masses: blocks are told of one after the other; limits beside earlier constraints."""
    page = visitor.page
    visitor.opened("Axion-like particle")
    visitor.card("Scan all signals")
    visitor.ask()
    page.wait_for_selector("#panel progress[value]")
    page.wait_for_function(
        "() => { const bar = document.querySelector('#panel progress');"
        " return !bar || bar.value > 0 || location.pathname.startsWith('/results/'); }"
    )
    if "/jobs/" in page.url:
        visitor.check("job")
    page.wait_for_url("**/results/**", timeout=3 * _PATIENCE_MS)
    page.wait_for_selector("text=Beside earlier constraints")
    visitor.check("alp")
    visitor.leaves()


def test_a_published_record_leads_to_a_contour(visitor: Visitor, reference_data: Path) -> None:
    """The ATLAS search for bottom squarks: one of its signals, then a plane of masses."""
    page = visitor.page
    page.goto(visitor.address + "/")
    page.set_input_files("#files", str(reference_data / RECORD))
    page.click("button:text-is('Open')")
    page.click("text=RegionA/BkgOnly.json")
    page.wait_for_selector("text=Scan all 217 signals")
    here = page.url
    page.fill("#filter", "1300_205_60")
    page.click("#points-table tr:not([hidden]) >> text=limit")
    visitor.ask()
    visitor.answered()
    assert "not excluded" in page.inner_text("dl.headlines")  # CLs = 0.244, as pyhf's authors state
    assert "CLs = 0.244" in page.inner_text("dl.headlines")
    page.goto(here)
    page.click("text=Scan all 217 signals")
    patches = page.input_value("[name=patches]")
    page.fill("[name=patches]", patches.replace("sbottom_*", "sbottom_1[35]00_[2458]?5_60")
              + "\n" + patches.replace("sbottom_*", "sbottom_1[35]00_?50_60"))  # fmt: skip
    page.fill("[name=name_pattern]", "patch.sbottom_{m_sb_gev}_{m_n2_gev}_{m_n1_gev}")
    visitor.ask()
    visitor.answered()
    page.click("text=Draw the exclusion contour")
    page.fill("[name=x]", "m_sb_gev")
    page.fill("[name=y]", "m_n2_gev")
    page.fill("[name=where]", "m_n1_gev=60")
    visitor.ask()
    visitor.answered()
    page.wait_for_selector("#plot-contours svg")
    assert page.locator("#plot-contours circle").count() >= 6
    visitor.check("contour")
    visitor.leaves()


@pytest.mark.soak
def test_all_signals_of_a_published_record_lead_to_a_contour(
    visitor: Visitor, reference_data: Path
) -> None:
    """All 217 of region A: two planes, since a mass or a difference of masses is held."""
    page = visitor.page
    page.goto(visitor.address + "/")
    page.set_input_files("#files", str(reference_data / RECORD))
    page.click("button:text-is('Open')")
    page.click("text=RegionA/BkgOnly.json")
    page.click("text=Scan all 217 signals")
    page.fill("[name=name_pattern]", "patch.sbottom_{m_sb_gev}_{m_n2_gev}_{m_n1_gev}")
    visitor.ask()
    page.wait_for_selector("#panel progress[value]", timeout=3 * _PATIENCE_MS)
    if "/jobs/" in page.url:
        visitor.check("job-sbottom")
    page.wait_for_url("**/results/**", timeout=10 * _PATIENCE_MS)
    page.wait_for_load_state("networkidle")
    assert "217" in page.inner_text("main")
    visitor.check("scan-sbottom")
    page.click("text=Draw the exclusion contour")
    page.fill("[name=x]", "m_sb_gev")
    page.fill("[name=y]", "m_n2_gev")
    page.fill("[name=where]", "m_n1_gev=60")
    visitor.ask()
    visitor.answered()
    page.wait_for_selector("#plot-contours svg")
    assert page.locator("#plot-contours circle").count() > 60
    visitor.check("contour-sbottom")
    page.set_viewport_size(PHONE)
    plot = page.locator("#plot-contours svg").bounding_box()
    assert plot["x"] >= 0.0  # the whole plane is seen on a phone
    assert plot["x"] + plot["width"] <= PHONE["width"]
    visitor.leaves()


def test_a_part_that_nobody_answered_is_asked_for_again(visitor: Visitor) -> None:
    """A connection that is lost for a moment leaves nothing waiting for ever."""
    page, lost = visitor.page, []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort()

    page.route("**/parts/yields*", lose)
    visitor.opened("Two bins")
    page.wait_for_selector("text=It is asked again.")
    page.wait_for_selector(".canvas canvas")
    assert len(lost) == 1


def test_a_cancel_that_nobody_hears_is_told(visitor: Visitor) -> None:
    """The page stays, says that the question goes on, and cancels it when it is asked again."""
    page, lost = visitor.page, []

    def lose(route: Any) -> None:
        lost.append(route.request.url)
        route.abort()

    page.route("**/jobs/*/cancel", lose)
    visitor.opened("Axion-like particle")
    visitor.card("Scan all signals")
    visitor.ask()
    page.click("text=Cancel this question")
    page.wait_for_selector("text=the question is not cancelled")
    assert "/jobs/" in page.url
    assert len(lost) == 1
    page.unroute("**/jobs/*/cancel")
    visitor.wrong.clear()  # the browser noted the lost request
    page.click("text=Cancel this question")
    page.wait_for_selector(".state.cancelled")
    visitor.leaves()


def test_dark_is_as_readable(browser: Any, address: str) -> None:
    one = Visitor(browser, address, color_scheme="dark")
    one.page.goto(address + "/")
    one.check("start-dark")
    one.opened("Two bins")
    one.page.wait_for_selector(".canvas canvas")
    one.check("likelihood-dark")
    one.leaves()
    one.page.context.close()


def test_pages_work_without_script(browser: Any, address: str) -> None:
    """Everything but the plots: their numbers stand in tables."""
    one = Visitor(browser, address, java_script_enabled=False)
    page = one.page
    page.goto(address + "/")
    page.click("a.card bdi:text-is('Two bins')")
    page.wait_for_selector("#ask")
    page.click(".asks strong:text-is('Upper limit')")
    page.click("button:text-is('Ask')")
    page.wait_for_url("**/results/**")
    assert "1.965" in page.inner_text("dl.headlines")
    one.page.context.close()
