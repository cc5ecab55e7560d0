"""The pages in a real browser: quiet, alone, narrow enough, usable, accessible, printable.

Every check is shown to fail on a page that was spoiled for it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from ranklet.budget.plan import ParameterPlan, PlanRow
from ranklet.evaluation.baselines import Baseline
from ranklet.evaluation.data_description import DataDescription, count_labels, count_lengths
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.problem_metrics import curves_of_probabilities
from ranklet.evaluation.report.error_table import ErrorRow, ErrorTable
from ranklet.evaluation.report.figures import (
    data_figures,
    evaluation_figures,
    save_figures,
    training_figures,
)
from ranklet.evaluation.report.page import Section
from ranklet.evaluation.report.run_page import (
    DataSummary,
    Provenance,
    Results,
    Training,
    embed_figures,
    render_report,
)
from ranklet.evaluation.report.table import Table
from ranklet.evaluation.slices import by_confidence, slice_rows
from ranklet.problem import choose_problem
from ranklet.search.belief import BestAfter
from ranklet.search.page import render_search
from ranklet.search.trial import Estimate, SearchResult, Trial, TrialState, Verdict

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
    pytest.mark.slow,
]
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
ROWS, ERRORS, SHOWN, FEW = 7_600, 600, 500, 40
MOST_BYTES = 1_500_000
MOST_PRINTED = 30  # pages
HOSTILE = "<script>alert('label')</script>"
HOSTILE_TEXT = "<img src=x onerror=alert(1)><script>alert('text')</script> and zebras"
LABELS = ("World", "Sports", "Business", HOSTILE)
WORDS = (
    "market",
    "goal",
    "minister",
    "chip",
    "the",
    "a",
    "of",
    "striker",
    "bank",
    "orbit",
    "treaty",
)


@dataclass
class Opened:
    """A page in the browser and what it did."""

    page: Any
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield started
        started.close()


@contextmanager
def opened(
    browser: Any, path: Path, width: int = 1440, scheme: str = "light", script: bool = True
) -> Iterator[Opened]:
    viewport = {"width": width, "height": 900}
    context = browser.new_context(
        viewport=viewport, color_scheme=scheme, java_script_enabled=script
    )
    found = Opened(context.new_page())
    found.page.on("console", lambda message: found.console.append(message.text))
    found.page.on("pageerror", lambda error: found.console.append(str(error)))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.on("requestfailed", lambda request: found.refused.append(request.failure))
    found.page.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
    found.page.goto(path.as_uri())
    yield found
    context.close()


def error_rows(random: np.random.Generator, number: int) -> Iterator[ErrorRow]:
    for row in range(number):
        words = random.choice(WORDS, int(random.integers(20, 70))).tolist()
        text = HOSTILE_TEXT if row == 3 else f"{' '.join(words)} {row}"
        label, predicted = random.choice(len(LABELS), 2, replace=False)
        yield ErrorRow(
            row * 11,
            text,
            LABELS[label],
            LABELS[predicted],
            float(random.uniform(0, 0.5)),
            1 - row / 1_000,
            is_suspect=row % 9 == 0,
            words=tuple((word, float(random.normal())) for word in text.split()),
        )


def records() -> Iterator[Mapping[str, Any]]:
    for step in range(1, 101):
        yield {
            "kind": "train",
            "step": step,
            "epoch": step / 50,
            "loss": 1 / step,
            "learning_rate": 1 - step / 100,
        }
    scores = {"loss": 0.3, "accuracy": 0.9}
    scores |= dict.fromkeys(("macro_f1", "macro_precision", "macro_recall"), 0.9)
    yield {"kind": "validation", "step": 100, "epoch": 2.0, **scores}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything a report can show but its errors, of 7,600 random test rows."""
    random = np.random.default_rng(1)
    truth = random.integers(0, len(LABELS), ROWS)
    predicted = truth.copy()
    wrong = random.choice(ROWS, ERRORS, replace=False)
    predicted[wrong] = (truth[wrong] + 1) % len(LABELS)
    shares = random.dirichlet(np.ones(len(LABELS)), ROWS)
    shares[np.arange(ROWS), predicted] += 1
    probabilities = (shares / 2).astype(np.float32)
    right, groups = predicted == truth, by_confidence(probabilities.max(1))
    evaluations = [
        replace(
            evaluate_one_label(probabilities, truth, LABELS, split),
            slices=slice_rows(groups, right),
        )
        for split in ("test", "validation")
    ]
    problem = choose_problem("single_label_classification", len(LABELS))
    curves = curves_of_probabilities(problem, probabilities, truth, LABELS)
    held = list(records())
    lengths = {"train": random.integers(5, 90, ROWS), "test": random.integers(5, 90, ROWS)}
    described = DataDescription(
        words=count_lengths(lengths, {"min_words": 8}),
        tokens=count_lengths(lengths, {"max_length": 64}),
        labels=LABELS,
        rows=dict.fromkeys(lengths, ROWS),
        label_rows=dict.fromkeys(lengths, count_labels(truth, len(LABELS))),
    )
    figures = training_figures(held) | data_figures(described)
    for evaluation, drawn in zip(evaluations, (curves, None), strict=True):
        figures |= evaluation_figures(evaluation, drawn)
    drawings = save_figures(tmp_path_factory.mktemp("figures"), figures)
    sure = Metric(0.9, (0.89, 0.91))
    typos = Table("Typos", ("by", "rows"), [("a", "1")])
    return {
        "title": HOSTILE,
        "subtitle": "a random evaluation",
        "results": Results(evaluations, {"test": (Baseline("majority class", sure, sure),)}),
        "budget": ParameterPlan((PlanRow("layer.0.query", "lora", 4, (3, 4), 30),), 40),
        "data": DataSummary({"train": 9}, {"train": 0.1}, {"in test": 1}, {}, "Nothing leaked."),
        "training": Training(held, {"steps": "100"}, 61.0),
        "figures": embed_figures(drawings),
        "further": [Section("Under stress", "With typos.", (), (typos,))],
        "provenance": Provenance(
            recipe="encoder: minilm\n",
            command="ranklet train recipe.yaml",
            environment={"torch": "2.13"},
            hashes={"recipe": "0" * 64},
        ),
    }


