"""The loop: what it keeps, when it stops, and that accumulation is one big batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.classifier import trainable_state
from ranklet.errors import ParityError, TrainingDivergedError
from ranklet.lora.linear import LoRALinear
from ranklet.training.continuation import Continuation
from ranklet.training.fit import FitResult, fit
from ranklet.training.losses import cross_entropy
from ranklet.training.optimizer_step import Objective, StepHooks
from ranklet.training.optimizers import build_optimizer, check_coverage
from ranklet.training.records import Record
from ranklet.training.schedules import learning_rate_factor
from ranklet.training.selection import Best, Selection
from ranklet.training.snapshots import Snapshot
from ranklet.training.steps import Step, training_steps, unvalidated


class BagOfTokens(nn.Module):
    """The smallest thing that eats a Batch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(10, 4)
        self.classifier = nn.Linear(4, 2)

    def forward(self, batch: Batch) -> Tensor:
        rows = torch.repeat_interleave(torch.arange(batch.num_texts), batch.lengths)
        sums = torch.zeros(batch.num_texts, 4).index_add(0, rows, self.table(batch.token_ids))
        return self.classifier(sums)


TOKENS = torch.randint(0, 10, (12, 3), generator=torch.Generator().manual_seed(1))
LABELS = (TOKENS.sum(1) > 13).long()


def load_batch(indices: np.ndarray) -> Batch:
    rows = torch.from_numpy(indices)
    starts = torch.arange(len(indices) + 1, dtype=torch.int32) * 3
    return Batch(TOKENS[rows].flatten(), starts, 3, LABELS[rows])


def adamw(model: nn.Module, rate: float = 0.05) -> torch.optim.Optimizer:
    return build_optimizer(
        model, head=("classifier",), learning_rate=rate, head_learning_rate=rate, weight_decay=0.0
    )


def batches(*sizes: int) -> list[np.ndarray]:
    return np.split(np.arange(12), np.cumsum(sizes)[:-1])


def run(
    model: nn.Module,
    steps: list[Step],
    scores: list[float] | Callable[[], Mapping[str, float]],
    known: Best = (),
    **options: Any,
) -> tuple[FitResult, list[Record]]:
    records: list[Record] = []
    if isinstance(scores, list):
        remaining = iter(scores)

        def validate() -> Mapping[str, float]:
            score = next(remaining)
            return {"accuracy": score, "loss": score, "macro_f1": score}
    else:
        validate = scores
    given = {"loss": cross_entropy(0.0), "optimizer": None} | options
    in_objective = {key: given[key] for key in given if key in Objective.__dataclass_fields__}
    in_selection = {key: given[key] for key in given if key in Selection.__dataclass_fields__}
    in_hooks = {key: given[key] for key in given if key in StepHooks.__dataclass_fields__}
    assert {*in_objective, *in_selection, *in_hooks} == {*given}
    objective = Objective(**(in_objective | {"optimizer": given["optimizer"] or adamw(model)}))
    selection = Selection(validate, **in_selection)
    hooks = StepHooks(record=records.append, **in_hooks)
    continuation = Continuation(known=known)
    return fit(model, steps, load_batch, objective, selection, hooks, continuation), records


def test_it_learns_and_reports_every_step() -> None:
    model = BagOfTokens()
    steps = training_steps([batches(6, 6)] * 40, 1, None, None)
    result, records = run(model, steps, [0.5] * 40)
    train = [record for record in records if record["kind"] == "train"]
    assert [record["step"] for record in train] == list(range(1, 81))
    assert len(records) == 120
    assert np.mean([r["loss"] for r in train[-4:]]) < 0.2 * np.mean([r["loss"] for r in train[:4]])
    assert {"learning_rate", "texts_per_s", "grad_norm", "tokens"} <= train[0].keys()
    assert (result.steps, result.ended_by) == (80, "end")


@pytest.mark.parametrize(("metric", "best_step"), [("accuracy", 2), ("loss", 3)])
def test_the_best_validation_is_kept_not_the_last(metric: Any, best_step: int) -> None:
    seen: dict[int, Tensor] = {}
    model = BagOfTokens()
    scores = iter([0.3, 0.9, 0.1, 0.4])

    def validate() -> Mapping[str, float]:
        seen[len(seen) + 1] = model.classifier.weight.detach().clone()
        score = next(scores)
        return {"accuracy": score, "loss": score}

    result, _ = run(
        model, training_steps([batches(12)] * 4, 1, None, None), validate, metric=metric
    )
    assert result.best_step == best_step
    assert model.classifier.weight.equal(seen[best_step])
    assert not seen[best_step].equal(seen[4])


