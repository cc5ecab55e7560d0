"""Measured gains: exact sums, the formula where the answer is known, and a planted layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ranklet.budget.allocation import Candidate, allocate, by_gain
from ranklet.budget.gains import (
    Moments,
    fit_last_map,
    recording,
    shared_energy,
    unit_gains,
)
from ranklet.classifier import ClassifierNetwork, adaptable_shapes
from ranklet.data.tokens.corpus import TokenCorpus
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.families import build_encoder, unfused
from ranklet.encoder.layers import NativeEncoder
from ranklet.errors import DataError
from ranklet.head import LinearHead, build_head
from ranklet.labels import LabelSet
from ranklet.lora.placement import resolve_placement
from ranklet.vocabulary import Pooling
from ranklet.workflows.from_recipe.gains import draw_texts, fit_head, gains_on

CONFIG = EncoderConfig(
    model_type="bert",
    vocab_size=60,
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=48,
    max_position_embeddings=16,
    type_vocab_size=2,
    layer_norm_eps=1e-6,
    pad_token_id=0,
)


def tiny(config: EncoderConfig = CONFIG, pooling: Pooling = "mean") -> ClassifierNetwork:
    """A random classifier of two classes, float32."""
    torch.manual_seed(3)
    encoder = build_encoder(config)
    for table in (module for module in encoder.modules() if isinstance(module, nn.Embedding)):
        nn.init.normal_(table.weight)
    head = build_head("linear", config, 2, 0.0, seed=1)
    return ClassifierNetwork(encoder, head, pooling, LabelSet(("a", "b"))).requires_grad_(False)


def random_corpus(texts: int) -> TokenCorpus:
    generator = np.random.default_rng(5)
    lengths = generator.integers(4, 12, texts)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = generator.integers(0, CONFIG.vocab_size, offsets[-1]).astype(np.int32)
    return TokenCorpus(ids, offsets, generator.integers(0, 2, texts), 0)


def linear_names(model: ClassifierNetwork) -> list[str]:
    placed = resolve_placement(adaptable_shapes(model), "all-linear", 1, 1.0)
    return [placement.module for placement in placed]


def recorded_and_exact(
    model: ClassifierNetwork, name: str, recorded_name: str
) -> tuple[Moments, Tensor]:
    """Record one map on a batch, and let autograd form the gradient of a whole matrix."""
    assert isinstance(model.encoder, NativeEncoder)
    model.encoder.fused = False
    corpus = random_corpus(9)
    batch = corpus.batch(np.arange(9))

    def loss() -> Tensor:
        return nn.functional.cross_entropy(model(batch), batch.labels, reduction="sum")

    weight = model.get_submodule(name).weight
    weight.requires_grad_(True)
    loss().backward()
    exact, weight.grad = weight.grad, None
    weight.requires_grad_(False)
    with recording(model, [recorded_name]) as recorder:
        loss().backward()
    return recorder.moments[recorded_name], exact


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, model_type="distilbert")])
def test_the_recorded_gradient_is_autograds(config: EncoderConfig, pooling: Pooling) -> None:
    model = tiny(config, pooling)
    for name in linear_names(model):
        moments, exact = recorded_and_exact(model, name, name)
        assert torch.allclose(moments.gradients[0], exact, atol=1e-5 * float(exact.abs().max()))
        assert not moments.gradients[1].any()


def test_a_gradient_recorded_at_the_wrong_map_would_be_found() -> None:
    """The sabotaged twin: key in place of query, of the same shape and in the same layer."""
    model = tiny()
    query, key = linear_names(model)[:2]
    moments, exact = recorded_and_exact(model, query, key)
    assert not torch.allclose(moments.gradients[0], exact, atol=1e-2 * float(exact.abs().max()))


def test_recording_leaves_nothing_behind() -> None:
    model = tiny()
    with recording(model, linear_names(model)):
        pass
    assert not any(module._forward_hooks for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_equal_halves_give_squared_singular_values() -> None:
    for shape in ((5, 9), (9, 5)):
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1)).double()
        expected = torch.linalg.svdvals(matrix).square()
        assert torch.allclose(torch.tensor(shared_energy(matrix, matrix)).double(), expected)


def test_noise_of_the_halves_cancels() -> None:
    generator = torch.Generator().manual_seed(2)
    signal = torch.zeros(30, 40, dtype=torch.float64)
    signal[0, 0] = 20.0
    noise = torch.randn(2, 30, 40, generator=generator).double()
    both = shared_energy(signal + noise[0], signal + noise[1])
    naive = torch.linalg.svdvals(signal + noise.mean(0)).square()
    assert abs(both[0] - 400) < 60
    assert sum(both[1:]) < 0.5 * float(naive[1:].sum())


def test_gains_do_not_change_with_the_scale_of_inputs_and_outputs() -> None:
    generator = torch.Generator().manual_seed(4)
    states, gradients = (torch.randn(200, size, generator=generator) for size in (6, 8))

    def gains(states: Tensor, gradients: Tensor) -> Tensor:
        halves = tuple(gradients[half::2].T @ states[half::2] for half in (0, 1))
        moments = Moments(
            (halves[0], halves[1]), states.square().sum(0), gradients.square().sum(0), len(states)
        )
        return torch.tensor(unit_gains(moments, 50))

    gradients[:, :2] += 2 * states[:, :2]
    expected = gains(states, gradients)
    assert len(expected) == 6
    assert expected[1] > 5 * expected[2] >= 0
    assert (expected.diff() <= 0).all()
    assert torch.allclose(gains(states * 30, gradients * 0.01), expected, rtol=1e-3)


def test_a_map_without_gradients_gains_nothing() -> None:
    zeros = torch.zeros(4, 3)
    moments = Moments((zeros, zeros), torch.ones(3), torch.zeros(4), 10)
    assert unit_gains(moments, 5) == [0.0, 0.0, 0.0]


def test_the_last_map_is_fitted_and_stands_classes_without_texts() -> None:
    generator = torch.Generator().manual_seed(6)
    features = torch.randn(300, 5, generator=generator) * 3 + 1
    labels = (features[:, 0] > 1).long()
    weight, bias = fit_last_map(features, labels, 3)
    assert ((features @ weight.T + bias).argmax(1) == labels).float().mean() > 0.97
    again = fit_last_map(features, labels, 3)
    assert torch.equal(weight, again[0])
    assert torch.equal(bias, again[1])


def test_head_and_gradients_get_texts_of_their_own() -> None:
    for number in (4, 100, 5_000):
        head, gradients = draw_texts(number, 7)
        assert not set(head) & set(gradients)
        assert len(head) >= 2 <= len(gradients)
        assert np.array_equal(draw_texts(number, 7)[0], head)
    assert not np.array_equal(draw_texts(100, 7)[0], draw_texts(100, 8)[0])
    with pytest.raises(DataError, match="too few"):
        draw_texts(3, 0)


def test_features_are_what_the_last_map_reads_behind_the_activation() -> None:
    model = tiny()
    model.classifier = LinearHead(CONFIG.hidden_size, 2, 0.5, "relu").requires_grad_(False)
    corpus, chosen = random_corpus(9), np.array([7, 0, 4])
    features = model.predict_features(corpus, chosen)
    assert features.min() == 0.0
    last = model.last_module.last_map
    logits = features @ last.weight.T + last.bias
    assert torch.allclose(logits, model.predict_logits(corpus)[chosen], atol=1e-6)


def test_an_encoder_is_unfused_for_a_while_only() -> None:
    encoder = tiny().encoder
    assert encoder.fused
    with unfused(encoder):
        assert not encoder.fused
    assert encoder.fused


def close_layer(layer: nn.Module) -> None:
    """Let nothing through a layer but its residual path, and no gradient reach its maps."""
    for name in ("attention.self.value", "attention.output.dense"):
        nn.init.zeros_(layer.get_submodule(name).weight)
        nn.init.zeros_(layer.get_submodule(name).bias)
    for name in ("intermediate.dense", "output.dense"):
        nn.init.zeros_(layer.get_submodule(name).weight)
        nn.init.zeros_(layer.get_submodule(name).bias)


def allocated_by_layer(closed: set[int], budget: int) -> list[int]:
    """Measure where labels hang on all words of a text, and only its first token is read."""
    model = tiny(pooling="cls")
    for index in closed:
        close_layer(model.encoder.layers[index])
    words = random_corpus(1200)
    words.token_ids[words.offsets[:-1]] = 2  # the first token says nothing
    low = (
        np.add.reduceat((words.token_ids < 30).astype(np.int64), words.offsets[:-1]) / words.lengths
    )
    labels = (low > np.median(low)).astype(np.int64)
    cut = words.offsets[400]
    for_head = TokenCorpus(words.token_ids[:cut], words.offsets[:401], labels[:400], 0)
    scored = TokenCorpus(words.token_ids[cut:], words.offsets[400:] - cut, labels[400:], 0)
    fit_head(model, for_head)
    names = linear_names(model)
    gains = gains_on(model, scored, names)
    assert gains_on(model, scored, names) == gains
    shapes = {name: model.get_submodule(name).weight.shape for name in names}
    candidates = [
        Candidate(name, sum(shapes[name]), min(shapes[name]), int(name.split(".")[3]))
        for name in names
    ]
    ranks = allocate(candidates, by_gain(gains), budget)
    return [
        sum(ranks[each.module] for each in candidates if each.layer == layer) for layer in range(3)
    ]


@pytest.mark.parametrize("planted", [0, 1, 2])
def test_the_layer_through_which_the_labels_depend_gets_the_rank(planted: int) -> None:
    spent = allocated_by_layer({0, 1, 2} - {planted}, 4 * 48)
    assert spent[planted] > sum(spent) - spent[planted], spent


def test_without_a_planted_layer_the_rank_is_spread() -> None:
    """The sabotaged twin: nothing is closed, so that no single layer gets everything."""
    spent = allocated_by_layer(set(), 8 * 48)
    assert max(spent) < sum(spent), spent


def test_gains_never_rise_where_noise_falls_faster_than_they_do() -> None:
    product = torch.diag(torch.tensor([5.0, 4.9, -4.0], dtype=torch.float64))
    # Of 5, 4.9 and -4 the noise is 4, 0 and 0: what is left of the first unit bounds the second.
    assert shared_energy(product, torch.eye(3, dtype=torch.float64)) == pytest.approx([1, 1, 0])
