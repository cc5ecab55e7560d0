"""The numbers of an evaluation against scikit-learn, and what must hold for any input."""

from __future__ import annotations

import json
import math
from html.parser import HTMLParser
from statistics import NormalDist
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ranklet.evaluation import metrics
from ranklet.evaluation.intervals import wilson_interval
from ranklet.evaluation.one_label import evaluate_one_label, one_label_metrics
from ranklet.evaluation.report.figures import evaluation_figures, figure_svg
from ranklet.evaluation.report.run_page import Provenance, Results, render_report
from ranklet.evaluation.result import Evaluation
from ranklet.foreign_text import without_controls
from ranklet.json_values import from_values, to_values

EXACT = {"rtol": 1e-12, "atol": 1e-12}


@st.composite
def cases(draw, most_classes=7, most_rows=60):
    """Labels (n,) and probabilities (n, classes), with empty and never predicted classes."""
    classes = draw(st.integers(2, most_classes))
    rows = draw(st.integers(1, most_rows))
    seen = draw(st.integers(1, classes))
    sharpness = draw(st.sampled_from([0.0, 1.0, 5.0, 40.0, 300.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = random.integers(0, seen, rows)
    logits = random.normal(size=(rows, classes)).astype(np.float32) * np.float32(sharpness)
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    return labels.astype(np.int64), exponents / exponents.sum(1, keepdims=True)


def names(classes):
    return [f"class {index}" for index in range(classes)]


@settings(max_examples=60, deadline=None)
@given(cases())
def test_every_metric_equals_scikit_learn(case):
    from sklearn import metrics as sk

    labels, probabilities = case
    predictions, classes = probabilities.argmax(1), list(range(probabilities.shape[1]))
    ours = evaluate_one_label(probabilities, labels, names(len(classes)), "test")

    options = {"labels": classes, "zero_division": 0}
    confusion = sk.confusion_matrix(labels, predictions, labels=classes)
    by_class = sk.precision_recall_fscore_support(labels, predictions, **options)
    assert (np.array(ours.confusion) == confusion).all()
    np.testing.assert_allclose(ours.accuracy.value, sk.accuracy_score(labels, predictions), **EXACT)
    scores = ("precision", "recall", "f1")
    for score, theirs in zip(scores, by_class[:3], strict=True):
        values = [getattr(entry, score).value for entry in ours.classes]
        np.testing.assert_allclose(values, theirs, **EXACT)
    assert [entry.support for entry in ours.classes] == list(by_class[3])
    for average in ("macro", "weighted"):
        theirs = sk.precision_recall_fscore_support(labels, predictions, average=average, **options)
        values = [getattr(ours, f"{score}_{average}").value for score in scores]
        np.testing.assert_allclose(values, theirs[:3], **EXACT)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_log_loss_equals_scikit_learn(case):
    from sklearn.metrics import log_loss

    labels, probabilities = case
    classes = list(range(probabilities.shape[1]))
    ours, theirs = (
        metrics.log_loss(probabilities, labels),
        log_loss(labels, probabilities, labels=classes),
    )
    # scikit-learn adds float32 up in float32; both clip saturated probabilities alike.
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)

    exact = probabilities.astype(np.float64) + 1e-3
    exact /= exact.sum(1, keepdims=True)
    theirs = log_loss(labels, exact, labels=classes)
    np.testing.assert_allclose(metrics.log_loss(exact, labels), theirs, **EXACT)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_the_training_loop_sees_the_same_numbers(case):
    labels, probabilities = case
    whole = evaluate_one_label(probabilities, labels, names(probabilities.shape[1]), "test")
    assert one_label_metrics(probabilities, labels) == {
        "accuracy": whole.accuracy.value,
        "macro_precision": whole.precision_macro.value,
        "macro_recall": whole.recall_macro.value,
        "macro_f1": whole.f1_macro.value,
        "loss": whole.log_loss,
    }


@settings(max_examples=60, deadline=None)
@given(cases(), st.text(max_size=12), st.integers(0, 2**31))
def test_json_gives_the_evaluation_back_exactly(case, split, seed):
    labels, probabilities = case
    whole = evaluate_one_label(
        probabilities, labels, names(probabilities.shape[1]), split, seed=seed
    )
    written = json.dumps(to_values(whole), allow_nan=False)
    assert from_values(Evaluation, json.loads(written), "f", "r") == whole


@settings(max_examples=40, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_classes_changes_nothing(case, shuffle):
    labels, probabilities = case
    classes = probabilities.shape[1]
    rows = shuffle.sample(range(len(labels)), len(labels))
    new = np.array(shuffle.sample(range(classes), classes))  # new[i] becomes column i
    before = metrics.confusion_matrix(labels, probabilities.argmax(1), classes)
    moved = np.argsort(new)
    after = metrics.confusion_matrix(
        moved[labels][rows], moved[probabilities.argmax(1)][rows], classes
    )
    np.testing.assert_array_equal(after, before[np.ix_(new, new)])
    np.testing.assert_allclose(
        metrics.class_scores(after).f1, metrics.class_scores(before).f1[new], **EXACT
    )


@given(st.integers(1, 100_000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_bounds_solve_the_equation_they_come_from(rows, share, confidence):
    hits = round(share * rows)
    low, high = wilson_interval(hits, rows, confidence)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    assert 0 <= low <= hits / rows <= high <= 1
    for bound in (low, high):
        # A share of `bound` lies exactly z of its own standard errors from what was seen.
        distance = z * math.sqrt(bound * (1 - bound) / rows)
        assert abs(bound - hits / rows) == pytest.approx(distance, rel=1e-6, abs=1e-9)
    mirrored = wilson_interval(rows - hits, rows, confidence)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(0, 2**31))
def test_intervals_are_ordered_shares_that_the_seed_decides(case, seed):
    labels, probabilities = case
    arguments = (probabilities, labels, names(probabilities.shape[1]), "test")
    whole = evaluate_one_label(*arguments, seed=seed)
    assert whole == evaluate_one_label(*arguments, seed=seed)
    found = [whole.accuracy, whole.f1_macro, whole.precision_weighted]
    found += [metric for entry in whole.classes for metric in (entry.precision, entry.recall)]
    for metric in found:
        low, high = metric.interval
        assert 0 <= low <= high <= 1


class Texts(HTMLParser):
    """Collects the tags of a page and the text outside of its style sheet."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        if self.tags[-1:] != ["style"]:
            self.text.append(data)


def seen(page):
    parser = Texts()
    parser.feed(page)
    return parser.tags, "".join(parser.text)


foreign = st.text(st.characters(exclude_characters="\x00\r"), min_size=1, max_size=30)


@settings(max_examples=15, deadline=None)
@given(foreign, foreign)
def test_foreign_text_stays_text_in_the_report(label, other):
    def page(*labels):
        probabilities, rows = np.eye(2, dtype=np.float32), np.arange(2)
        evaluations = [evaluate_one_label(probabilities, rows, labels, labels[1])]
        return render_report(
            labels[0],
            results=Results(evaluations),
            provenance=Provenance(recipe=labels[0], command=labels[1]),
        )

    tags, text = seen(page(label, other))
    plain_tags, _ = seen(page("a", "b"))
    assert tags == plain_tags
    for value in (label, other):
        assert without_controls(value) in text


@settings(max_examples=8, deadline=None)
@given(foreign)
@example("$x$")
@example(r"\$a$ $b")
@example("</text><script>")
@example("_hidden")
def test_foreign_labels_are_drawn_as_they_are(label):
    probabilities, rows = np.eye(2, dtype=np.float32), np.arange(2)
    whole = evaluate_one_label(probabilities, rows, [label, label + "!"], "test")
    shown = "".join(letter if letter.isprintable() else " " for letter in label)
    for name, figure in evaluation_figures(whole).items():
        root = ElementTree.fromstring(figure_svg(figure))
        texts = [(node.text or "").strip() for node in root.iter() if node.tag.endswith("text")]
        wanted = shown if len(shown) <= 24 else f"{shown[:13]}…{shown[-10:]}"
        axes = 2 if "confusion" in name else 1
        assert not wanted.strip() or texts.count(wanted.strip()) >= axes
