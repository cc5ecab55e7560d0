"""What a launcher sets: read once, refused in one line."""

from __future__ import annotations

import pytest

from ranklet.errors import RunError
from ranklet.launch import DEFAULT_TIMEOUT_S, Launch, read_launch

TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "node-0",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RESTART_COUNT": "2",
    "TORCHELASTIC_MAX_RESTARTS": "3",
    "TORCHELASTIC_USE_AGENT_STORE": "False",
}


def test_a_process_by_itself() -> None:
    assert read_launch({}) == Launch() == Launch(0, 1, 0, 0, False, DEFAULT_TIMEOUT_S)
    assert read_launch({"RANK": "0", "WORLD_SIZE": "1"}) == Launch()
    assert read_launch({**TORCHRUN, "WORLD_SIZE": "1", "RANK": "0"}) == Launch(attempt=2)


def test_what_torchrun_sets() -> None:
    assert read_launch(TORCHRUN) == Launch(3, 4, 1, attempt=2)
    limited = read_launch({**TORCHRUN, "RANKLET_COLLECTIVE_TIMEOUT": "7.5"})
    assert (limited.timeout_s, limited.join_s) == (7.5, 7.5)
    assert read_launch({**TORCHRUN, "RANKLET_COLLECTIVE_TIMEOUT": ""}) == read_launch(TORCHRUN)
    one_machine = {**TORCHRUN, "LOCAL_WORLD_SIZE": "4", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    assert read_launch(one_machine).shares_store


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"RANK": "4"}, "environment variable RANK: '4' is not allowed; allowed: 0 to 3"),
        ({"RANK": "one"}, "environment variable RANK: 'one' is not allowed; allowed: 0 to 3"),
        ({"RANK": "-1"}, "environment variable RANK: '-1' is not allowed; allowed: 0 to 3"),
        ({"WORLD_SIZE": "0"}, "environment variable WORLD_SIZE: '0' is not .*: 1 or more"),
        ({"WORLD_SIZE": None}, "environment variable WORLD_SIZE is not set, but others .* unset"),
        ({"LOCAL_RANK": None}, "environment variable LOCAL_RANK is not set, but .* with torchrun"),
        ({"MASTER_ADDR": ""}, "environment variable MASTER_ADDR is not set, but others"),
        ({"MASTER_PORT": "99999"}, "environment variable MASTER_PORT: .*; allowed: 1 to 65535"),
        ({"RANKLET_COLLECTIVE_TIMEOUT": "soon"}, "RANKLET_COLLECTIVE_TIMEOUT: 'soon' is not .* 0"),
        ({"RANKLET_COLLECTIVE_TIMEOUT": "0"}, "RANKLET_COLLECTIVE_TIMEOUT: '0' is not allowed"),
        ({"TORCHELASTIC_USE_AGENT_STORE": "True"}, "with TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1"),
    ],
)
def test_a_wrong_environment_is_refused(change: dict[str, str | None], problem: str) -> None:
    changed = {**TORCHRUN, **change}
    with pytest.raises(RunError, match=problem) as caught:
        read_launch({name: value for name, value in changed.items() if value is not None})
    assert "\n" not in str(caught.value)


def test_what_ranks_cannot_do_together_is_refused_by_name() -> None:
    Launch().refuse_several("--seeds", "start one at a time")
    with pytest.raises(RunError, match=r"^--seeds: not with 4 processes; start one at a time$"):
        Launch(1, 4).refuse_several("--seeds", "start one at a time")
