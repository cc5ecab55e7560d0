"""Figures: what they show, that equal ones are equal files, and how they are written."""

from __future__ import annotations

import json
import math
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.container import BarContainer

from ranklet.budget.plan import ParameterPlan, PlanRow
from ranklet.errors import RunError
from ranklet.evaluation.calibration import Calibration
from ranklet.evaluation.data_description import DataDescription, count_lengths
from ranklet.evaluation.intervals import share_with_interval
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.problem_metrics import curves_of_probabilities
from ranklet.evaluation.report import figures
from ranklet.evaluation.report.figures.budget import trained_parameters
from ranklet.evaluation.report.figures.classes import accuracy_by_slice, class_bars
from ranklet.evaluation.report.figures.confidence import confidence, coverage, reliability
from ranklet.evaluation.report.figures.confusion import confusion_counts, confusion_shares
from ranklet.evaluation.report.figures.data import class_distribution, text_lengths
from ranklet.evaluation.report.figures.ranking import precision_recall_curves, roc_curves
from ranklet.evaluation.report.figures.training import (
    learning_rate,
    training_loss,
    validation_scores,
)
from ranklet.evaluation.slices import Slice
from ranklet.problem import SingleLabel


def train(step, loss):
    return {
        "kind": "train",
        "step": step,
        "epoch": step / 10,
        "loss": loss,
        "learning_rate": 1e-3 / step,
    }


def validation(epoch, loss, accuracy):
    return {
        "kind": "validation",
        "step": 10 * epoch,
        "epoch": epoch,
        "loss": loss,
        "accuracy": accuracy,
        "macro_precision": accuracy - 0.02,
        "macro_recall": accuracy - 0.01,
        "macro_f1": accuracy,
    }


RECORDS = [
    *[train(step, 1 / step) for step in range(1, 31)],
    validation(1, 0.5, 0.80),
    validation(2, 0.4, 0.91),
    validation(3, 0.6, 0.90),
]
TRAINING = {"training_loss", "learning_rate"}
VALIDATION = {"validation_loss", "validation_accuracy", "validation_scores"}


def answers(classes, rows=300):
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, rows)
    probabilities = random.dirichlet(np.ones(classes), rows).astype(np.float32)
    probabilities[np.arange(rows), labels] += 0.5
    names = [f"topic {index}" for index in range(classes)]
    return probabilities / probabilities.sum(1, keepdims=True), labels, names


def evaluation(classes, rows=300, split="test"):
    return evaluate_one_label(*answers(classes, rows), split)


def curves(classes, rows=300):
    return curves_of_probabilities(SingleLabel(), *answers(classes, rows))


def texts(drawing):
    root = ElementTree.fromstring(figures.figure_svg(drawing))
    return [(node.text or "").strip() for node in root.iter() if node.tag.endswith("}text")]


@pytest.mark.parametrize(
    ("records", "names"),
    [
        ([], set()),
        (RECORDS[:5], TRAINING),
        (RECORDS[30:], VALIDATION),
        (RECORDS, TRAINING | VALIDATION),
        ([{"kind": "train", "step": 1, "epoch": 0.1, "loss": math.nan}], set()),
        ([{"kind": "other", "epoch": 1}, train(1, 0.3)], TRAINING),
        # Of an earlier version.
        ([{**RECORDS[-1], "macro_recall": math.nan}], VALIDATION - {"validation_scores"}),
    ],
)
def test_curves_without_points_are_left_out(records, names):
    assert set(figures.training_figures(records)) == names


def test_curves_mark_the_best_and_run_through_every_point():
    drawn = figures.training_figures(RECORDS)
    assert "lowest 0.4000 at epoch 2" in texts(drawn["validation_loss"])
    assert "highest 91.00 % at epoch 2" in texts(drawn["validation_accuracy"])
    (line,) = drawn["training_loss"].figure().axes[0].lines
    np.testing.assert_allclose(line.get_xdata(), np.arange(1, 31) / 10)
    np.testing.assert_allclose(line.get_ydata(), 1 / np.arange(1, 31))


