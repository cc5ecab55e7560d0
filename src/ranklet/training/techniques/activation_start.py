"""EVA: every adapter starts at the directions in which its input is largest."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ranklet.classifier import PREDICTION_BATCH_TOKENS, ClassifierNetwork, evaluation_mode
from ranklet.data.tokens.batching import sorted_batches
from ranklet.data.tokens.corpus import TokenCorpus
from ranklet.encoder.families import unfused
from ranklet.head import module_device
from ranklet.lora.initial import main_directions
from ranklet.lora.linear import LoRALinear

# Second moments of a few thousand tokens settle the first directions (EVA, section 3: a few
# batches are enough).
START_TEXTS = 512


def start_from_activations(
    model: ClassifierNetwork, corpus: TokenCorpus, seed: int, texts: int = START_TEXTS
) -> None:
    """Fill A of every adapted linear map with its input's main directions; B stays zero.

    Paischer et al. 2024 (arXiv:2410.07170), section 3, without spreading ranks anew. One pass over
    a few texts, second moments of each map's input (in_features squared numbers for each map), one
    eigenvalue decomposition each.
    """
    adapted = {name: part for name, part in model.named_modules() if isinstance(part, LoRALinear)}
    moments: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_pre_hook(partial(_add_moments, moments, name))
        for name, module in adapted.items()
    ]
    device = module_device(model)
    rows = np.random.default_rng(seed).permutation(len(corpus))[:texts]
    try:
        with evaluation_mode(model), unfused(model.encoder):
            for indices in sorted_batches(
                corpus.lengths[rows], batch_tokens=PREDICTION_BATCH_TOKENS
            ):
                model(corpus.batch(rows[indices]).to(device))
    finally:
        for hook in hooks:
            hook.remove()
    with torch.no_grad():
        for name, module in adapted.items():
            rank = len(module.lora_A.weight)
            module.lora_A.weight.copy_(main_directions(moments[name], rank))


def _add_moments(
    moments: dict[str, Tensor], name: str, module: nn.Module, inputs: tuple[Any, ...]
) -> None:
    del module
    states = inputs[0].flatten(0, -2).float()
    added = states.T @ states
    moments[name] = moments[name] + added if name in moments else added