def test_a_start_that_no_step_beats_is_kept_as_it_was() -> None:
    model = BagOfTokens()
    start = trainable_state(model)
    known = (Snapshot(0, {"accuracy": 0.8, "loss": 0.8, "macro_f1": 0.8}, start),)
    steps = training_steps([batches(12)] * 3, 1, None, None)
    result, _ = run(model, steps, [0.5, 0.8, 0.7], known=known)
    assert (result.best_step, result.best_metrics["accuracy"]) == (0, 0.8)
    assert all(tensor.equal(start[name]) for name, tensor in trainable_state(model).items())
    better, _ = run(model, steps, [0.5, 0.9, 0.7], known=known)
    assert better.best_step == 2


def test_without_a_validation_the_model_stays_at_its_end() -> None:
    model = BagOfTokens()
    steps = unvalidated(training_steps([batches(12)] * 4, 1, None, None), 3)
    result, records = run(model, steps, [])
    assert (result.steps, result.best_step, dict(result.best_metrics)) == (3, 3, {})
    assert [record["kind"] for record in records] == ["train"] * 3


def test_patience_counts_validations_without_a_better_one() -> None:
    steps = training_steps([batches(12)] * 9, 1, None, None)
    result, _ = run(BagOfTokens(), steps, [0.5, 0.6, 0.6, 0.5, 0.9], patience=2)
    assert (result.best_step, result.steps, result.ended_by) == (2, 4, "patience")


@pytest.mark.parametrize("sizes", [(4, 4, 4), (5, 5, 2), (1, 10, 1)])
def test_accumulated_batches_equal_one_big_batch(sizes: tuple[int, ...]) -> None:
    models = []
    for epoch, accumulation in ((batches(*sizes), len(sizes)), (batches(12), 1)):
        model = BagOfTokens()
        steps = training_steps([epoch] * 3, accumulation, None, None)
        assert len(steps) == 3
        run(model, steps, [0.1, 0.2, 0.3], optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
        models.append(model)
    for first, second in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_with_its_step(bad: float) -> None:
    calls = 0

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return logits.sum() * (bad if calls == 3 else 1.0)

    model = BagOfTokens()
    with pytest.raises(TrainingDivergedError, match="at step 3 ") as caught:
        run(model, training_steps([batches(12)] * 5, 1, None, None), [0.1, 0.2, 0.3], loss=loss)
    assert caught.value.step == 3
    assert all(parameter.isfinite().all() for parameter in model.parameters())


STEPS = training_steps([batches(6, 6)] * 3, 1, None, None)
SCORES = [0.1, 0.2, 0.3]


@pytest.mark.parametrize("read_every", [2, 5, 100])
def test_reading_losses_later_changes_nothing_but_the_time(read_every: int) -> None:
    models = BagOfTokens(), BagOfTokens()
    _, now = run(models[0], STEPS, SCORES)
    _, later = run(models[1], STEPS, SCORES, read_every=read_every)
    for name, tensor in models[0].state_dict().items():
        assert torch.equal(models[1].state_dict()[name], tensor)
    without_time = [
        [{key: value for key, value in record.items() if key != "texts_per_s"} for record in heard]
        for heard in (now, later)
    ]
    assert without_time[0] == without_time[1]


def test_a_scaled_loss_takes_the_same_steps() -> None:
    plain, scaled = BagOfTokens(), BagOfTokens()
    run(plain, STEPS, SCORES)
    run(scaled, STEPS, SCORES, scaler=torch.amp.GradScaler("cpu", init_scale=8.0))
    for name, tensor in plain.state_dict().items():
        assert torch.allclose(scaled.state_dict()[name], tensor, atol=1e-6)


def test_a_step_whose_scaled_gradients_overflow_is_left_out() -> None:
    model, before = BagOfTokens(), BagOfTokens().state_dict()
    scaler = torch.amp.GradScaler("cpu", init_scale=3e38, growth_interval=1000)
    _, records = run(
        model, training_steps([batches(12)], 1, None, None), SCORES, loss=_steep, scaler=scaler
    )
    assert not math.isfinite(records[0]["grad_norm"])
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())


def _steep(logits: Tensor, labels: Tensor) -> Tensor:
    return 100 * cross_entropy(0.0)(logits, labels)


