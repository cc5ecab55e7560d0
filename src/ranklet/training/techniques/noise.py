"""Noise while training: dropout in the encoder, dropout on a schedule, gradient noise."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from ranklet.encoder import bert, distilbert, modernbert
from ranklet.encoder.layers import NativeEncoder
from ranklet.head import ContextPooler, DenseHead, LinearHead
from ranklet.lora.linear import LoRALinear, module_generator
from ranklet.training.frozen_layers import lowest_trained_layer

# Parts of an encoder, and of everything, whose `dropout` is a share.
_IN_ENCODER = (bert.Output, distilbert.Layer, modernbert.Layer)
_DROPPING = (*_IN_ENCODER, LoRALinear, DenseHead, LinearHead, ContextPooler)

# Section 3 of the paper on gradient noise: how fast its variance shrinks.
GRADIENT_NOISE_DECAY = 0.55


def drop_in_encoder(encoder: NativeEncoder, share: float) -> int:
    """Let the layers of an encoder drop out what they add, from the first trained one up.

    Below, states stay a function of the texts alone and can be kept. While training, the layers
    that drop out run plainly, not as one function.

    Returns:
        The first such layer, counted from 0.
    """
    first = lowest_trained_layer(encoder)
    for part in encoder.layers[first:].modules():
        if isinstance(part, _IN_ENCODER):
            part.dropout = share
    return first


def scheduled_dropout(model: nn.Module, factor: Callable[[int], float]) -> Callable[[int], None]:
    """Return what multiplies every dropout of a model by its factor before an optimizer step."""
    highest = [(part, part.dropout) for part in model.modules() if isinstance(part, _DROPPING)]

    def set_dropout(step: int) -> None:
        for part, share in highest:
            part.dropout = share * factor(step)

    return set_dropout


def gradient_noise(
    optimizer: torch.optim.Optimizer, eta: float, seed: int
) -> Callable[[int], None]:
    """Return what adds normal noise of variance eta / (1 + t)^0.55 to all gradients.

    Neelakantan et al. 2015 (arXiv:1511.06807, section 3), with t counted from 0. Each step has a
    generator of its own, so that a training that goes on in the middle draws the same.
    """

    def add_noise(step: int) -> None:
        generator = module_generator(seed, f"gradient noise of step {step}")
        deviation = math.sqrt(eta / step**GRADIENT_NOISE_DECAY)
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    noise = torch.randn(parameter.shape, generator=generator) * deviation
                    parameter.grad += noise.to(parameter.grad.device)

    return add_noise
