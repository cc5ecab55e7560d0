"""What a run keeps is read back as it was written, and refused where it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from ranklet.errors import RunError
from ranklet.evaluation.baselines import Baseline
from ranklet.evaluation.importance import METHOD, Importance
from ranklet.evaluation.intervals import Metric
from ranklet.files import make_folder, write_atomically
from ranklet.json_values import to_values
from ranklet.run.folder import Run, write_json
from ranklet.run.reading import read_baselines, read_evaluations, read_importance, read_stress


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path)
    make_folder(run.evaluation)
    return run


def test_what_was_not_measured_is_left_out(run: Run) -> None:
    assert read_evaluations(run) == {}
    assert read_baselines(run) == {}
    assert read_importance(run, "test") is None
    assert read_stress(run) is None


def test_baselines_read_back_as_they_were(run: Run) -> None:
    metric = Metric(0.5, (0.25, 0.75))
    baselines = {"test": (Baseline("majority class", metric, metric),), "validation": ()}
    write_json(run.baselines, to_values(baselines))
    assert read_baselines(run) == baselines
    write_atomically(run.baselines, '{"test": [{"name": 1}]}')
    message = r"baselines\.json: test\.0\.name: not as written; train again"
    with pytest.raises(RunError, match=message):
        read_baselines(run)


def test_words_read_back_as_they_were(run: Run) -> None:
    importance = Importance(METHOD, {3: (("goal", 0.4), ("<b>", -0.3))})
    write_json(run.importance("test"), to_values(importance))
    assert read_importance(run, "test") == importance


@pytest.mark.parametrize(
    "content", ['{"rows": 3}', '{"rows": {"0": [["word"]]}}', '{"rows": [1]}', "["]
)
def test_broken_words_are_refused(content: str, run: Run) -> None:
    write_atomically(run.importance("test"), content)
    with pytest.raises(RunError, match="test_importance"):
        read_importance(run, "test")