def write_report(folder: Path, parts: Mapping[str, Any], shown: int) -> Path:
    rows = tuple(error_rows(np.random.default_rng(2), shown))
    method = "occlusion, the fall of the probability of the predicted label without the word"
    errors = ErrorTable("test", rows, ERRORS, "evaluation/test_errors.csv", method)
    path = folder / "report.html"
    results = replace(parts["results"], errors=errors)
    path.write_text(render_report(**{**parts, "results": results}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, parts: dict[str, Any]) -> Path:
    """A report with as many errors as one shows at most."""
    return write_report(tmp_path_factory.mktemp("report"), parts, SHOWN)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, parts: dict[str, Any]) -> Path:
    """A report with a few errors, which a browser has read sooner."""
    return write_report(tmp_path_factory.mktemp("small"), parts, FEW)


def spoiled(report: Path, old: str, new: str, *, allowed: bool = False) -> Path:
    """Write the report with one thing changed; `allowed` takes its policy away as well."""
    page = report.read_text(encoding="utf-8")
    assert old in page
    page = page.replace(old, new, 1)
    if allowed:
        page, times = re.subn('<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
        assert times == 1
    path = report.with_name("spoiled.html")
    path.write_text(page, encoding="utf-8")
    return path


def added(report: Path, element: str, *, allowed: bool = False) -> Path:
    """Write the report with one more element in it."""
    return spoiled(report, "<main>", f"<main>{element}", allowed=allowed)


def visited(browser: Any, path: Path) -> Opened:
    """Open a page, let it come to rest and close it again."""
    with opened(browser, path) as found:
        found.page.wait_for_load_state("networkidle")
    return found


def fits(browser: Any, path: Path, width: int) -> bool:
    with opened(browser, path, width) as found:
        return bool(found.page.evaluate("document.documentElement.scrollWidth") == width)


def barriers(browser: Any, path: Path, width: int, scheme: str) -> list[str]:
    """Let axe look for what keeps people out; serious and critical things only."""
    with opened(browser, path, width, scheme) as found:
        violations = axe.Axe().run(found.page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in violations
        if each["impact"] in ("serious", "critical")
    ]


def printed_pages(browser: Any, path: Path) -> int:
    with opened(browser, path) as found:
        content = found.page.pdf(format="A4")
    assert content.startswith(b"%PDF-")
    return len(re.findall(rb"/Type\s*/Page\b", content))


def cells(page: Any, column: int) -> list[str]:
    rows = page.locator("#error-rows tbody tr:visible")
    return [text.strip() for text in rows.locator(f"td:nth-child({column + 1})").all_inner_texts()]


def heading(page: Any, name: str) -> Any:
    return page.locator("#error-rows th", has_text=re.compile(f"^{name}"))


def test_it_says_nothing_asks_for_nothing_and_opens_nothing(browser: Any, report: Path) -> None:
    found = visited(browser, report)
    assert (found.console, found.dialogs, found.refused) == ([], [], [])
    assert found.requests == [report.as_uri()]


def test_what_a_page_says_is_heard(browser: Any, small: Path) -> None:
    assert visited(browser, added(small, "<script>console.log(1)</script>", allowed=True)).console


def test_what_a_page_asks_for_is_seen(browser: Any, small: Path) -> None:
    image = '<img alt="" src="https://localhost:9/pixel.png">'
    found = visited(browser, added(small, image, allowed=True))
    assert len(found.requests) == 2
    assert found.refused != ["csp"]
    assert visited(browser, added(small, image)).refused == ["csp"], "the policy lets it load"


def test_a_dialog_is_seen(browser: Any, small: Path) -> None:
    main = f"<main>{HOSTILE}"
    assert visited(browser, spoiled(small, "<main>", main, allowed=True)).dialogs == ["label"]
    assert visited(browser, spoiled(small, "<main>", main)).dialogs == [], "the policy lets it run"


def test_scripts_in_texts_and_labels_stay_text(browser: Any, small: Path) -> None:
    with opened(browser, small) as found:
        assert HOSTILE_TEXT in cells(found.page, 0)
        assert HOSTILE in cells(found.page, 1)
        assert found.page.title() == f"{HOSTILE} \N{EN DASH} ranklet report"


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_sticks_out_at_the_side(browser: Any, report: Path, width: int) -> None:
    assert fits(browser, report, width)


@pytest.mark.parametrize("width", [390, 1440])
def test_what_sticks_out_is_seen(browser: Any, small: Path, width: int) -> None:
    assert fits(browser, small, width)
    assert not fits(browser, added(small, '<div style="width: 2000px">wide</div>'), width)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_axe_finds_nothing_serious(browser: Any, small: Path, width: int, scheme: str) -> None:
    assert barriers(browser, small, width, scheme) == []


def test_axe_finds_what_is_serious(browser: Any, small: Path) -> None:
    pale = added(small, '<p style="color: #bbb; background: #fff">pale</p><select></select>')
    found = barriers(browser, pale, 390, "light")
    assert [each.split(":")[0] for each in found] == ["color-contrast", "select-name"]


def test_the_page_is_small_and_prints(browser: Any, report: Path) -> None:
    assert report.stat().st_size < MOST_BYTES
    assert 3 < printed_pages(browser, report) <= MOST_PRINTED
    rule = "#error-rows tbody tr:nth-child(n + 51) { display: none; }"
    assert printed_pages(browser, spoiled(report, rule, "")) > MOST_PRINTED


def sorts(page: Any, by_keyboard: bool) -> bool:
    """Whether the table follows its headings, figures as figures, and says so."""

    def press(name: str) -> None:
        button = heading(page, name).locator("button")
        if not button.count():
            return
        if by_keyboard:
            button.focus()
            page.keyboard.press("Enter")
        else:
            button.click()

    before = cells(page, 6)
    press("row")
    up = heading(page, "row").get_attribute("aria-sort") == "ascending"
    up = up and cells(page, 6) == sorted(before, key=int)
    press("row")
    down = heading(page, "row").get_attribute("aria-sort") == "descending"
    down = down and cells(page, 6) == sorted(before, key=int, reverse=True)
    press("true label")
    labels = cells(page, 1)
    others = page.locator("#error-rows th[aria-sort]").count()
    return up and down and others == 1 and sorted(labels, key=str.casefold) == labels


@pytest.mark.parametrize("by_keyboard", [False, True])
def test_the_errors_are_sorted(browser: Any, small: Path, by_keyboard: bool) -> None:
    with opened(browser, small) as found:
        assert heading(found.page, "confidence").get_attribute("aria-sort") == "descending"
        assert sorts(found.page, by_keyboard)
    as_text = spoiled(small, "first - second ||", "")
    with opened(browser, spoiled_with_its_hash(as_text)) as found:
        assert not sorts(found.page, by_keyboard)


def spoiled_with_its_hash(path: Path) -> Path:
    """Let the policy of a page allow its changed script."""
    page = path.read_text(encoding="utf-8")
    return_path = path.with_name("spoiled.html")
    page = re.sub("script-src [^;]*;", "script-src 'unsafe-inline';", page)
    return_path.write_text(page, encoding="utf-8")
    return return_path


def test_the_headings_are_reached_by_tab(browser: Any, small: Path) -> None:
    with opened(browser, small) as found:
        found.page.get_by_label("Predicted label").focus()
        for _ in range(2):  # the box that scrolls, then the first heading
            found.page.keyboard.press("Tab")
        assert found.page.evaluate("document.activeElement.textContent") == "text"


def filters(page: Any) -> bool:
    """Whether only matching rows are left, by text and by both labels, and how many is said."""
    rows = list(zip(*(cells(page, column) for column in range(3)), strict=True))
    page.get_by_role("searchbox").press_sequentially("STRIKER")
    page.get_by_label("True label").select_option(HOSTILE)
    page.get_by_label("Predicted label").select_option("World")
    wanted = [row for row in rows if "striker" in row[0] and row[1:] == (HOSTILE, "World")]
    left = list(zip(*(cells(page, column) for column in range(3)), strict=True))
    said = page.locator("output").inner_text()
    return 0 < len(left) < 100 and left == wanted and said == f"{len(left)} of {SHOWN} rows"


def test_the_errors_are_filtered(browser: Any, report: Path) -> None:
    with opened(browser, report) as found:
        assert filters(found.page)
        found.page.get_by_role("searchbox").fill("")
        for name in ("True label", "Predicted label"):
            found.page.get_by_label(name).select_option("any")
        assert len(cells(found.page, 0)) == SHOWN
    case_counts = spoiled_with_its_hash(
        spoiled(report, "field.value.trim().toLowerCase()", "field.value")
    )
    with opened(browser, case_counts) as found:
        assert not filters(found.page)


def test_a_long_text_opens_by_keyboard(browser: Any, small: Path) -> None:
    with opened(browser, small) as found:
        summary = found.page.locator("#error-rows summary").first
        clamped = summary.bounding_box()["height"]
        summary.focus()
        found.page.keyboard.press("Enter")
        assert summary.bounding_box()["height"] > clamped


def test_without_script_the_errors_are_there_and_nothing_is_dead(browser: Any, small: Path) -> None:
    with opened(browser, small, script=False) as found:
        assert len(cells(found.page, 0)) == FEW
        assert found.page.locator("#error-rows button").count() == 0
        assert not found.page.locator(".filters").is_visible()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of twenty classes, all of whose confusions occur."""
    names = [f"a class called {index}" for index in range(20)]
    truth = np.repeat(np.arange(20), 1_000)
    predicted = np.where(np.arange(20_000) % 2, truth, np.tile(np.arange(20), 1_000))
    whole = evaluate_one_label(np.eye(20, dtype=np.float32)[predicted], truth, names, "test")
    path = tmp_path_factory.mktemp("many") / "report.html"
    rows = tuple(PlanRow(f"bert.encoder.layer.{n}.attention.output.dense", "lora", 4, (9, 9), 72)
                 for n in range(3))  # fmt: skip
    page = render_report("many", results=Results([whole]), budget=ParameterPlan(rows, 999))
    path.write_text(page, encoding="utf-8")
    return path


def cut_off(browser: Any, path: Path, width: int) -> list[str]:
    """Name the tables of which a column lies outside of its box."""
    with opened(browser, path, width) as found:
        boxes = found.page.locator(".box:has(table)")
        return [
            str(box.get_attribute("aria-label"))
            for box in boxes.all()
            if box.evaluate("box => box.scrollWidth > box.clientWidth")
        ]


def test_twenty_classes_hide_no_column(browser: Any, many: Path, small: Path) -> None:
    assert cut_off(browser, many, 1440) == []
    assert cut_off(browser, small, 1440) == []
    with opened(browser, many) as found:
        matrix = found.page.locator("table.matrix tr:nth-child(1) td, table.matrix thead th")
        assert matrix.count() == 20 + 21
    wide = spoiled(many, "padding: 0.3rem 0.2rem;", "")
    assert cut_off(browser, wide, 1440) == [
        "Confusion: true class by row, predicted class by column"
    ]


def stays(browser: Any, path: Path) -> bool:
    """Whether the names of the rows stay in sight where the rest is scrolled on a phone."""
    with opened(browser, path, 390) as found:
        box = found.page.locator(".box:has(table.matrix)")
        box.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
        name = box.locator("tbody th").first
        return bool(name.bounding_box()["x"] >= box.bounding_box()["x"])


def test_on_a_phone_the_true_classes_stay_in_sight(browser: Any, many: Path) -> None:
    assert stays(browser, many)
    assert not stays(browser, spoiled(many, ".matrix th:first-child { position: sticky", ".none {"))


def reached(browser: Any, path: Path) -> bool:
    """Whether the links are in sight at the end of the page and lead below themselves."""
    with opened(browser, path) as found:
        links = found.page.get_by_role("navigation")
        found.page.evaluate("scrollTo(0, document.body.scrollHeight)")
        place = links.bounding_box()
        if place["y"] != 0:
            return False
        links.get_by_role("link", name="training").click()
        heading = found.page.get_by_role("heading", name="Training").bounding_box()
        return bool(place["height"] <= heading["y"] < 200)


def test_every_part_is_one_click_away_everywhere(browser: Any, small: Path) -> None:
    assert reached(browser, small)
    assert not reached(browser, spoiled(small, "nav { position: sticky;", "nav {"))
    assert not reached(browser, spoiled(small, "scroll-margin-top: 3.5rem;", ""))


def colours_of_drawings(browser: Any, path: Path, scheme: str) -> tuple[set[str], set[str]]:
    """Return the colours of the grounds of all drawings, and of the words in them."""
    fill = "all => all.map(one => getComputedStyle(one).fill)"
    with opened(browser, path, scheme=scheme) as found:
        grounds = found.page.locator("figure svg #patch_1 path, figure svg [id$=patch_1] path")
        words = found.page.locator("figure svg text")
        return set(grounds.evaluate_all(fill)), set(words.evaluate_all(fill))


def test_drawings_are_dark_where_the_page_is(browser: Any, small: Path) -> None:
    light, dark = (colours_of_drawings(browser, small, scheme) for scheme in ("light", "dark"))
    assert light[0] == {"rgb(255, 255, 255)"}
    assert dark[0] == {"rgb(27, 30, 34)"}
    assert not light[1] & dark[1], "all words change with the ground"
    white = spoiled(small, "fill: var(--card)", "fill: #ffffff")
    assert "rgb(255, 255, 255)" in colours_of_drawings(browser, white, "dark")[0]


def planted_trial(number: int) -> Trial:
    """A trial of some state, whose learning rate and whose names are not to be trusted."""
    state = get_args(TrialState)[(number + 2) % 6]
    settings = {
        "training.learning_rate": 1e-3 / (number + 1),
        "adapter.target_modules": ["query", "value"] if number % 2 else HOSTILE,
        HOSTILE: number % 3,
    }
    reached = {"finished": 3, "paused": 1 + number % 2, "diverged": 1}.get(state, 0)
    values = tuple(0.8 + 0.05 * rung + number / 2_000 for rung in range(reached))
    error = f"ValueError: {HOSTILE}" if state == "failed" else ""
    size = 90_000 + 1_000 * number
    return Trial(
        number, settings, settings, size, state, values, 90 * reached, 9.5, error, error * 9
    )


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a search of 300 trials, 50 of each state."""
    trials = tuple(planted_trial(number) for number in range(300))
    verdict = Verdict(True, HOSTILE, Estimate(0.02, 0.01, 0.03), {1: 0.92}, {1: 0.9})
    result = SearchResult(
        "accuracy",
        500_000,
        (1 / 9, 1 / 3, 1.0),
        trials,
        best=294,
        corrected=Estimate(0.93, 0.92, 0.94),
        verdict=verdict,
        frontier=(0, 294),
        smallest=0,
        counters={HOSTILE: 9},
    )
    curve = BestAfter((1, 2, 3), (0.9, 0.91, 0.92), (0.88, 0.9, 0.91), (0.93, 0.93, 0.93))
    path = tmp_path_factory.mktemp("search") / "tune.html"
    page = render_search(result, curve, {HOSTILE: 0.7, "adapter.rank": 0.3})
    path.write_text(page, encoding="utf-8")
    return path


def test_the_page_of_a_search_is_quiet_and_alone(browser: Any, search: Path) -> None:
    found = visited(browser, search)
    assert (found.console, found.dialogs, found.refused) == ([], [], [])
    assert found.requests == [search.as_uri()]
    with opened(browser, search) as found:
        assert found.page.locator(".verdict").inner_text() == HOSTILE
        assert found.page.locator("figure svg").count() == 6
    assert search.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out_of_a_search(
    browser: Any, search: Path, width: int, scheme: str
) -> None:
    assert fits(browser, search, width)
    assert barriers(browser, search, width, scheme) == []


def overlaps(browser: Any, path: Path) -> list[str]:
    """Name the words in drawings that stand on one another."""
    boxes = """all => all.map(one => { const box = one.getBoundingClientRect();
        return [one.textContent, one.closest("svg").ariaLabel, box.x, box.y, box.right, box.bottom];
    }).filter(one => one[0].trim())"""
    with opened(browser, path) as found:
        words = found.page.locator("figure svg text").evaluate_all(boxes)
    return [
        f"{first[0]} on {second[0]}"
        for place, first in enumerate(words)
        for second in words[:place]
        if first[1] == second[1]
        and min(first[4], second[4]) - max(first[2], second[2]) > 1
        and min(first[5], second[5]) - max(first[3], second[3]) > 3
    ]


def test_no_words_stand_on_others_in_the_drawings_of_a_search(browser: Any, search: Path) -> None:
    assert overlaps(browser, search) == []
    twice = '<text x="40" y="40">first</text><text x="44" y="40">second</text></svg>'
    assert overlaps(browser, spoiled(search, "</svg>", twice)) == ["second on first"]


def test_the_drawings_of_a_search_are_dark_where_the_page_is(browser: Any, search: Path) -> None:
    light, dark = (colours_of_drawings(browser, search, scheme) for scheme in ("light", "dark"))
    assert light[0] == {"rgb(255, 255, 255)"}
    assert dark[0] == {"rgb(27, 30, 34)"}
    assert not light[1] & dark[1]


def shown_trials(page: Any) -> list[int]:
    """Return the numbers of the trials in sight, from top to bottom."""
    names = page.locator("#trial-rows tbody tr:visible th").all_inner_texts()
    return [int(name.split()[0]) for name in names]


def test_trials_are_sorted_by_keyboard(browser: Any, search: Path) -> None:
    with opened(browser, search) as found:
        heading = found.page.locator("#trial-rows th", has_text=re.compile("^learning_rate"))
        heading.locator("button").focus()
        found.page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "ascending"
        assert shown_trials(found.page) == list(range(299, -1, -1))
        found.page.keyboard.press("Enter")
        assert shown_trials(found.page) == list(range(300))


def test_trials_are_filtered(browser: Any, search: Path) -> None:
    with opened(browser, search) as found:
        found.page.get_by_label("state").select_option("finished")
        found.page.get_by_label("target_modules").select_option(HOSTILE)
        assert shown_trials(found.page) == list(range(0, 300, 6))
        assert found.page.locator("output").inner_text() == "50 of 300 rows"


def test_a_traceback_opens_by_keyboard(browser: Any, search: Path) -> None:
    with opened(browser, search) as found:
        traceback = found.page.locator("details pre").first
        assert not traceback.is_visible()
        found.page.locator("details summary").first.focus()
        found.page.keyboard.press("Enter")
        assert traceback.is_visible()
