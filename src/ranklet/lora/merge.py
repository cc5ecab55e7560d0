"""merge: adapters into the weights they were placed on, for prediction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ranklet.lora.linear import LoRAEmbedding, LoRALinear


@torch.no_grad()
def merge_adapters(root: nn.Module) -> int:
    """Add every adapter to its frozen weight and take the adapter out, in place.

    W + scaling * B A (Hu et al. 2021, arXiv:2106.09685, section 4.1: no latency is added). The sum
    is made in float32 and rounded once to the compute dtype.

    Args:
        root: The module to change; its own adapters are gone afterwards.

    Returns:
        The number of adapters merged.
    """
    adapted = {
        name: module
        for name, module in root.named_modules()
        if isinstance(module, (LoRALinear, LoRAEmbedding))
    }
    for name, module in adapted.items():
        weight = module.base_layer.weight
        weight.copy_(weight.float() + _update(module))
        parent, _, child = name.rpartition(".")
        setattr(root.get_submodule(parent), child, module.base_layer)
    return len(adapted)


def _update(module: LoRALinear | LoRAEmbedding) -> Tensor:
    if isinstance(module, LoRALinear):
        return module.lora_B.weight @ module.lora_A.weight * module.scaling
    return (module.lora_embedding_B @ module.lora_embedding_A).T * module.scaling