def test_long_curves_are_averaged_without_losing_a_step():
    losses = np.random.default_rng(0).random(1_200)
    drawing = training_loss([train(step, loss) for step, loss in enumerate(losses, 1)])
    axes = drawing.figure().axes[0]
    drawn = axes.lines[0].get_ydata()
    assert len(drawn) == 120
    assert np.mean(drawn) == pytest.approx(losses.mean())
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((losses.min(), losses.max()))


def test_confusion_figures_write_counts_and_shares():
    confusion, labels = [[1500, 500], [0, 0]], ["a", "b"]
    assert {"1,500", "500", "0"} <= set(texts(confusion_counts(confusion, labels)))
    assert {"75.0", "25.0", "0.0"} <= set(texts(confusion_shares(confusion, labels)))


def test_bars_show_the_scores_and_their_intervals():
    whole = evaluation(3)
    axes = class_bars(whole.classes).figure().axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    wanted = [
        getattr(entry, score).value
        for score in ("precision", "recall", "f1")
        for entry in whole.classes
    ]
    np.testing.assert_allclose(widths, wanted)
    whiskers = axes.collections[0].get_segments()
    low, high = whole.classes[0].precision.interval
    np.testing.assert_allclose(whiskers[0][:, 0], [low, high])


@pytest.mark.parametrize("classes", [2, 12, 60])
def test_any_number_of_classes_can_be_drawn(classes):
    whole = evaluation(classes)
    drawn = figures.evaluation_figures(whole)
    assert set(drawn) == {
        f"test_{kind}" for kind in ("confusion_counts", "confusion_shares", "class_bars")
    }
    worst = min(whole.classes, key=lambda entry: entry.f1.value)
    assert worst.label in texts(drawn["test_class_bars"])
    assert "topic 0" in texts(drawn["test_confusion_shares"])


@pytest.mark.parametrize(
    ("split", "name"),
    [("test", "test_x"), ("../up & away.csv", "up_away_csv_x"), ("日本", "data_x"), ("", "data_x")],
)
def test_a_split_of_any_name_gives_a_file_name(split, name):
    assert figures.figure_name(split, "x") == name


def test_files_are_whole_and_equal_for_equal_figures(tmp_path):
    for folder in ("one", "two"):
        drawn = {
            "loss": training_loss(RECORDS),
            **figures.evaluation_figures(evaluation(3)),
        }
        figures.save_figures(tmp_path / folder / "figures", drawn)
    one, two = (sorted((tmp_path / folder / "figures").iterdir()) for folder in ("one", "two"))
    kinds = [f"{name}{end}" for name in sorted(drawn) for end in (".json", ".png", ".svg")]
    assert [path.name for path in one] == kinds
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes()
        starts = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".json": b'{"title"'}
        assert first.read_bytes().startswith(starts[first.suffix])
    assert "pyplot" not in " ".join(name for name in sys.modules if name.startswith("matplotlib."))


@pytest.mark.parametrize("name", ["../up", "a b", "", "a/b", "a\n"])
def test_names_that_are_no_files_are_refused(tmp_path, name):
    with pytest.raises(RunError, match="only letters, digits"):
        figures.save_figures(tmp_path / "new", {name: training_loss(RECORDS)})
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_error_and_nothing_half_written(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(RunError, match=r"cannot write .*file: file exists"):
        figures.save_figures(tmp_path / "file", {"loss": training_loss(RECORDS)})
    (tmp_path / "loss.svg").mkdir()
    with pytest.raises(RunError, match=r"cannot write .*loss\.svg: it is not a regular file"):
        figures.save_figures(tmp_path, {"loss": training_loss(RECORDS)})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "file",
        "loss.json",
        "loss.png",
        "loss.svg",
    ]
    assert (tmp_path / "file").read_text() == "old"


