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
    start: int = 0,
) -> dict[str, Any]:
    """State under which budget a model was trained, after comparing all counts.

    Args:
        plan: Counted from shapes, before anything was built.
        counted: Trainable parameters of the trained model.
        saved: Every tensor of the saved adapter, read back.
        hashes: SHA-256 of recipe, data and adapter.
        start: Numbers of the saved adapter that did not train: the start that `adapter.init` pissa
            and olora subtract.

    Returns:
        The certificate as JSON types.

    Raises:
        ParityError: A count differs from the plan.
    """
    in_file = sum(tensor.numel() for tensor in saved.values())
    check_counted(plan, counted, "after training")
    check_counted(plan, in_file - start, "in the saved adapter")
    return {
        "budget": plan.budget,
        "planned": plan.total,
        "counted": counted,
        "saved": in_file - start,
        "saved_start": start,
        "within_budget": plan.total <= plan.budget,
        "sha256": dict(hashes),
    }
