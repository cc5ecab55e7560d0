"""Networks of transformers, left and entered between two layers: the same states and gradients."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_encoder import LENGTHS, TOLERANCE, pack, random_texts, transformers_states
from test_frozen_layers import GIB, build, cached, largest_difference, trained
from test_peft import trained_like
from tiny_models import save, transformers_encoder
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.batching import epoch_batches
from ranklet.data.tokens.corpus import Corpus, TokenCorpus
from ranklet.encoder.config import read_config
from ranklet.encoder.packing import PaddedLayout
from ranklet.encoder.transformers_encoder import TransformersEncoder
from ranklet.encoder.weights import load_encoder
from ranklet.recipe import EngineSection
from ranklet.training import frozen_layers
from ranklet.training.frozen_layers import cache_states, lowest_trained_layer, states_suffice
from ranklet.training.steps import training_steps
from ranklet.workflows._train.frozen_layers import skip_frozen_layers

pytestmark = pytest.mark.filterwarnings("ignore")

VOCABULARY = 120
# Positions of each kind: relative ones added by every layer, the same with a convolution after the
# first layer, a bias worked out once, rotary ones, a window that everything is padded to.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "deberta-v3": ("deberta-v2", {}),
    "deberta-v2": ("deberta-v2", {"conv_kernel_size": 3, "position_biased_input": True}),
    "mpnet": ("mpnet", {}),
    "roformer": ("roformer", {}),
    "longformer": ("longformer", {}),
}
TRAINED = ("deberta-v3", "deberta-v2", "mpnet", "roformer")

folders = pytest.mark.parametrize("folder", FAMILIES, indirect=True)
trained_folders = pytest.mark.parametrize("folder", TRAINED, indirect=True)


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    family, changes = FAMILIES[request.param]
    model = transformers_encoder(family, **changes)
    return save(model, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def corpus() -> TokenCorpus:
    generator = np.random.default_rng(0)
    lengths = generator.integers(3, 20, size=32)
    return TokenCorpus(
        token_ids=generator.integers(4, VOCABULARY, size=lengths.sum()).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        labels=generator.integers(0, 3, size=32),
        truncated=0,
    )


@pytest.fixture
def batch() -> Batch:
    return pack(random_texts(LENGTHS, VOCABULARY))


def load(folder: Path) -> TransformersEncoder:
    encoder = load_encoder(folder, read_config(folder), torch.float32)
    assert isinstance(encoder, TransformersEncoder)
    return encoder


def above(encoder: Any, batch: Batch, layer: int) -> Batch:
    """The same texts, to be entered at a layer."""
    with torch.no_grad():
        states = encoder.states_entering(layer, batch)
    return replace(batch, hidden_states=states, first_layer=layer)


def their_states_entering(folder: Path, batch: Batch, layer: int) -> Tensor:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    layout = PaddedLayout(batch.cu_seqlens, batch.max_seqlen)
    pad = model.config.pad_token_id
    with torch.inference_mode():
        answer = model(
            input_ids=layout.pad(batch.token_ids - pad) + pad,
            attention_mask=layout.pad(torch.ones_like(batch.token_ids)),
            output_hidden_states=True,
        )
    return layout.unpad(answer.hidden_states[layer])


@folders
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_states_entering_a_layer_equal_transformers(folder: Path, batch: Batch, layer: int) -> None:
    encoder = load(folder)
    with torch.inference_mode():
        ours = encoder.states_entering(layer, batch)
        assert (ours - their_states_entering(folder, batch, layer)).abs().max() <= TOLERANCE
        assert (encoder.states_entering((layer + 1) % 3, batch) - ours).abs().max() > 0.1
        if layer == 2:
            # From kept states on, and up to where they are.
            assert encoder.states_entering(2, above(encoder, batch, 1)).equal(ours)
            assert encoder.states_entering(2, above(encoder, batch, 2)).equal(ours)


@folders
@pytest.mark.parametrize("first_only", [False, True])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_entered_at_a_layer_the_answer_is_the_same(
    folder: Path, batch: Batch, layer: int, first_only: bool
) -> None:
    encoder = load(folder)
    with torch.inference_mode():
        whole = encoder(batch, first_only)
        assert (encoder(above(encoder, batch, layer), first_only) - whole).abs().max() <= TOLERANCE


@folders
def test_so_it_is_with_plain_attention_and_in_bfloat16(folder: Path, batch: Batch) -> None:
    config = read_config(folder)
    plain = load_encoder(folder, config, torch.float32, attention="reference")
    short = load_encoder(folder, config, torch.bfloat16)
    with torch.inference_mode():
        for encoder, tolerance in ((plain, TOLERANCE), (short, 0.05)):
            entering = above(encoder, batch, 2)
            assert (encoder(entering) - encoder(batch)).abs().max() <= tolerance
        assert entering.hidden_states is not None
        assert entering.hidden_states.dtype == torch.bfloat16


def test_networks_that_call_their_layers_otherwise(batch: Batch, tmp_path: Path) -> None:
    for family in (
        "bert",
        "modernbert",
    ):  # a tensor comes back; the network's own child is `layers`
        network = transformers_encoder(family)
        config = read_config(save(network, tmp_path / family))
        encoder = TransformersEncoder(network, config).eval()
        with torch.inference_mode():
            entered = encoder(above(encoder, batch, 2))
            assert (entered - encoder(batch)).abs().max() <= TOLERANCE


@trained_folders
def test_what_stands_in_padding_reaches_no_token(
    folder: Path, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load(folder)
    pad = PaddedLayout.pad

    def pad_with_noise(layout: PaddedLayout, packed: Tensor) -> Tensor:
        padded = pad(layout, packed)
        empty = pad(layout, torch.ones(len(packed))) == 0
        noise = 9 * torch.randn(padded.shape) if padded.is_floating_point() else 0
        return torch.where(empty.view(*empty.shape, *[1] * (padded.ndim - 2)), noise, padded)

    with torch.inference_mode():
        whole, entering = encoder(batch), above(encoder, batch, 1)
        monkeypatch.setattr(PaddedLayout, "pad", pad_with_noise)
        assert (encoder(entering) - whole).abs().max() <= TOLERANCE


def gradients(model: ClassifierNetwork, batch: Batch) -> dict[str, Tensor]:
    model.zero_grad()
    model.train()(batch).square().mean().backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is not None
    }


def adapted(folder: Path) -> ClassifierNetwork:
    model = build(folder, [1, 2], head="linear")
    trained_like(model)
    return model


@trained_folders
def test_gradients_of_every_trained_tensor_are_the_same(folder: Path, batch: Batch) -> None:
    model = adapted(folder)
    whole = gradients(model, batch)
    assert whole.keys() == {n for n, p in model.named_parameters() if p.requires_grad}
    entered = gradients(model, above(model.encoder, batch, 1))
    assert whole.keys() == entered.keys()
    assert largest_difference(entered, whole) <= 1e-5


def _swapped(batch: Batch) -> Batch:
    assert batch.hidden_states is not None
    return replace(batch, hidden_states=batch.hidden_states.flip(0))


def _too_low(batch: Batch) -> Batch:
    return replace(batch, first_layer=batch.first_layer - 1)


@trained_folders
@pytest.mark.parametrize("sabotage", [_swapped, _too_low])
def test_wrong_states_are_noticed(
    folder: Path, batch: Batch, sabotage: Callable[[Batch], Batch]
) -> None:
    model = adapted(folder)
    wrong = sabotage(above(model.encoder, batch, 1))
    assert largest_difference(gradients(model, wrong), gradients(model, batch)) > 1e-2
    assert (model.encoder(wrong) - model.encoder(batch)).abs().max() > 0.1


@trained_folders
def test_training_above_the_frozen_layers_gives_the_same_tensors(
    folder: Path, corpus: TokenCorpus, tmp_path: Path
) -> None:
    plain = trained(build(folder, [1, 2], head="linear"), corpus, 20)
    model = build(folder, [1, 2], head="linear")
    states = cached(model, corpus, tmp_path)
    assert states.first_layer == 1
    assert largest_difference(trained(model, states, 20), plain) <= 1e-4
    shuffled = replace(states, states=states.states.flip(0))
    other = trained(build(folder, [1, 2], head="linear"), shuffled, 20)
    assert largest_difference(other, plain) > 1e-2


@trained_folders
def test_a_second_run_computes_nothing(
    folder: Path, corpus: TokenCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cached(build(folder, [1], head="linear"), corpus, tmp_path)

    def refuse(*_: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(frozen_layers, "_fill", refuse)
    again = cached(build(folder, [1, 2], head="linear"), corpus, tmp_path)
    assert first.states.equal(again.states)


@folders
def test_every_parameter_is_a_layer_s_or_below(folder: Path) -> None:
    encoder = load(folder)
    parts = [*encoder.entrance, *encoder.layers]
    found = [id(parameter) for part in parts for parameter in part.parameters()]
    assert sorted(found) == sorted(id(parameter) for parameter in encoder.parameters())


@pytest.mark.parametrize("folder", ["deberta-v3", "mpnet"], indirect=True)
def test_relative_positions_enter_below_every_layer(
    folder: Path, corpus: TokenCorpus, tmp_path: Path
) -> None:
    encoder = load(folder)
    cache_states(encoder, corpus, 1, tmp_path, GIB)
    (table,) = (
        module
        for name, module in encoder.named_modules()
        if name.endswith(("rel_embeddings", "relative_attention_bias"))
    )
    assert isinstance(table, nn.Embedding)
    with torch.no_grad():
        table.weight.add_(1e-3)
    cache_states(encoder, corpus, 1, tmp_path, GIB)
    assert len(list(tmp_path.iterdir())) == 2
    assert lowest_trained_layer(encoder) == 2
    table.weight.requires_grad_(True)
    assert lowest_trained_layer(encoder) == 0


@trained_folders
def test_a_call_leaves_nothing_behind(folder: Path, batch: Batch) -> None:
    encoder = load(folder)
    before = list(encoder.modules())
    with torch.inference_mode():
        whole, entering = encoder(batch), above(encoder, batch, 2)

        def fail(*_: Any) -> None:
            raise RuntimeError("in the last layer")

        hook = encoder.layers[2].register_forward_pre_hook(fail)
        with pytest.raises(RuntimeError, match="in the last layer"):
            encoder(entering)
        hook.remove()
        assert list(encoder.modules()) == before
        assert encoder(batch).equal(whole)


@pytest.mark.parametrize("folder", ["deberta-v3"], indirect=True)
def test_threads_do_not_meet(folder: Path, batch: Batch) -> None:
    encoder = load(folder)
    entering = above(encoder, batch, 1)
    whole = encoder(batch).detach()

    def call(number: int) -> Tensor:
        with torch.inference_mode():
            if number % 3 == 0:
                return encoder(
                    replace(batch, hidden_states=encoder.states_entering(2, batch), first_layer=2)
                )
            return encoder(entering if number % 3 == 1 else batch)

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(call, range(24)))
    assert max(float((answer - whole).abs().max()) for answer in answers) <= TOLERANCE


@pytest.mark.parametrize("name", ["deberta-v3", "mpnet", "longformer"])
def test_long_texts_up_to_the_encoder_s_maximum(name: str, tmp_path: Path) -> None:
    family, changes = FAMILIES[name]
    model = transformers_encoder(family, **changes, max_position_embeddings=1026)
    encoder = load(save(model, tmp_path / "encoder"))
    longest = encoder.config.max_length
    # MPNet's and Longformer's positions begin behind that of padding, 1.
    assert longest == (1026 if name == "deberta-v3" else 1024)
    texts = random_texts((longest, 7, longest - 1), VOCABULARY)
    with torch.inference_mode():
        states = encoder(pack(texts))
        theirs = transformers_states(model, texts, model.config.pad_token_id)
        assert (states - theirs).abs().max() <= TOLERANCE
        assert (encoder(above(encoder, pack(texts), 2)) - states).abs().max() <= TOLERANCE
        # What stands at the far end is seen.
        assert (encoder(pack([texts[0][:-1]])) - states[: longest - 1]).abs().max() > 10 * TOLERANCE
    if name != "deberta-v3":
        with pytest.raises(IndexError):
            encoder(pack(random_texts([longest + 8], VOCABULARY)))


def skipped(encoder: Any, corpus: TokenCorpus) -> tuple[Corpus, list[str]]:
    epochs = [
        epoch_batches(corpus.lengths, batch_size=8, batch_tokens=None, seed=0, epoch=epoch)
        for epoch in range(2)
    ]
    lines: list[str] = []
    steps = training_steps(epochs, 1, None, None)
    train, _ = skip_frozen_layers(encoder, corpus, corpus, steps, EngineSection(), lines.append)
    return train, lines


def test_networks_that_cannot_be_entered_run_whole(corpus: TokenCorpus, tmp_path: Path) -> None:
    whole = skipped(load(save(transformers_encoder("albert"), tmp_path / "albert")), corpus)
    assert whole == (
        corpus,
        ["frozen layers: all run at every step, because albert keeps no list of layers"],
    )
    fnet = load(save(transformers_encoder("fnet"), tmp_path / "fnet"))
    assert not states_suffice(fnet, corpus, 2)
    assert skipped(fnet, corpus) == (
        corpus,
        [
            "frozen layers: the lowest 2 run at every step, because this encoder answers "
            "differently without them"
        ],
    )
    mpnet = load(save(transformers_encoder("mpnet"), tmp_path / "mpnet"))
    train, lines = skipped(mpnet, corpus)
    assert isinstance(train, frozen_layers.StateCorpus)
    assert "the lowest 2 run once" in lines[0]