def test_scores_and_learning_rate_are_drawn_by_step():
    scores = validation_scores(RECORDS)
    assert [each.name for each in scores.numbers.series] == ["precision", "recall", "F1"]
    for line, less in zip(scores.figure().axes[0].lines, (0.02, 0.01, 0), strict=True):
        assert line.get_xdata().tolist() == [10, 20, 30]
        np.testing.assert_allclose(line.get_ydata(), np.array([0.8, 0.91, 0.9]) - less)
    (line,) = learning_rate(RECORDS).figure().axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), 1e-3 / np.arange(1, 31))
    many = learning_rate([train(step, 1) for step in range(1, 1_001)]).numbers.series[0].columns
    assert len(many["step"]) == 120
    assert (many["step"][0], many["step"][-1]) == (1, 1_000)


def test_the_further_figures_come_with_curves():
    drawn = figures.evaluation_figures(evaluation(3), curves(3))
    kinds = ("class_bars", "confusion_counts", "confusion_shares", "roc", "precision_recall")
    # Nobody asked for parts, so there are none.
    assert set(drawn) == {
        f"test_{kind}" for kind in (*kinds, "reliability", "confidence", "coverage")
    }


def drawings():
    whole, found = evaluation(4), curves(4)
    assert whole.one_label is not None
    slices = [Slice("words", "1 to 5", 4, share_with_interval(3, 4))]
    lengths = count_lengths({"train": [3, 5, 5], "test": [4]}, {"min_words": 4})
    return [
        roc_curves(found),
        precision_recall_curves(found),
        coverage(found.coverage),
        reliability(whole.one_label.calibration),
        accuracy_by_slice(slices, whole.accuracy),
        training_loss(RECORDS),
        validation_scores(RECORDS),
        text_lengths(lengths, "words"),
        class_bars(whole.classes),
    ]


@pytest.mark.parametrize("place", range(9))
def test_the_file_of_numbers_holds_what_is_drawn(place, tmp_path):
    drawing = drawings()[place]
    figures.save_figures(tmp_path, {"figure": drawing})
    held = json.loads((tmp_path / "figure.json").read_text())["series"]
    axes = drawing.figure().axes[0]
    shown = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
    shown += [np.asarray(line.get_xdata(), dtype=float) for line in axes.lines]
    shown += [np.asarray(steps.get_data().values) for steps in axes.patches if is_stairs(steps)]
    groups = [bars for bars in axes.containers if isinstance(bars, BarContainer)]
    shown += [np.array([bar.get_width() for bar in bars]) for bars in groups]
    shown = [values for values in shown if len(values)]
    for series in held:
        columns = [values for name, values in series.items() if name in DRAWN]
        assert columns
        for column in columns:
            assert any(
                len(column) == len(values) and np.allclose(column, values) for values in shown
            ), series["name"]


DRAWN = {
    *("true_positive_rate", "false_positive_rate", "precision", "recall", "coverage", "accuracy"),
    *("confidence", "value", "loss", "score", "share"),
}


def is_stairs(artist):
    return hasattr(artist, "get_data")


def test_bars_of_confidence_stand_on_each_other():
    drawing = confidence(curves(3).confidence)
    right, wrong = (np.array(each.columns["rows"]) for each in drawing.numbers.series)
    below, above = drawing.figure().axes[0].containers
    assert [bar.get_height() for bar in below] == wrong.tolist()
    assert [bar.get_y() for bar in above] == wrong.tolist()
    assert [bar.get_height() for bar in above] == right.tolist()
    assert right.sum() + wrong.sum() == 300


def test_reliability_shows_both_sides_of_a_temperature():
    bins = evaluation(3).one_label.calibration.reliability
    for temperature, before, names in (
        (1.0, bins, ["as given"]),
        (2.0, bins, ["as given", "at temperature 1"]),
        (2.0, (), ["as given"]),
    ):
        drawing = reliability(Calibration(temperature, 0.02, 0.05, 0.1, bins, before))
        assert [each.name for each in drawing.numbers.series] == names
    drawing = reliability(Calibration(2.0, 0.02, 0.05, 0.1, bins, bins))
    shown = texts(drawing)
    assert "at temperature 2.00: error 2.00 %" in shown
    assert "at temperature 1: error 5.00 %" in shown
    drawing = reliability(Calibration(2.0, 0.02, 0.05, 0.1, bins, bins, exponent=1.5))
    assert "at temperature 2.00, exponent 1.50: error 2.00 %" in texts(drawing)


