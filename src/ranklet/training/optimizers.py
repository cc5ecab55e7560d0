"""Optimizers: PyTorch's own over named groups, and two of them behind one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adafactor, Adam, AdamW, Optimizer, RMSprop

from ranklet.errors import ParityError, RecipeError, RecipeIssue
from ranklet.vocabulary import OptimizerName

Group = dict[str, Any]

# PEFT's names of the two matrices of an adapter on a linear map.
_LOW_RANK = (".lora_A.weight", ".lora_B.weight")

SGD_MOMENTUM = 0.9
MUON_MOMENTUM = 0.95  # that of its inventors' own runs, and PyTorch's default


@dataclass(frozen=True, eq=False)
class LayerDecay:
    """Lower learning rates for lower parts of an encoder.

    Attributes:
        levels: The parts, from the bottom up.
        factor: Rate of a level over that of the one above it.
    """

    levels: Sequence[nn.Module]
    factor: float


def build_optimizer(
    model: nn.Module,
    *,
    head: Sequence[str],
    learning_rate: float,
    head_learning_rate: float,
    weight_decay: float,
    loraplus_lr_ratio: float = 1.0,
    layer_decay: LayerDecay | None = None,
    name: OptimizerName = "adamw",
    momentum: float | None = None,
) -> Optimizer:
    """Build an optimizer over every trainable tensor.

    `adamw` (Loshchilov & Hutter 2017, arXiv:1711.05101), `adafactor` (Shazeer & Stern 2018,
    arXiv:1804.04235; its rates are relative to the size of a tensor) and `muon` decay weights
    beside the gradient; `adam` (Kingma & Ba 2014, arXiv:1412.6980), `sgd` and `rmsprop` in it.

    Groups of tensors are `adapter` and `head`; tensors of one dimension (biases) form
    `adapter_bias` and `head_bias`, which do not decay, adapters of embeddings `adapter_table`. With
    LoRA+ (Hayou et al. 2024, arXiv:2402.12354) every B of a linear map forms `adapter_b`;
    embeddings keep one rate.
    With `layer_decay` (Howard & Ruder 2018, arXiv:1801.06146, section 3.1; Clark et al. 2020,
    arXiv:2003.10555, appendix B) each level forms groups of its own; the highest comes first and
    has the full rate.

    Args:
        model: The model; frozen tensors are left out.
        head: Names of the head's modules.
        learning_rate: Peak rate of the adapters and trained biases.
        head_learning_rate: Peak rate of the head.
        weight_decay: Decay per step and unit of learning rate.
        loraplus_lr_ratio: Rate of B over `learning_rate`.
        layer_decay: Lower rates for lower parts of the encoder; None: the same for all.
        name: Which optimizer.
        momentum: Of `sgd`, `rmsprop` and `muon`; None: 0.9, 0 and 0.95.

    Raises:
        ParityError: A trainable tensor is in no group or in several.
        RecipeError: This PyTorch is too old for the optimizer.
    """
    groups: dict[tuple[int, str], Group] = {}
    heads = tuple(f"{module}." for module in head)
    factor = 1.0 if layer_decay is None else layer_decay.factor
    below_top = {} if layer_decay is None else _levels_below_top(layer_decay.levels)
    for tensor, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        in_head, is_vector = tensor.startswith(heads), parameter.ndim == 1
        is_low_rank = tensor.endswith(_LOW_RANK)
        is_b = loraplus_lr_ratio != 1 and tensor.endswith(".lora_B.weight")
        depth = below_top.get(id(parameter), 0)
        kind = "head" if in_head else "adapter"
        kind += "_bias" if is_vector else "_b" if is_b else ""
        kind += "" if in_head or is_vector or is_low_rank else "_table"
        rate = learning_rate * factor**depth * (loraplus_lr_ratio if is_b else 1.0)
        settings = {
            "name": f"{kind}_{depth}_below_top" if depth else kind,
            "lr": head_learning_rate if in_head else rate,
            "weight_decay": 0.0 if is_vector else weight_decay,
            "low_rank": is_low_rank,
            "params": [],
        }
        groups.setdefault((depth, kind), settings)["params"].append(parameter)
    ordered = [groups[key] for key in sorted(groups, key=lambda key: key[0])]
    optimizer = _BUILD[name](ordered, momentum)
    check_coverage(model, optimizer)
    return optimizer


class MuonWithAdamW(Optimizer):
    """Muon for the matrices of adapters, AdamW for all other tensors, as one optimizer.

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) replaces the momentum of a
    matrix by the nearest orthogonal one; steps are scaled as in Liu et al. 2025 (arXiv:2502.16982,
    section 2.2), so that both optimizers take the learning rates and decay of AdamW. Both work on
    the groups and the state of this one, whose `state_dict` therefore is like any other.

    `low_rank` of a group tells whose it is.
    """

    def __init__(self, groups: Sequence[Group], momentum: float) -> None:
        matrices = [group for group in groups if group["low_rank"]]
        others = [group for group in groups if not group["low_rank"]]
        self.parts: list[Optimizer] = []
        if matrices:
            self.parts.append(
                torch.optim.Muon(matrices, momentum=momentum, adjust_lr_fn="match_rms_adamw")
            )
        if others:
            self.parts.append(AdamW(others, fused=True))
        super().__init__([group for part in self.parts for group in part.param_groups], {})
        self._share()

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take a step of both."""
        for part in self.parts:
            part.step()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        rest = iter(self.param_groups)
        for part in self.parts:
            part.state = self.state
            part.param_groups = [next(rest) for _ in part.param_groups]


def check_coverage(model: nn.Module, optimizer: Optimizer) -> None:
    """Stop unless every trainable tensor is in the optimizer exactly once.

    Raises:
        ParityError: A tensor is missing or twice there.
    """
    present = [id(tensor) for group in optimizer.param_groups for tensor in group["params"]]
    named = model.named_parameters()
    trainable = {id(tensor): name for name, tensor in named if tensor.requires_grad}
    missing = [name for key, name in trainable.items() if key not in set(present)]
    if missing or len(present) != len(set(present)) or len(present) != len(trainable):
        raise ParityError(
            f"the optimizer holds {len(present)} tensors for {len(trainable)} trainable ones"
            + (f", {missing[0]} is missing" if missing else ""),
            abs(len(present) - len(trainable)),
            0,
        )


def _levels_below_top(levels: Sequence[nn.Module]) -> dict[int, int]:
    """Return, by the identity of a tensor, how many levels lie above its own."""
    return {
        id(parameter): len(levels) - 1 - level
        for level, module in enumerate(levels)
        for parameter in module.parameters()
    }


def _muon(groups: list[Group], momentum: float | None) -> Optimizer:
    if not hasattr(torch.optim, "Muon"):
        needs = f"muon needs PyTorch 2.9 or later, this is {torch.__version__}"
        message = f"{needs}; update it or choose adamw"
        raise RecipeError([RecipeIssue("", "training.optimizer", message)])
    return MuonWithAdamW(groups, MUON_MOMENTUM if momentum is None else momentum)


_BUILD: dict[OptimizerName, Callable[[list[Group], float | None], Optimizer]] = {
    "adamw": lambda groups, momentum: AdamW(groups, fused=True),
    "adam": lambda groups, momentum: Adam(groups, fused=True),
    "sgd": lambda groups, momentum: SGD(
        groups, momentum=SGD_MOMENTUM if momentum is None else momentum, fused=True
    ),
    "rmsprop": lambda groups, momentum: RMSprop(groups, momentum=momentum or 0.0),
    "adafactor": lambda groups, momentum: Adafactor(groups),
    "muon": _muon,
}
