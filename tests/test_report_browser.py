"""A report in a real browser: it fetches nothing, runs nothing, fits its window and its paper."""

import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sightlab.charts import save_chart
from sightlab.comparison.compare_runs import compare_runs
from sightlab.report import write_report
from sightlab.report.article import write_html
from sightlab.report.comparison_page import write_comparison
from tests.report_runs import NASTY, opened_again, own_run
from tests.test_article import article
from tests.test_chart_files import curves, matrix

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine; Debian's package is `chromium`"),
]
KINDS = ["nasty", "comparison", "article"]  # each page that is built in a way of its own
OTHERS = ["run", "two classes", "many classes"]
PAGES = [*KINDS, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
WINDOWS = [
    pytest.param(name, width, marks=[pytest.mark.slow] * (name in OTHERS and (name, width) != ("many classes", 390)))
    for name in (*KINDS, *OTHERS)
    for width in (1280, 390)
]
PAPER = (673, 986)  # CSS pixels inside the margins of A4: 178 x 261 mm


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A page, made when it is asked for: of a run, of names that attack and metrics, of 2 and of 130 classes, ..."""
    home = tmp_path_factory.mktemp("runs")

    @cache
    def nasty() -> Path:
        folder = own_run(home, NASTY, 30, epochs=2, metrics="brier,auc,top5", report=False)
        opened_again(folder, NASTY, 30, "<b>once more</b>")
        return folder

    def comparison() -> Path:
        other = own_run(home, NASTY, 30, lr=0.001, name="<img src=x onerror=alert(2)>", report=False)
        return write_comparison(compare_runs([nasty(), other]), home / "comparison.html", NASTY[0])

    makers: dict[str, Callable[[], Path]] = {
        "run": lambda: write_report(own_run(home, [f"kind {n}" for n in range(10)], 20, (28, 28, 1), report=False)),
        "nasty": lambda: write_report(nasty()),
        "two classes": lambda: own_run(home, ("cat", "dog"), 30, (12, 9, 3)) / "report.html",
        "many classes": lambda: own_run(home, [f"class {n}" for n in range(130)], 7) / "report.html",
        "comparison": comparison,
        "article": lambda: write_html(article(NASTY[0]), home / "article.html")[0],
    }
    return cache(lambda name: makers[name]())


class Opened:
    """A report in a window of this width, and all that happened while it opened."""

    def __init__(self, browser: Any, file: Path, width: int) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.events: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.events.append(message.text))
        self.page.on("pageerror", lambda error: self.events.append(str(error)))
        self.page.on("dialog", lambda dialog: self.events.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def ask(self, script: str) -> Any:
        return self.page.evaluate(script)


@pytest.fixture(scope="module")
def window(browser: Any, report: Callable[[str], Path]) -> Callable[[str, int], Opened]:
    """Each page, opened once with all its details unfolded, in a window of this width."""

    @cache
    def opened(name: str) -> Opened:
        one = Opened(browser, report(name), 1280)
        one.ask("document.querySelectorAll('details').forEach(e => e.open = true)")
        return one

    def sized(name: str, width: int) -> Opened:
        opened(name).page.set_viewport_size({"width": width, "height": 900})
        return opened(name)

    return sized


@pytest.mark.parametrize(("name", "width"), WINDOWS)
def test_a_report_opens_quietly_and_fits_its_window(
    window: Callable[[str, int], Opened], report: Callable[[str], Path], name: str, width: int
) -> None:
    opened = window(name, width)
    assert opened.events == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [report(name).as_uri()]
    assert opened.ask("document.documentElement.scrollWidth") <= width
    wide = """[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, pre, .skip')
        && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '.' + e.className)"""
    assert opened.ask(wide) == []
    drawn = "[...document.querySelectorAll('.chart svg')].map(e => e.getBoundingClientRect().width)"
    sizes = opened.ask(drawn)
    assert sizes
    assert all(100 < size <= width for size in sizes)
    images = opened.ask("[...document.images].map(e => e.complete ? e.naturalWidth : 0)")
    assert all(images)
    assert bool(images) == (name not in ("comparison", "article"))


@pytest.mark.parametrize("name", PAGES)
def test_a_report_is_well_formed_for_those_who_do_not_see_it(window: Callable[[str, int], Opened], name: str) -> None:
    opened = window(name, 1280)
    levels = opened.ask("[...document.querySelectorAll('h1, h2, h3, h4')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= before + 1 for before, later in pairwise(levels))
    ids = opened.ask("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(set(ids)) == len(ids)
    links = opened.ask("[...document.querySelectorAll('a')].map(e => e.getAttribute('href'))")
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    assert opened.ask("document.documentElement.lang") == "en"
    assert opened.ask("[...document.images].every(e => e.alt)")
    assert opened.ask("[...document.querySelectorAll('[role=img]')].every(e => e.getAttribute('aria-label'))")
    assert opened.ask("[...document.querySelectorAll('th')].every(e => e.scope)")
    assert opened.ask("document.querySelectorAll('script, iframe, object, link[rel=stylesheet]').length") == 0


CONTRAST = """(() => {
  const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = rgb => { const [r, g, b] = rgb.match(/[\\d.]+/g).map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!c.startsWith('rgba(0, 0, 0, 0')) return c; } return 'rgb(255, 255, 255)'; };
  const texts = [...document.querySelectorAll('body *')].filter(e => !e.closest('svg')
    && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
  return Math.min(...texts.map(e => { const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }));
})()"""


@pytest.mark.parametrize("name", ["nasty", "comparison"])
def test_text_has_the_contrast_of_wcag_aa(window: Callable[[str, int], Opened], name: str) -> None:
    opened = window(name, 1280)
    assert opened.ask(CONTRAST) >= 4.5


def test_names_show_as_they_are_written(window: Callable[[str, int], Opened]) -> None:
    opened = window("nasty", 1280)
    shown = opened.ask("[...document.querySelectorAll('.classes tbody th')].map(e => e.textContent)")
    assert shown == list(NASTY)
    assert "<b>once more</b>" in opened.ask("document.body.innerText")
    assert "has been opened 2 times" in opened.ask("document.querySelector('.notice').innerText")
    opened = window("comparison", 1280)
    assert opened.ask("document.querySelector('h1').textContent") == NASTY[0]


@pytest.mark.parametrize("name", PAGES)
def test_a_report_prints_without_cutting_a_chart(browser: Any, report: Callable[[str], Path], name: str) -> None:
    opened = Opened(browser, report(name), PAPER[0])
    opened.page.emulate_media(media="print")
    whole = "[...document.querySelectorAll('.chart, .figures, .scroll:not(.long), .gallery li')]"
    facts = "[getComputedStyle(e).breakInside, getComputedStyle(e).display, e.getBoundingClientRect().height]"
    charts = opened.ask(f"{whole}.map(e => {facts})")
    assert len(charts) > 3
    for kept, display, height in charts:
        assert kept == "avoid" or display.startswith("inline")
        assert height <= PAPER[1]
    assert opened.ask("document.documentElement.scrollWidth") <= PAPER[0]
    pages = len(re.findall(rb"/Type\s*/Page\b", opened.page.pdf(format="A4")))
    assert 2 <= pages <= 20


def test_a_report_is_read_without_scripts(browser: Any, report: Callable[[str], Path]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report("nasty").as_uri())
    assert page.locator(".chart svg").count() == 3
    assert page.get_by_role("heading", name="Result").is_visible()
    context.close()


def test_a_browser_draws_a_charts_page_offline_zooms_it_and_runs_no_name(browser: Any, tmp_path: Path) -> None:
    seen: list[Any] = []
    paths = [tmp_path / "matrix.html", tmp_path / "curves.html"]
    save_chart(matrix(), paths[0])
    save_chart(curves(), paths[1])
    page = browser.new_page()
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("dialog", lambda dialog: seen.append(dialog.message) or dialog.dismiss())
    page.on("request", lambda request: seen.append(request.url))
    ticks = []
    for path in paths:
        page.goto(path.as_uri())
        page.wait_for_selector("#chart svg")
    for delta in (0, -600):
        page.mouse.move(200, 180)
        page.mouse.wheel(0, delta)
        page.wait_for_timeout(200)
        ticks.append(page.locator(".role-axis-label").first.text_content())
    assert seen == [path.as_uri() for path in paths]
    assert ticks[0] != ticks[1]