def test_the_legend_of_curves_names_areas_and_the_mean():
    found = curves(12)
    drawing = roc_curves(found)
    assert drawing.numbers.title == "ROC curves: the 7 lowest of 12"
    shown = texts(drawing)
    assert f"{found.roc[0].label}  {found.roc[0].area:.3f}" in shown
    assert f"mean of all 12  {found.roc[-1].area:.3f}" in shown


def test_the_parts_by_class_are_left_out():
    half = share_with_interval(1, 2)
    parts = [
        Slice("words", "3", 2, half),
        Slice("class", "a", 2, half),
        Slice("source", "b", 2, half),
    ]
    drawing = accuracy_by_slice(parts, half)
    assert [each.name for each in drawing.numbers.series] == ["words", "source"]
    assert {"words: 3", "source: b", "rows"} <= set(texts(drawing))


def test_lengths_are_shares_of_a_split_and_limits_are_marked():
    lengths = count_lengths(
        {"train": [1, 1, 3, 3], "test": [2]}, {"max_words": 3, "max_length": 90}
    )
    drawing = text_lengths(lengths, "words")
    train_split, test_split = drawing.numbers.series
    assert train_split.columns["share"] == [0, 0.5, 0, 0.5]
    assert test_split.columns["share"] == [0, 0, 1, 0]
    assert {"max_words 3", "max_length 90 →", "train", "test"} <= set(texts(drawing))
    (mark,) = drawing.figure().axes[0].lines  # the other limit is too far away for a line
    assert mark.get_xdata()[0] == 3


def test_classes_are_shares_of_the_texts_of_a_split():
    drawing = class_distribution(
        ["a", "b"], {"train": (3, 2), "test": (1, 0)}, {"train": 4, "test": 1}
    )
    assert [each.columns["share"] for each in drawing.numbers.series] == [[0.75, 0.5], [1, 0]]
    names = [f"topic {place}" for place in range(60)]
    drawing = class_distribution(names, {"train": range(60)}, {"train": 100})
    assert drawing.numbers.title == "Texts by class: the 40 rarest of 60"
    assert drawing.numbers.categories == tuple(names[:40])


def test_trained_parameters_are_those_of_the_plan_by_layer():
    rows = [
        PlanRow(f"bert.encoder.layer.{layer}.{module}", kind, 1, (2, 2), count)
        for layer in (0, 1)
        for module, kind, count in (
            ("attention.self.query", "lora", 4),
            ("attention.output.dense", "lora", 3),
            ("output.dense", "lora", 2),
            ("output.dense", "bias", 1),
        )
    ]
    plan = ParameterPlan((*rows, PlanRow("classifier", "head", None, (2, 2), 50)), 100)
    drawing = trained_parameters(plan)
    assert drawing.numbers.categories == ("layer 0", "layer 1", "head")
    assert drawing.numbers.title == "Trained parameters: 70 of 100"
    assert {each.name: each.columns["parameters"] for each in drawing.numbers.series} == {
        "classifier": [0, 0, 50],
        "query": [4, 4, 0],
        "attention.output.dense": [3, 3, 0],
        "output.dense": [2, 2, 0],
        "dense bias": [1, 1, 0],
    }


@pytest.mark.parametrize("label", ["$x$", "_hidden", "</text><script>"])
def test_foreign_labels_stay_as_they_are_in_legends_and_bars(label):
    probabilities, labels, _ = answers(3)
    found = curves_of_probabilities(SingleLabel(), probabilities, labels, [label, "b", "c"])
    assert f"{label}  {found.roc[0].area:.3f}" in texts(roc_curves(found))
    assert label in texts(class_distribution([label], {"train": (1,)}, {"train": 1}))


def test_a_description_gives_a_figure_of_each_kind():
    lengths = count_lengths({"train": [1]}, {})
    whole = DataDescription(lengths, lengths, ("a",), {"train": 1}, {"train": (1,)})
    assert set(figures.data_figures(whole)) == {"text_words", "text_tokens", "class_distribution"}
