"""`metrics.jsonl` of a run: its state is its length."""

from __future__ import annotations

from pathlib import Path

from ranklet.run.folder import Run
from ranklet.run.records import open_records


def test_records_are_cut_back_to_their_state(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with open_records(run) as records:
        records.append({"step": 1})
        state = records.state_dict()
        records.append({"step": 2})
    with open_records(run) as records:
        records.load_state_dict(state)
        records.append({"step": 3})
    assert run.metrics.read_text() == '{"step": 1}\n{"step": 3}\n'
