"""Which of several processes this one is. Only this file reads what a launcher sets.

`torchrun` sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, and so may a scheduler.
Without WORLD_SIZE, or with 1, a process is by itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ranklet.errors import RunError

TIMEOUT_VARIABLE = "RANKLET_COLLECTIVE_TIMEOUT"

# Seconds that a process waits for another one inside a step: far more than a step takes, so that
# only a process that is stopped or cut off misses it.
DEFAULT_TIMEOUT_S = 120.0

# The same at the start: not all machines load libraries equally fast.
DEFAULT_JOIN_S = 300.0


@dataclass(frozen=True)
class Launch:
    """A process among those that were started together.

    Attributes:
        index: Counted from 0 over all machines; process 0 leads and is the only one that writes.
        count: Processes.
        local_index: Counted from 0 on this machine.
        attempt: Times that the launcher has started them again.
        shares_store: The launcher keeps the store of addresses across attempts.
        timeout_s: Seconds that a process waits for another one inside a step.
        join_s: Seconds that a process waits for the others to start.
    """

    index: int = 0
    count: int = 1
    local_index: int = 0
    attempt: int = 0
    shares_store: bool = False
    timeout_s: float = DEFAULT_TIMEOUT_S
    join_s: float = DEFAULT_JOIN_S

    def refuse_several(self, what: str, instead: str) -> None:
        """Refuse what several processes cannot do together.

        Raises:
            RunError: There are several.
        """
        if self.count > 1:
            raise RunError(f"{what}: not with {self.count} processes; {instead}")


def read_launch(environment: Mapping[str, str] | None = None) -> Launch:
    """Read what a launcher has set in the environment, or in that of this process.

    Raises:
        RunError: A variable is missing, is no number, or they contradict each other.
    """
    variables = os.environ if environment is None else environment
    if "RANK" not in variables and "WORLD_SIZE" not in variables:
        return Launch()
    count = _number(variables, "WORLD_SIZE", lowest=1)
    if count == 1:
        return Launch(attempt=_number(variables, "TORCHELASTIC_RESTART_COUNT", default=0))
    _text(variables, "MASTER_ADDR")
    _number(variables, "MASTER_PORT", lowest=1, highest=65535)
    launch = Launch(
        index=_number(variables, "RANK", highest=count - 1),
        count=count,
        local_index=_number(variables, "LOCAL_RANK"),
        attempt=_number(variables, "TORCHELASTIC_RESTART_COUNT", default=0),
        shares_store=variables.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
        timeout_s=_seconds(variables, DEFAULT_TIMEOUT_S),
        join_s=_seconds(variables, DEFAULT_JOIN_S),
    )
    restarts = _number(variables, "TORCHELASTIC_MAX_RESTARTS", default=0)
    several_machines = _number(variables, "LOCAL_WORLD_SIZE", default=count) < count
    if launch.shares_store and several_machines and restarts:
        # Each machine counts its own restarts, so nothing tells fresh addresses from stale ones.
        raise RunError(
            "torchrun --max-restarts on several machines keeps stale addresses; start it with "
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1"
        )
    return launch


def _text(variables: Mapping[str, str], name: str) -> str:
    if not variables.get(name):
        raise RunError(
            f"environment variable {name} is not set, but others of several processes are; start "
            "them with torchrun, or unset RANK and WORLD_SIZE"
        )
    return variables[name]


def _number(
    variables: Mapping[str, str],
    name: str,
    default: int | None = None,
    lowest: int = 0,
    highest: int | None = None,
) -> int:
    if default is not None and name not in variables:
        return default
    text = _text(variables, name)
    number = int(text) if text.isdecimal() else -1
    if number < lowest or (highest is not None and number > highest):
        allowed = f"{lowest} or more" if highest is None else f"{lowest} to {highest}"
        raise RunError(f"environment variable {name}: {text!r} is not allowed; allowed: {allowed}")
    return number


def _seconds(variables: Mapping[str, str], default: float) -> float:
    text = variables.get(TIMEOUT_VARIABLE) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise RunError(
            f"environment variable {TIMEOUT_VARIABLE}: {text!r} is not allowed; allowed: seconds "
            "above 0"
        )
    return seconds
