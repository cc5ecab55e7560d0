"""Gains: what each unit of rank on a frozen matrix would do for the loss, measured on data.

For a linear map y = W a with gradients g of the loss in y, the expected gradient is G = E[g aᵀ].
K-FAC (Martens & Grosse 2015, arXiv:1503.05671) takes the curvature of the loss in W for
E[g gᵀ] ⊗ E[a aᵀ]. Under that quadratic model the best update of rank r lowers the loss by half the
sum of the first r squared singular values of

    S = E[g gᵀ]^(-1/2)  G  E[a aᵀ]^(-1/2),

so the gains of successive units never rise (Eckart and Young). They are comparable across matrices,
since S does not change when inputs or outputs are scaled, as Adam's steps do not. That low rank
should follow the gradient's singular vectors is LoRA-GA's argument (arXiv:2407.05000), ranks by the
importance of the gradient are GoRA's (arXiv:2502.12171), activations as a measure are EVA's
(arXiv:2410.07170).

Our own heuristics, which none of them has: whitening on both sides for the allocation of ranks;
the damping; and two halves. The squares of a gradient averaged over few texts are mostly noise, so
S is measured on two halves of the batches, and the squared singular values are the eigenvalues of
the symmetric part of S₁ S₂ᵀ, in which the noise of the halves cancels on average. Eigenvalues below
0 are noise alone and count as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Added to the second moments, as a share of their mean eigenvalue: with few texts the small
# eigenvalues are not known, and a division by them would let noise decide.
DAMPING = 0.3

# Strength of the ridge of a fitted last map; the features are scaled to unit variance.
RIDGE = 1e-2
FIT_STEPS = 100


@dataclass(eq=False)
class Moments:
    """Sums over the tokens of one linear map.

    Attributes:
        gradients: For each half, the sum of g aᵀ, (out_features, in_features) float32.
        inputs: Sum of a aᵀ, (in_features, in_features) float32.
        outputs: Sum of g gᵀ, (out_features, out_features) float32.
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
        # Products in the compute dtype, five times as fast in bfloat16; sums in float32.
        own.gradients[self.half].add_(gradient.T @ states)
        own.inputs.add_(states.T @ states)
        own.outputs.add_(gradient.T @ gradient)
        own.tokens += len(states)
        self.moments[name] = own


def _no_moments(out_features: int, states: Tensor) -> Moments:
    in_features = states.shape[-1]

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(shape, dtype=torch.float32, device=states.device)

    gradients = (zeros(out_features, in_features), zeros(out_features, in_features))
    inputs, outputs = zeros(in_features, in_features), zeros(out_features, out_features)
    return Moments(gradients, inputs, outputs)


@contextmanager
def recording(root: nn.Module, modules: Iterable[str]) -> Iterator[Recorder]:
    """Record the inputs and output gradients of linear maps of a frozen network.

    No gradient of a whole matrix is kept by autograd and none is formed for a single text; the
    network must call the maps as modules (no fused layers).

    Args:
        root: The network; nothing of it needs to require a gradient.
        modules: Full names of the linear maps.
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
        result.register_hook(lambda gradient: recorder.add(name, states, gradient))
        return result

    return after_forward


def unit_gains(moments: Moments, texts: int, damping: float = DAMPING) -> list[float]:
    """Return the gain of each unit of rank, in nats of the mean loss; it never rises.

    Args:
        moments: Sums of one map over both halves, gradients of the loss summed over the texts.
        texts: Texts in both halves together.
        damping: Share of the mean eigenvalue that is added to the second moments.
    """
    before = _root(moments.inputs / moments.tokens, damping)
    behind = _root(moments.outputs / moments.tokens, damping)
    first, second = (
        torch.linalg.solve_triangular(
            behind,
            torch.linalg.solve_triangular(before, gradient.double().T / (texts / 2), upper=False).T,
            upper=False,
        )
        for gradient in moments.gradients
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
    values = torch.linalg.eigvalsh((product + product.T) / 2)
    return [float(value) for value in values.flip(0).clamp(min=0)]


def _root(moment: Tensor, damping: float) -> Tensor:
    """Return the Cholesky factor of a damped second moment, (size, size) float64."""
    exact = moment.double()
    mean = exact.diagonal().mean().clamp(min=torch.finfo(torch.float32).tiny)
    return torch.linalg.cholesky(exact + damping * mean * torch.eye(len(exact)).to(exact))


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
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    fitted = (weight / scale).detach()
    return fitted, (bias - fitted @ mean).detach()


def gains_of(recorder: Recorder, modules: Sequence[str], texts: int) -> Mapping[str, list[float]]:
    """Return the gains of every recorded map, by name."""
    return {name: unit_gains(recorder.moments[name], texts) for name in modules}
