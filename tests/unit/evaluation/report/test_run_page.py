"""The report: self-contained, well formed, complete, and silent about what it was not given."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ranklet.budget.plan import ParameterPlan, PlanRow
from ranklet.errors import RunError
from ranklet.evaluation.baselines import Baseline
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.report.error_table import ErrorRow, ErrorTable
from ranklet.evaluation.report.figures import evaluation_figures, figure_svg, training_figures
from ranklet.evaluation.report.page import ReportFigure, Section
from ranklet.evaluation.report.run_page import (
    DataSummary,
    Provenance,
    Results,
    Training,
    embed_figures,
    render_report,
)
from ranklet.evaluation.report.table import Table
from ranklet.evaluation.wording import duration

DASH = "\N{EN DASH}"
EMPTY_ELEMENTS = {"meta", "link", "wbr", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """A page taken apart: elements with attributes, text, and whether every tag is closed."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in EMPTY_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    def words(self):
        return re.sub(r"[ \t\n]+", " ", " ".join(self.text))


def evaluation(split="test", rows=1_200, labels=("World", "Sports", "Business"), hint=0.4):
    random = np.random.default_rng(len(split))
    truth = random.integers(0, len(labels), rows)
    probabilities = random.dirichlet(np.ones(len(labels)), rows).astype(np.float32)
    probabilities[np.arange(rows), truth] += hint
    return evaluate_one_label(probabilities, truth, labels, split)


def record(kind, step, **values):
    return {"kind": kind, "step": step, "epoch": step / 2, **values}


VALUES = {"results": Results, "training": Training, "provenance": Provenance}


def rendered(title, **parts):
    """Render a report of parts by the names that they have in the values that hold them."""
    for name, kind in VALUES.items():
        own = {key: parts.pop(key) for key in kind.__dataclass_fields__ if key in parts}
        parts[name] = kind(**own)
    return render_report(title, **parts)


RECORDS = [
    record("train", 1, loss=1.0),
    record("train", 2, loss=0.5),
    record("validation", 2, loss=0.7, accuracy=0.81, macro_f1=0.8),
    record("train", 3, loss=0.3),
    record("train", 4, loss=0.2),
    record("validation", 4, loss=0.6, accuracy=0.91, macro_f1=0.9),
]

PARTS = {
    "subtitle": "MiniLM on a sample",
    "budget": ParameterPlan(
        (
            PlanRow("layer.0.query", "adapter", 8, (64, 64), 1_000_000),
            PlanRow("layer.1.query", "adapter", 8, (64, 64), 34_567),
            PlanRow("classifier", "head", None, (64, 3), 200_000),
        ),
        2_000_000,
    ),
    "data": DataSummary(
        {"train": 12_345, "test": 1_200},
        {"train": 0.0123},
        {"within train": 17},
        {"fewer than 5 words": 3},
    ),
    "records": RECORDS,
    "recipe": "encoder: minilm\nseed: 1\n",
    "environment": {"torch": "2.13.0"},
    "facts": {"steps": "4, ended as planned"},
    "hashes": {"recipe": "c8a037"},
    "further": [Section("Under stress", "", (), [Table("Typos", ("by", "rows"), [("one", "7")])])],
    "command": "ranklet train quickstart",
    "seconds": 372.0,
}


@pytest.fixture(scope="module")
def full():
    test, validation = evaluation(), evaluation("validation", 100)
    drawn = {
        **training_figures(RECORDS),
        **evaluation_figures(test),
        **evaluation_figures(validation),
    }
    figures = embed_figures({name: figure_svg(figure) for name, figure in drawn.items()})
    return rendered("run", evaluations=[test, validation], figures=figures, **PARTS)


def test_the_page_loads_nothing(full):
    assert "http" not in re.sub(r'http-equiv="', "", full)
    assert "url(" not in re.sub(r"url\(#", "", full)
    for tag, attributes in Page(full).elements:
        assert tag not in {"img", "iframe", "object", "image"}
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        assert attributes.get("href", "#").startswith(("#", "data:,"))
    assert "default-src 'none'" in full


