"""What a run was made with: also where the system does not tell everything."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from ranklet.evaluation.wording import memory
from ranklet.run.environment import PACKAGES, environment, peak_memory_bytes


def test_versions_device_and_precision_are_text() -> None:
    about = environment(torch.device("cpu"), torch.bfloat16)
    assert {*PACKAGES, "python", "system", "threads"} < about.keys()
    assert (about["device"], about["precision"]) == ("cpu", "bfloat16")
    assert all(isinstance(value, str) for value in about.values())


def test_memory_is_unknown_where_no_system_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    peak = peak_memory_bytes()
    assert peak is not None
    assert peak > 2**20
    monkeypatch.setitem(sys.modules, "resource", None)
    assert memory(peak_memory_bytes()) == "unknown"
    assert memory(3 * 2**20) == "3 MiB"


def test_runs_can_be_kept_where_there_is_no_unix() -> None:
    code = (
        "import sys\nsys.modules['fcntl'] = sys.modules['resource'] = None\n"
        "import ranklet.run.environment, ranklet.run.folder\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
