"""Gains: what each unit of rank on a frozen matrix would do for the loss, measured on data.

For a linear map y = W a with gradients g of the loss in y, the expected gradient is G = E[g aᵀ].
Divide every entry by the root mean squares of its output's gradient and of its input,

    S = diag(E[g²])^(-1/2)  G  diag(E[a²])^(-1/2),

and take the squared singular values of S as the gains of successive units of rank. The best update
of rank r captures the sum of the first r of them (Eckart and Young), so gains never rise.

Why S: it is K-FAC's curvature (Martens & Grosse 2015, arXiv:1503.05671) cut down to its diagonals,
under which half the sum is by how much the best update of rank r lowers the loss; and it is the
step of an optimizer with factored second moments (Adafactor, arXiv:1804.04235), so near to what
AdamW makes of G. It does not change with the scale of a feature, so matrices can be compared, and
the few huge features of BERT-like encoders do not decide. That low rank should follow the
gradient's singular vectors is LoRA-GA's argument (arXiv:2407.05000), ranks by the importance of the
gradient are GoRA's (arXiv:2502.12171), activations as a measure are EVA's (arXiv:2410.07170).

Our own heuristics, in none of them: the two diagonals for allocating ranks, and two halves. The
square of a gradient averaged over few texts is mostly noise, so S is measured on two halves of the
batches. The eigenvalues of the symmetric part of S₁ S₂ᵀ then estimate the squared singular values
of what the halves share, and the noise lies evenly around 0: its size is read from the eigenvalues
below 0 and taken off those above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Added to the mean squares, as a share of their mean: a feature that is nearly always 0 would
# otherwise be divided by nearly 0.
DAMPING = 0.1

# Strength of the ridge of a fitted last map; the features are scaled to unit variance.
RIDGE = 1e-2
FIT_STEPS = 100


@dataclass(eq=False)
class Moments:
    """Sums over the tokens of one linear map.

    Attributes:
        gradients: For each half, the sum of g aᵀ, (out_features, in_features) float32.
        inputs: Sum of a², (in_features,) float32.
        outputs: Sum of g², (out_features,) float32.
        tokens: Tokens summed.
    """

    gradients: tuple[Tensor, Tensor]
    inputs: Tensor
    outputs: Tensor
    tokens: int = 0


@dataclass(eq=False)
class Recorder:
    """The moments of several linear maps, filled while batches run forward and backward.

    Attributes:
        moments: By the name of the map.
        half: 0 or 1, where the gradients of the next batch are added.
    """

    moments: dict[str, Moments] = field(default_factory=dict)
    half: int = 0

    def add(self, name: str, states: Tensor, gradient: Tensor) -> None:
        """Add the tokens of a batch.

        Args:
            name: The map.
            states: (tokens, in_features), what it read.
            gradient: (tokens, out_features) of the summed loss, of what it returned.
        """
        states, gradient = states.flatten(0, -2), gradient.flatten(0, -2)
        if states.dtype == torch.float16:  # whose small gradients would vanish in the products
            states, gradient = states.float(), gradient.float()
        own = self.moments.get(name) or _no_moments(gradient.shape[-1], states)
        # Products in the compute dtype, sums in float32.
        own.gradients[self.half].add_(gradient.T @ states)
        own.inputs.add_(states.float().square().sum(0))
        own.outputs.add_(gradient.float().square().sum(0))
        own.tokens += len(states)
        self.moments[name] = own


def _no_moments(out_features: int, states: Tensor) -> Moments:
    in_features = states.shape[-1]

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(shape, dtype=torch.float32, device=states.device)

    gradients = (zeros(out_features, in_features), zeros(out_features, in_features))
    return Moments(gradients, zeros(in_features), zeros(out_features))


@contextmanager
def recording(root: nn.Module, modules: Iterable[str]) -> Iterator[Recorder]:
    """Record the inputs and output gradients of linear maps of a frozen network.

    No gradient of a whole matrix is kept by autograd and none is formed for a single text; the
    network must call the maps as modules (no fused layers).
    """
    recorder = Recorder()
    handles = [
        root.get_submodule(name).register_forward_hook(_hook(recorder, name)) for name in modules
    ]
    try:
        yield recorder
    finally:
        for handle in handles:
            handle.remove()


def _hook(recorder: Recorder, name: str) -> Callable[..., Tensor | None]:
    def after_forward(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor | None:
        del module
        if not torch.is_grad_enabled():
            return None
        # Below the first map nothing asks for gradients: the graph begins here.
        result = output if output.requires_grad else output.detach().requires_grad_()
        states = inputs[0].detach()
        result.register_hook(  # type: ignore[no-untyped-call]
            lambda gradient: recorder.add(name, states, gradient)
        )
        return result

    return after_forward


def unit_gains(moments: Moments, texts: int, damping: float = DAMPING) -> list[float]:
    """Return the gain of each unit of rank; it never rises.

    Gains compare units; the diagonals leave out how features move together, so the loss falls by
    much less than their sum.

    Args:
        moments: Sums of one map over both halves, gradients of the loss summed over the texts.
        texts: Texts in both halves together.
        damping: Share of their mean that is added to the mean squares.
    """
    before = _root(moments.inputs / moments.tokens, damping)
    behind = _root(moments.outputs / moments.tokens, damping)
    first, second = (
        gradient.double() / (texts / 2) / behind[:, None] / before for gradient in moments.gradients
    )
    # The curvature in a text is summed over its tokens, the moments are means over tokens.
    factor = 0.5 * texts / moments.tokens
    return [factor * value for value in shared_energy(first, second)]


def shared_energy(first: Tensor, second: Tensor) -> list[float]:
    """Estimate the squared singular values of what two noisy matrices have in common.

    Args:
        first: (rows, columns) float64.
        second: (rows, columns) float64, equal to the first but for noise of its own.

    Returns:
        min(rows, columns) numbers from 0, falling; the squared singular values if both are equal.
    """
    if first.shape[0] > first.shape[1]:
        first, second = first.T, second.T
    product = first @ second.T
    rising = torch.linalg.eigvalsh((product + product.T) / 2)
    noise = (-rising).clamp(min=0)  # falling, the most negative first
    shared = (rising.flip(0) - noise).clamp(min=0).cummin(0).values
    return [float(value) for value in shared]


def _root(mean_squares: Tensor, damping: float) -> Tensor:
    """Return the root of damped mean squares, (features,) float64."""
    exact = mean_squares.double()
    floor = torch.finfo(torch.float32).tiny  # a map that no gradient reaches gains nothing
    return (exact + damping * exact.mean() + floor).sqrt()


def fit_last_map(
    features: Tensor, labels: Tensor, classes: int, ridge: float = RIDGE
) -> tuple[Tensor, Tensor]:
    """Fit one linear map from frozen features to logits: logistic regression with a ridge.

    Args:
        features: (texts, hidden) float32.
        labels: (texts,) int64 class indices.
        classes: Number of classes; those without a text get low logits.
        ridge: Penalty on the squared weights of the scaled features.

    Returns:
        Weight (classes, hidden) and bias (classes,), float32; the same for the same input.
    """
    mean, scale = features.mean(0), features.std(0, correction=0).clamp(min=1e-6)
    scaled = (features - mean) / scale
    weight = torch.zeros(classes, features.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=FIT_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        penalty = ridge * (weight.square().sum() + bias.square().sum() / len(features))
        value = F.cross_entropy(F.linear(scaled, weight, bias), labels) + penalty
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    fitted = (weight / scale).detach()
    return fitted, (bias - fitted @ mean).detach()


def gains_of(recorder: Recorder, modules: Sequence[str], texts: int) -> Mapping[str, list[float]]:
    """Return the gains of every recorded map, by name."""
    return {name: unit_gains(recorder.moments[name], texts) for name in modules}