def test_the_policy_allows_the_one_script_by_its_hash(full):
    (script,) = re.findall("<script>(.*?)</script>", full, re.DOTALL)
    allowed = re.findall(r"script-src ([^;]*);", full)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert [html.unescape(each) for each in allowed] == [f"'sha256-{digest}'"]


def test_the_page_is_well_formed_and_its_ids_are_its_own(full):
    page = Page(full)
    assert page.open == []
    assert full.startswith("<!doctype html>")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    found = re.findall(r'href="#([^"]+)"', full) + re.findall(r"url\(#([^)]+)\)", full)
    assert found
    assert set(found) <= set(ids)
    assert sum(tag == "svg" for tag, _ in page.elements) == 5


@pytest.mark.parametrize(
    "shown",
    [
        "1,234,567",
        "of 2,000,000 allowed",
        "unused 765,433",
        "adapter 1,034,567",
        "12,345",
        "1.23\u202f%",
        "within train 17",
        "fewer than 5 words 3",
        "6\u202fmin 12\u202fs",
        "encoder: minilm seed: 1",
        "torch 2.13.0",
        "ranklet train quickstart",
        "Evaluation on validation 100 rows",
        "1 2 0.7500 0.7000 81.00\u202f% 80.00\u202f%",
        "2 4 0.2500 0.6000 91.00\u202f% 90.00\u202f%",
    ],
)
def test_what_was_given_is_shown(full, shown):
    assert shown in Page(full).words()


def test_every_number_of_the_evaluation_is_in_its_tables(full):
    words, whole = Page(full).words(), evaluation()
    for entry in whole.classes:
        low, high = entry.f1.interval
        assert f"{entry.label} {entry.support:,} " in words
        assert f"{100 * entry.f1.value:.2f}\u202f% {100 * low:.2f}{DASH}{100 * high:.2f}" in words
    for row, label in zip(whole.confusion, whole.labels, strict=True):
        cells = " ".join(f"{n:,} {100 * n / sum(row):.1f}\u202f%" for n in row)
        assert f"{label} {cells}" in words
    low, high = whole.accuracy.interval
    assert f"95 % interval {100 * low:.2f}{DASH}{100 * high:.2f}\u202f%, 1,200 rows" in words


SECTIONS = {
    "budget": "Parameter budget",
    "data": "Exact duplicates",
    "records": "At each validation",
    "recipe": "Recipe, resolved",
    "environment": "Versions and hardware",
    "facts": "4, ended as planned",
    "hashes": "SHA-256",
    "further": "Under stress",
    "command": "Command",
    "seconds": "Training took",
}


@pytest.mark.parametrize("missing", SECTIONS)
def test_what_was_not_given_is_left_out(missing):
    parts = {name: value for name, value in PARTS.items() if name != missing}
    words = Page(rendered("run", **parts)).words()
    assert {name for name, heading in SECTIONS.items() if heading not in words} == {missing}


def test_a_title_alone_is_a_page():
    page = Page(rendered("run"))
    assert page.open == []
    assert not {"svg", "table", "h2", "dl"} & {tag for tag, _ in page.elements}


def test_a_figure_without_a_place_comes_last():
    drawing = ReportFigure('<svg viewBox="0 0 9 9"><path id="p" d="M0 0"/></svg>', "A & B")
    page = rendered("run", figures={"new_kind": drawing, "other": drawing})
    assert "More figures" in page
    assert page.count("A &amp; B</figcaption>") == 2
    assert 'id="figure1-p"' in page
    assert 'id="figure2-p"' in page


def test_what_is_no_svg_is_refused():
    with pytest.raises(RunError, match="not SVG"):
        rendered("run", figures={"x": ReportFigure("<svg><g></svg>")})