def test_ctrl_c_keeps_the_best_so_far() -> None:
    def interrupt_at(step: int, model: nn.Module) -> FitResult:
        scores = iter([0.9, 0.2, 0.3, 0.4])
        taken = 0

        def loss(logits: Tensor, labels: Tensor) -> Tensor:
            nonlocal taken
            taken += 1
            if taken == step:
                raise KeyboardInterrupt
            return cross_entropy(0.0)(logits, labels)

        def validate() -> Mapping[str, float]:
            return {"accuracy": next(scores)}

        return run(model, training_steps([batches(12)] * 4, 1, None, None), validate, loss=loss)[0]

    result = interrupt_at(3, BagOfTokens())
    assert (result.best_step, result.steps, result.ended_by) == (1, 2, "interrupt")
    with pytest.raises(KeyboardInterrupt):
        interrupt_at(1, BagOfTokens())


def test_gradients_are_clipped_to_the_norm() -> None:
    model = BagOfTokens()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    sgd = torch.optim.SGD(model.parameters(), lr=1.0)
    _, records = run(model, training_steps([batches(12)], 1, None, None), [0.1], optimizer=sgd,
                     max_grad_norm=1e-3)  # fmt: skip
    moved = [
        parameter.detach() - old for parameter, old in zip(model.parameters(), before, strict=True)
    ]
    assert math.isclose(float(nn.utils.get_total_norm(moved)), 1e-3, rel_tol=1e-2)
    assert records[0]["grad_norm"] > 1e-2


def test_steps_of_a_training() -> None:
    steps = training_steps([batches(4, 4, 4)] * 2, 2, None, None)
    assert [len(step.batches) for step in steps] == [2, 1, 2, 1]
    assert [step.validate for step in steps] == [False, True, False, True]
    assert [round(step.epoch, 3) for step in steps] == [0.667, 1.0, 1.667, 2.0]
    every_three = training_steps([batches(4, 4, 4)] * 2, 1, 5, 3)
    assert [step.number for step in every_three if step.validate] == [3, 5]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("linear", [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]),
        ("cosine", [0.5, 1.0, 1.0, 0.8536, 0.5, 0.1464]),
    ],
)
def test_schedules_by_hand(schedule: Any, expected: list[float]) -> None:
    factor = partial(learning_rate_factor, schedule=schedule, warmup_steps=2, total_steps=6)
    assert [round(factor(step), 4) for step in range(1, 7)] == expected
    assert learning_rate_factor(1, schedule=schedule, warmup_steps=0, total_steps=3) == 1.0


def test_label_smoothing_by_hand() -> None:
    logits, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    log_probabilities = logits.log_softmax(-1)[0]
    expected = -(0.9 * log_probabilities[0] + 0.1 * log_probabilities[1])
    assert torch.isclose(cross_entropy(0.2)(logits, labels), expected)


def test_every_trainable_tensor_is_in_the_optimizer_once() -> None:
    model = BagOfTokens()
    model.table.requires_grad_(False)
    optimizer = build_optimizer(
        model, head=("classifier",), learning_rate=1e-3, head_learning_rate=5e-3, weight_decay=0.1
    )
    groups = {group["name"]: group for group in optimizer.param_groups}
    assert set(groups) == {"head", "head_bias"}
    assert (groups["head"]["lr"], groups["head"]["weight_decay"]) == (5e-3, 0.1)
    assert groups["head_bias"]["weight_decay"] == 0.0
    model.table.requires_grad_(True)
    with pytest.raises(ParityError, match=r"table.weight is missing"):
        check_coverage(model, optimizer)


def test_loraplus_gives_every_b_a_rate_of_its_own() -> None:
    linear = LoRALinear(nn.Linear(4, 4), 2, 1.0, 0.0, torch.Generator())
    linear.base_layer.requires_grad_(False)
    model = nn.ModuleDict({"a": linear, "classifier": nn.Linear(4, 2)})
    optimizer = build_optimizer(
        model,
        head=("classifier",),
        learning_rate=1e-3,
        head_learning_rate=1e-3,
        weight_decay=0.1,
        loraplus_lr_ratio=16.0,
    )
    rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
    assert rates == {
        "adapter": 1e-3,
        "adapter_b": 16e-3,
        "head": 1e-3,
        "head_bias": 1e-3,
    }
    (b,) = next(group["params"] for group in optimizer.param_groups if group["name"] == "adapter_b")
    assert b is linear.lora_B.weight
