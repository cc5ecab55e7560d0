"""ParameterPlan: how many parameters a recipe trains, from shapes alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from ranklet.display import Display, shows_itself
from ranklet.errors import BudgetExceededError, ParityError
from ranklet.json_values import to_values
from ranklet.lora.module_names import layer_of
from ranklet.lora.placement import ModuleShape, Placement
from ranklet.vocabulary import Bias

Kind = Literal["lora", "magnitude", "head", "bias", "norm"]


@dataclass(frozen=True)
class PlanRow:
    """The trained parameters of one module.

    Attributes:
        module: Full name.
        kind: `lora`, `magnitude` (DoRA's lengths), `head`, `bias` or `norm`.
        rank: Rank of the adapter, or None.
        shape: (in_features, out_features) of the module.
        parameters: Trained parameters.
        alpha: Alpha of the adapter, or None.
    """

    module: str
    kind: Kind
    rank: int | None
    shape: tuple[int, int]
    parameters: int
    alpha: float | None = None


@shows_itself
@dataclass(frozen=True)
class ParameterPlan:
    """Every trained parameter, by module, against a budget.

    Attributes:
        rows: One row for each module and kind.
        budget: Most parameters that may be trained.
    """

    rows: tuple[PlanRow, ...]
    budget: int

    @property
    def total(self) -> int:
        """Trained parameters over all rows."""
        return sum(row.parameters for row in self.rows)

    @property
    def remaining(self) -> int:
        """Parameters of the budget that are not used; negative when over it."""
        return self.budget - self.total

    def display(self) -> Display:
        """Return the plan as a table."""
        rows = [
            (row.module, row.kind, "" if row.rank is None else str(row.rank), f"{row.parameters:,}")
            for row in self.rows
        ]
        caption = f"ParameterPlan: {self.total:,} of at most {self.budget:,} parameters"
        return Display(caption, ("module", "kind", "rank", "parameters"), rows)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON types; `total`, `budget` and `rows` at the top."""
        counts = {"total": self.total, "budget": self.budget, "remaining": self.remaining}
        return counts | {"rows": to_values(self)["rows"]}


def plan_parameters(
    encoder_shapes: Mapping[str, ModuleShape],
    head_shapes: Mapping[str, ModuleShape],
    placements: Iterable[Placement],
    bias: Bias,
    budget: int,
    use_dora: bool = False,
    norms: Iterable[str] = (),
) -> ParameterPlan:
    """Count what will be trained: rank x (in + out) of each adapter, the head, the biases.

    The head trains whole, `norms` weight and bias; DoRA adds one length for each output, as PEFT
    has it.
    """
    trained_norms = set(norms)
    adapters = {placement.module: placement for placement in placements}
    rows = [_lora_row(encoder_shapes[name], adapter) for name, adapter in adapters.items()]
    if use_dora:
        shapes = [(name, encoder_shapes[name]) for name in adapters]
        rows += [_row(name, "magnitude", shape, shape.out_features) for name, shape in shapes]
    rows += [
        _row(name, "bias", shape, shape.out_features)
        for name, shape in encoder_shapes.items()
        if shape.bias
        and name not in trained_norms
        and (bias == "all" or (bias == "lora_only" and name in adapters))
    ]
    rows += [
        _row(name, "norm", shape, shape.parameters)
        for name, shape in encoder_shapes.items()
        if name in trained_norms
    ]
    rows += [_row(name, "head", shape, shape.parameters) for name, shape in head_shapes.items()]
    return ParameterPlan(tuple(rows), budget)


def _row(module: str, kind: Kind, shape: ModuleShape, parameters: int) -> PlanRow:
    return PlanRow(module, kind, None, shape.sizes, parameters)


def _lora_row(shape: ModuleShape, placement: Placement) -> PlanRow:
    cost = placement.rank * shape.parameters_per_rank
    return PlanRow(placement.module, "lora", placement.rank, shape.sizes, cost, placement.alpha)


def rows_by_layer(plan: ParameterPlan) -> dict[str, list[PlanRow]]:
    """Group the rows of a plan: what lies outside the layers, each layer upwards, the head."""

    def place(row: PlanRow) -> tuple[int, int]:
        layer = layer_of(row.module)
        return (2, 0) if row.kind == "head" else (0, 0) if layer is None else (1, layer)

    groups: dict[str, list[PlanRow]] = {}
    for row in sorted(plan.rows, key=lambda row: (place(row), row.module)):
        where, layer = place(row)
        name = ("outside the layers", f"layer {layer}", "head")[where]
        groups.setdefault(name, []).append(row)
    return groups


def enforce_budget(plan: ParameterPlan) -> None:
    """Refuse a plan over its budget.

    Raises:
        BudgetExceededError: Names the largest rows and the rank that would fit.
    """
    if plan.remaining >= 0:
        return
    largest = sorted(plan.rows, key=lambda row: -row.parameters)[:3]
    named = ", ".join(f"{row.module} {row.parameters:,}" for row in largest)
    message = (
        f"budget: the plan trains {plan.total:,} parameters, {-plan.remaining:,} over the budget "
        f"of {plan.budget:,}; largest: {named}; {_what_fits(plan)}"
    )
    raise BudgetExceededError(message, plan.total, plan.budget)


def _what_fits(plan: ParameterPlan) -> str:
    adapters = [row for row in plan.rows if row.rank is not None]
    unit = sum(sum(row.shape) for row in adapters)
    fixed = plan.total - sum(row.parameters for row in adapters)
    rank = (plan.budget - fixed) // unit if unit else 0
    if rank >= 1:
        return f"adapter.rank {rank} on these modules fits ({fixed + rank * unit:,})"
    return (
        f"not even rank 1 on these modules fits ({fixed + unit:,}): adapt fewer modules or layers, "
        "train fewer biases or choose a smaller head"
    )


def count_trainable(model: nn.Module) -> int:
    """Count the parameters of a model that require a gradient."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def check_counted(plan: ParameterPlan, counted: int, what: str) -> None:
    """Stop unless a count, `what` in messages, equals the plan.

    Raises:
        ParityError: The counts differ.
    """
    if counted != plan.total:
        message = f"{what}: {counted:,} trained parameters, but {plan.total:,} were planned"
        raise ParityError(message, abs(counted - plan.total), 0)
