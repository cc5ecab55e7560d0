"""Averages of what trains: over the steps of a training, and of its best moments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ranklet.classifier import restore_state, trainable_state
from ranklet.training.snapshots import Metrics, Snapshot, mean_state


class MovingAverage:
    """The exponential moving average of every trainable tensor of a model.

    It starts at the tensors as they are. The decay is warmed up, as TensorFlow's
    ExponentialMovingAverage does it with `num_updates`, so that the start is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = model
        self.decay = decay
        self.tensors = trainable_state(model)

    def update(self, step: int) -> None:
        """Take in the tensors after an optimizer step, counted from 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        trained = dict(self.model.named_parameters())
        current = [trained[name].detach() for name in self.tensors]
        blend = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        blend(list(self.tensors.values()), current, 0)

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """Let the model hold the average, then its own tensors again."""
        own = trainable_state(self.model)
        restore_state(self.model, self.tensors)
        try:
            yield
        finally:
            restore_state(self.model, own)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the average by name, not copied."""
        return self.tensors

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Go on from an average."""
        for name, tensor in self.tensors.items():
            tensor.copy_(state_dict[name])


def greedy_soup(
    model: nn.Module,
    best: Sequence[Snapshot],
    validate: Callable[[], Metrics],
    is_better: Callable[[Metrics, Metrics], bool],
) -> tuple[Metrics, list[Snapshot]]:
    """Average the best moments of a training, as far as that is better on validation.

    Greedy soup (Wortsman et al. 2022, arXiv:2203.05482, recipe 1) with the checkpoints of one
    training as ingredients. An ingredient must improve the average; in the paper it may leave it
    as good as it was.

    The model is left with any of the tensors that were tried.

    Returns:
        Metrics of the average, and what went into it: the best alone where nothing improved it.
    """
    ingredients, metrics = [best[0]], best[0].metrics
    for candidate in best[1:]:
        restore_state(model, mean_state([*ingredients, candidate]))
        mixed = validate()
        if is_better(mixed, metrics):
            ingredients, metrics = [*ingredients, candidate], mixed
    return metrics, ingredients
