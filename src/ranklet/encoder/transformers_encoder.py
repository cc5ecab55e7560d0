"""Any other encoder, computed by `transformers` (extra `hf`) behind the same call.

Slower than the native ones: texts are padded to the longest of the batch in every layer, and with
`first_only` the last layer computes all tokens. Embeddings are computed even where states enter
above them. Module names are transformers' own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.encoder.bert import LayerNorm, Linear
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.packing import PaddedLayout
from ranklet.encoder.transformers_config import model_class, quiet, transformers_config
from ranklet.encoder.transformers_layers import (
    EndOfCall,
    beginning,
    layer_list_name,
    leaving,
    outside_layers,
    passing,
    showing,
    with_layers,
)
from ranklet.encoder.weight_files import WRAPPERS
from ranklet.errors import WeightsError, convert_command
from ranklet.vocabulary import AttentionBackend


class TransformersEncoder(nn.Module):
    """A network of transformers, its pooler taken away, called as native encoders are."""

    def __init__(self, network: Any, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        # One table of children for both, so that names are the network's and an adapter put in the
        # place of a child is what the network calls.
        self._modules = network._modules
        self._parameters = network._parameters
        self._buffers = network._buffers
        self.pooler = None
        self._network = (network,)  # in a tuple, or it would be a child itself
        self.layer_list_name = layer_list_name(network, config.num_hidden_layers)
        self.fused = False  # no layer is one that `fused_layer` knows

    @property
    def layers(self) -> nn.ModuleList:
        """The layers, first to last; none where the network has no list of them."""
        if self.layer_list_name is None:
            return nn.ModuleList()
        # Not through `self`, whose child may be called `layers` too.
        layers = self._network[0].get_submodule(self.layer_list_name)
        assert isinstance(layers, nn.ModuleList)
        return layers

    @property
    def entrance(self) -> list[nn.Module]:
        """All that is not a layer: relative positions, for one, enter every layer from beside."""
        return outside_layers(self._network[0], self.layer_list_name)

    def states_entering(self, layer: int, batch: Batch) -> Tensor:
        """Return the states, (tokens, hidden), that enter a layer, as `NativeEncoder` does."""
        layers = list(self.layers)
        layers[layer] = leaving(layers[layer])
        layout = PaddedLayout(batch.cu_seqlens, batch.max_seqlen)
        try:
            self._call(batch, layout, layers)
        except EndOfCall as left:
            hidden: Tensor = left.args[0]
        return layout.unpad(hidden[:, : batch.max_seqlen])

    def forward(self, batch: Batch, first_only: bool = False) -> Tensor:
        """Return the last states, (tokens, hidden) or (texts, hidden), as `NativeEncoder` does."""
        layout = PaddedLayout(batch.cu_seqlens, batch.max_seqlen)
        hidden: Tensor = self._call(batch, layout, list(self.layers)).last_hidden_state
        return hidden[:, 0] if first_only else layout.unpad(hidden)

    def _call(self, batch: Batch, layout: PaddedLayout, layers: list[nn.Module]) -> Any:
        """Run the network with `layers` in the place of its own, and from the states on."""
        if batch.hidden_states is not None:
            first, answer = batch.first_layer, self._answer_of_a_layer
            layers[first] = beginning(layers[first], layout.pad(batch.hidden_states))
            layers[:first] = [passing(layer, answer) for layer in layers[:first]]
        pad = self.config.pad_token_id
        token_ids = layout.pad(batch.token_ids - pad) + pad  # (texts, max_seqlen)
        is_token = layout.pad(torch.ones_like(batch.token_ids))
        types = batch.token_types if self.config.type_vocab_size > 1 else None
        told_apart = {} if types is None else {"token_type_ids": layout.pad(types)}
        return self._with(layers)(input_ids=token_ids, attention_mask=is_token, **told_apart)

    @cached_property
    def _answer_of_a_layer(self) -> Any:
        """What the first layer returns for one token; every layer of a network returns alike."""
        first, *others = self.layers
        token = torch.ones(1, 1, dtype=torch.long, device=next(self.parameters()).device)
        try:
            with torch.no_grad():
                self._with([showing(first), *others])(input_ids=token, attention_mask=token)
        except EndOfCall as left:
            return left.args[0]

    def _with(self, layers: Sequence[nn.Module]) -> Any:
        """Return the network with other layers, or itself where they are its own."""
        name, network = self.layer_list_name, self._network[0]
        if name is None or list(layers) == list(self.layers):
            return network
        return with_layers(network, name, layers)


def build_transformers_encoder(config: EncoderConfig) -> TransformersEncoder:
    """Build an encoder with initial values, or none on the meta device."""
    own = _own_config(config)
    return TransformersEncoder(model_class(own)(own), config)


def load_transformers_encoder(
    folder: Path, config: EncoderConfig, dtype: torch.dtype, attention: AttentionBackend
) -> TransformersEncoder:
    """Build an encoder and let transformers fill it from safetensors files.

    With attention `reference` it is transformers' eager one.

    Raises:
        WeightsError: A file is broken, a parameter is not filled, a tensor of the encoder is
            unknown or has another shape or is not finite.
    """
    own = _own_config(config)
    try:
        with quiet():
            network, loading_info = model_class(own).from_pretrained(
                folder,
                config=own,
                dtype=dtype,
                attn_implementation="eager" if attention == "reference" else None,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f"{folder}: transformers cannot load it ({reason})") from error
    _check_names(loading_info, folder, network.base_model_prefix)
    _check_finite(network, folder)
    _own_layers(network)
    return TransformersEncoder(network, config).requires_grad_(False).eval()


def _own_config(config: EncoderConfig) -> Any:
    assert config.transformers is not None
    return transformers_config(json.loads(config.transformers.config_json), "", Path("config.json"))


def _check_names(loading_info: dict[str, Iterable[str]], folder: Path, prefix: str) -> None:
    missing = sorted(name for name in loading_info["missing_keys"] if not _in_pooler(name, prefix))
    # What lies outside the encoder are heads; a name inside it that has no place is another model.
    unexpected = sorted(
        name
        for name in loading_info["unexpected_keys"]
        if name.startswith(f"{prefix}.") and not _in_pooler(name, prefix)
    )
    for names, what in ((missing, "are missing"), (unexpected, "have no place in the encoder")):
        if names:
            wrapped = next((n for n in loading_info["unexpected_keys"] if WRAPPERS.match(n)), None)
            why = (
                "the file is incomplete or of another encoder"
                if wrapped is None
                else f"the file names them as in {wrapped}, which torch.compile or DataParallel "
                f"does; convert it: {convert_command(folder)}"
            )
            message = f"{folder}: {len(names)} tensors {what}, such as {names[0]}; {why}"
            raise WeightsError(message, missing, unexpected)


def _in_pooler(name: str, prefix: str) -> bool:
    return name.removeprefix(f"{prefix}.").startswith("pooler.")


def _check_finite(network: nn.Module, folder: Path) -> None:
    for name, tensor in network.named_parameters():
        if not _in_pooler(name, "") and not bool(tensor.isfinite().all()):
            raise WeightsError(f"{folder}: {name} is not all finite floating-point numbers")


def _own_layers(network: nn.Module) -> None:
    """Put the native linear maps and norms in place, whose biases may train in float32."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            native = _native(child)
            if native is not None:
                for own, parameter in child.named_parameters():
                    native.register_parameter(own, parameter)
                parent.register_module(name, native)


def _native(child: nn.Module) -> nn.Module | None:
    if getattr(child, "bias", None) is None:
        return None
    with torch.device("meta"):
        if type(child) is nn.Linear:
            return Linear(child.in_features, child.out_features)
        if type(child) is nn.LayerNorm:
            return LayerNorm(child.normalized_shape, child.eps)
    return None
