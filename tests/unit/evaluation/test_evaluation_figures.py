"""Figures: what they show, that equal ones are equal files, and how they are written."""

from __future__ import annotations

import math
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from ranklet.errors import RunError
from ranklet.evaluation import figures
from ranklet.evaluation.result import evaluate_predictions


def train(step, loss):
    return {"kind": "train", "step": step, "epoch": step / 10, "loss": loss}


def validation(epoch, loss, accuracy):
    return {
        "kind": "validation",
        "step": 10 * epoch,
        "epoch": epoch,
        "loss": loss,
        "accuracy": accuracy,
        "macro_f1": accuracy,
    }


RECORDS = [
    *[train(step, 1 / step) for step in range(1, 31)],
    validation(1, 0.5, 0.80),
    validation(2, 0.4, 0.91),
    validation(3, 0.6, 0.90),
]


def evaluation(classes, rows=300, split="test"):
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, rows)
    probabilities = random.dirichlet(np.ones(classes), rows).astype(np.float32)
    probabilities[np.arange(rows), labels] += 0.5
    names = [f"topic {index}" for index in range(classes)]
    return evaluate_predictions(probabilities, labels, names, split)


def texts(figure):
    root = ElementTree.fromstring(figures.figure_svg(figure))
    return [(node.text or "").strip() for node in root.iter() if node.tag.endswith("}text")]


@pytest.mark.parametrize(
    ("records", "names"),
    [
        ([], set()),
        (RECORDS[:5], {"training_loss"}),
        (RECORDS[30:], {"validation_loss", "validation_accuracy"}),
        (RECORDS, {"training_loss", "validation_loss", "validation_accuracy"}),
        ([{"kind": "train", "step": 1, "epoch": 0.1, "loss": math.nan}], set()),
        ([{"kind": "other", "epoch": 1}, train(1, 0.3)], {"training_loss"}),
    ],
)
def test_curves_without_points_are_left_out(records, names):
    assert set(figures.training_figures(records)) == names


def test_curves_mark_the_best_and_run_through_every_point():
    drawn = figures.training_figures(RECORDS)
    assert "lowest 0.4000 at epoch 2" in texts(drawn["validation_loss"])
    assert "highest 91.00 % at epoch 2" in texts(drawn["validation_accuracy"])
    (line,) = drawn["training_loss"].axes[0].lines
    np.testing.assert_allclose(line.get_xdata(), np.arange(1, 31) / 10)
    np.testing.assert_allclose(line.get_ydata(), 1 / np.arange(1, 31))


def test_long_curves_are_averaged_without_losing_a_step():
    losses = np.random.default_rng(0).random(1_200)
    axes = figures.training_loss([train(step, loss) for step, loss in enumerate(losses, 1)]).axes[0]
    drawn = axes.lines[0].get_ydata()
    assert len(drawn) == 120
    assert np.mean(drawn) == pytest.approx(losses.mean())
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((losses.min(), losses.max()))


def test_confusion_figures_write_counts_and_shares():
    confusion, labels = [[1500, 500], [0, 0]], ["a", "b"]
    assert {"1,500", "500", "0"} <= set(texts(figures.confusion_counts(confusion, labels)))
    assert {"75.0", "25.0", "0.0"} <= set(texts(figures.confusion_shares(confusion, labels)))


def test_bars_show_the_scores_and_their_intervals():
    whole = evaluation(3)
    axes = figures.class_bars(whole.classes).axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    wanted = [
        100 * getattr(entry, score).value
        for score in ("precision", "recall", "f1")
        for entry in whole.classes
    ]
    np.testing.assert_allclose(widths, wanted)
    whiskers = axes.collections[0].get_segments()
    low, high = whole.classes[0].precision.interval
    np.testing.assert_allclose(whiskers[0][:, 0], [100 * low, 100 * high])


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
            "loss": figures.training_loss(RECORDS),
            **figures.evaluation_figures(evaluation(3)),
        }
        figures.save_figures(tmp_path / folder / "figures", drawn)
    one, two = (sorted((tmp_path / folder / "figures").iterdir()) for folder in ("one", "two"))
    kinds = [f"{name}{end}" for name in sorted(drawn) for end in (".png", ".svg")]
    assert [path.name for path in one] == kinds
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes()
        start = first.read_bytes()[:8]
        assert (
            start == b"\x89PNG\r\n\x1a\n" if first.suffix == ".png" else start.startswith(b"<?xml")
        )
    assert "pyplot" not in " ".join(name for name in sys.modules if name.startswith("matplotlib."))


@pytest.mark.parametrize("name", ["../up", "a b", "", "a/b", "a\n"])
def test_names_that_are_no_files_are_refused(tmp_path, name):
    with pytest.raises(RunError, match="only letters, digits"):
        figures.save_figures(tmp_path / "new", {name: figures.training_loss(RECORDS)})
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_error_and_nothing_half_written(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(RunError, match=r"cannot write .*file: file exists"):
        figures.save_figures(tmp_path / "file", {"loss": figures.training_loss(RECORDS)})
    (tmp_path / "loss.svg").mkdir()
    with pytest.raises(RunError, match=r"cannot write .*loss\.svg: it is not a regular file"):
        figures.save_figures(tmp_path, {"loss": figures.training_loss(RECORDS)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "loss.png", "loss.svg"]
    assert (tmp_path / "file").read_text() == "old"
