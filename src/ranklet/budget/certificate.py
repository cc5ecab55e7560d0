"""Certificate: what was trained, counted three ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ranklet.budget.plan import ParameterPlan, check_counted


def certify(
    plan: ParameterPlan,
    counted: int,
    saved: Mapping[str, Tensor],
    hashes: Mapping[str, Any],
    not_trained: Mapping[str, Mapping[str, Tensor]],
    start: int = 0,
) -> dict[str, Any]:
    """State under which budget a model was trained, after comparing all counts.

    `saved` is every trained tensor of the saved adapter, read back; `start` of its numbers did not
    train: the start that `adapter.init` pissa and olora subtract. `not_trained` are the other
    tensors by what they are, stated beside the three counts.

    Returns:
        The certificate as JSON types.

    Raises:
        ParityError: A count differs from the plan.
    """
    in_file = _numbers(saved)
    check_counted(plan, counted, "after training")
    check_counted(plan, in_file - start, "in the saved adapter")
    return {
        "budget": plan.budget,
        "planned": plan.total,
        "counted": counted,
        "saved": in_file - start,
        "saved_but_not_trained": {
            **{what: _numbers(tensors) for what, tensors in not_trained.items()},
            "subtracted_start": start,
        },
        "within_budget": plan.total <= plan.budget,
        "sha256": dict(hashes),
    }


def _numbers(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors.values())