def test_many_classes_list_their_largest_confusions():
    labels = [f"topic {index}" for index in range(25)]
    whole = evaluation(labels=labels, hint=0.05)
    counts = np.array(whole.confusion) - np.diag(np.diag(whole.confusion))
    true, predicted = np.unravel_index(counts.argmax(), counts.shape)
    words = Page(rendered("run", evaluations=[whole])).words()
    assert (
        "most frequent confusions true class predicted class rows of the true class "
        + (f"topic {true} topic {predicted} {counts.max()} ")
        in words
    )


HOSTILE = "<script>alert('x')</script>\"' onload=y {{ 7 * 7 }} &amp;"


def test_hostile_text_is_only_text_wherever_it_stands():
    figure = ReportFigure('<svg viewBox="0 0 9 9"/>', HOSTILE)
    table = Table(HOSTILE, (HOSTILE,), [(HOSTILE,), ((HOSTILE, HOSTILE),)])
    wrong = ErrorRow(1, f"{HOSTILE} onload", HOSTILE, "b", 0.1, 0.9, words=[("onload", 1.0)])
    page = Page(
        rendered(
            HOSTILE,
            subtitle=HOSTILE,
            evaluations=[evaluation(HOSTILE, labels=(HOSTILE, "b"))],
            budget=ParameterPlan((PlanRow(HOSTILE, HOSTILE, None, (1, 1), 1),), 2),
            data=DataSummary({HOSTILE: 1}, {HOSTILE: 1.0}, {HOSTILE: 1}, {HOSTILE: 1}),
            figures={HOSTILE: figure},
            recipe=HOSTILE,
            environment={HOSTILE: HOSTILE},
            command=HOSTILE,
            errors=ErrorTable(HOSTILE, [wrong], 1, HOSTILE, HOSTILE),
            baselines={HOSTILE: (Baseline(HOSTILE, Metric(0.5, (0, 1)), Metric(0.5, (0, 1))),)},
            further=[Section(HOSTILE, HOSTILE, [figure], [table])],
            facts={HOSTILE: HOSTILE},
            hashes={HOSTILE: HOSTILE},
        )
    )
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not any("onload" in attributes for _, attributes in page.elements)
    assert not {"onerror", "onload"} & {name for _, held in page.elements for name in held}
    # Title 2, subtitle, split 6 (headline, baselines, link, heading, errors 2), label 3 and in the
    # errors 3, file, method, baseline, further part 9, module 1 and its kind 2, data 3, caption,
    # recipe, environment, facts and hashes 6, command. The text of the error is cut by a mark.
    assert page.words().count(HOSTILE) == 42
    assert [data for data in page.text if data == "onload"] == ["onload"]
    assert "49" not in page.words()


def test_a_lone_surrogate_does_not_stop_the_page_from_being_written():
    page = rendered("run", evaluations=[evaluation(labels=("a\ud800", "b"))])
    assert page.encode("utf-8")
    assert "a\N{REPLACEMENT CHARACTER}" in page


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "0.0 s"),
        (59.94, "59.9 s"),
        (61, "1 min 1 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (100_000, "27 h 47 min"),
    ],
)
def test_durations(seconds, written):
    assert duration(seconds).replace("\u202f", " ") == written


@pytest.mark.parametrize("classes", [3, 25])
def test_what_is_shown_once_is_not_shown_again(classes):
    labels = [f"topic {index}" for index in range(classes)]
    test, validation = (
        evaluation(split, labels=labels, hint=0.05) for split in ("test", "validation")
    )
    names = [*evaluation_figures(test), *evaluation_figures(validation)]
    figures = embed_figures(dict.fromkeys(names, '<svg viewBox="0 0 9 9"/>'))
    page = rendered("run", evaluations=[test, validation], figures=figures)
    captions = re.findall('<div class="caption"[^>]*>([^<]*)<', page)
    assert sum("onfusion" in caption for caption in captions) == 2, "one for each split"
    # Of many classes the table lists the largest confusions only; the drawing has all.
    assert page.count("<svg") == (2 if classes == 3 else 4)
    words = Page(page).words()
    assert "Recall, weighted" not in words, "it is the accuracy"
    assert words.count("Accuracy where only the surest rows are answered") == 1, "that of test"
