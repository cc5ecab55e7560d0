"""Work repeated on the memory of a bucket against the same work on the batch as it is.

CUDA graphs themselves run on GPUs only. Here `Recorder` takes their place: it does the work again
on the same memory, hands out the same tensors every time, and spoils what others had handed out.
"""

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.attention.varlen
from tiny_models import save, transformers_encoder
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ranklet.batch import Batch
from ranklet.classifier import ClassifierNetwork, adaptable_shapes, trainable_state
from ranklet.data.tokens.batching import epoch_batches
from ranklet.data.tokens.corpus import Corpus, TokenCorpus
from ranklet.encoder import attention
from ranklet.encoder.config import read_config
from ranklet.encoder.fused import attention as fused_attention
from ranklet.encoder.layers import NativeEncoder
from ranklet.encoder.weights import load_encoder
from ranklet.errors import RecipeError
from ranklet.head import build_head
from ranklet.labels import LabelSet
from ranklet.lora.placement import place_adapters, resolve_placement
from ranklet.recipe import DataSection, EngineSection, Recipe, TrainingSection
from ranklet.training import captured_steps
from ranklet.training.captured_steps import (
    Bucket,
    CapturedGradients,
    Work,
    choose_bucket,
    fill_up,
    reason_not_to_capture,
)
from ranklet.training.fit import fit
from ranklet.training.frozen_layers import cache_states
from ranklet.training.losses import cross_entropy
from ranklet.training.optimizer_step import AddGradients, Objective, StepHooks, add_gradients
from ranklet.training.optimizers import build_optimizer
from ranklet.training.records import Record
from ranklet.training.selection import Selection
from ranklet.training.steps import training_steps
from ranklet.vocabulary import Pooling
from ranklet.workflows._train import cuda_graphs as workflow

TEXTS = 8
LONGEST = 40


class Recorder:
    """A stand-in for `cuda_graphs` on a CPU."""

    def __init__(self) -> None:
        self.outcomes: list[list[Tensor | None]] = []

    def __call__(self, work: Work) -> Work:
        outcome = [None if one is None else one.clone() for one in work()]
        self.outcomes.append(outcome)

        def repeat() -> list[Tensor | None]:
            found = work()
            for tensor in (one for other in self.outcomes for one in other if one is not None):
                tensor.fill_(float("nan"))  # graphs share one pool of memory
            for own, one in zip(outcome, found, strict=True):
                if own is not None and one is not None:
                    own.copy_(one)
            return outcome

        return repeat


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(transformers_encoder("roberta"), tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def corpus() -> TokenCorpus:
    generator = np.random.default_rng(0)
    lengths = generator.integers(3, LONGEST + 1, size=60)
    return TokenCorpus(
        token_ids=generator.integers(2, 120, size=lengths.sum()).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        labels=generator.integers(0, 3, size=60),
        truncated=0,
    )


def build(
    folder: Path,
    pooling: Pooling = "cls",
    dtype: torch.dtype = torch.float32,
    dropout: float = 0.0,
    layers: list[int] | None = None,
) -> ClassifierNetwork:
    config = read_config(folder)
    head = build_head("linear", config, 3, 0.0, seed=1)
    encoder = load_encoder(folder, config, dtype)
    model = ClassifierNetwork(encoder, head, pooling, LabelSet(("a", "b", "c")))
    shapes = adaptable_shapes(model)
    placements = resolve_placement(shapes, "all-linear", 4, 8.0, layers)
    place_adapters(model, placements, dropout, False, 5)
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2, generator=generator)
    return model.train()


def eager(model: ClassifierNetwork, scaler: torch.amp.GradScaler | None = None) -> AddGradients:
    return partial(add_gradients, model, cross_entropy(0.1), scaler)


def captured(model: ClassifierNetwork, work: AddGradients, **options: Any) -> CapturedGradients:
    trained = [one for one in model.parameters() if one.requires_grad]
    given: dict[str, Any] = {"capture": Recorder(), "captured_from": 1} | options
    return CapturedGradients(work, trained, TEXTS, LONGEST, **given)


def batches(corpus: Corpus, texts: int = TEXTS) -> list[Batch]:
    """Batches of several shapes; the last one of 60 texts is small."""
    order = np.random.default_rng(3).permutation(len(corpus))
    return [corpus.batch(order[start : start + texts]) for start in range(0, len(order), texts)]


def bucket_of(batch: Batch) -> Bucket:
    return choose_bucket(batch.num_tokens, batch.max_seqlen, LONGEST)


def outcome(model: ClassifierNetwork, add: AddGradients, given: list[Batch]) -> dict[str, Tensor]:
    """Loss and gradients of one step that accumulates some batches."""
    model.zero_grad(set_to_none=True)
    shares = [add(batch, 1 / len(given)) for batch in given]
    gradients = {
        name: tensor.grad.clone()
        for name, tensor in model.named_parameters()
        if tensor.grad is not None
    }
    return {"loss": torch.stack(shares).sum(), **gradients}


def largest_difference(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """Largest difference of any tensor, relative to its largest number (but at least 1)."""
    assert ours.keys() == theirs.keys()
    differences = [
        (ours[name] - theirs[name]).abs().max() / theirs[name].abs().max().clamp_min(1)
        for name in theirs
    ]
    return float(torch.stack(differences).max())  # NaN stays NaN


@pytest.mark.parametrize("tokens", [1, 9, 63, 64, 300, 511, 512, 4097, 12_345, 32_768])
@pytest.mark.parametrize(("max_seqlen", "longest"), [(9, 9), (40, 128), (129, 512), (512, 512)])
def test_a_bucket_holds_its_batch_and_fillers_that_are_texts(
    tokens: int, max_seqlen: int, longest: int
) -> None:
    bucket = choose_bucket(tokens, max_seqlen, longest)
    batch = Batch(torch.ones(tokens, dtype=torch.long), torch.tensor([0, tokens]).int(), max_seqlen)
    filled = fill_up(batch, bucket)
    fillers = filled.lengths[1:]
    assert (filled.num_tokens, filled.num_texts) == (bucket.tokens, 1 + bucket.fillers)
    assert filled.cu_seqlens.dtype == torch.int32
    assert int(filled.cu_seqlens[-1]) == bucket.tokens
    assert max_seqlen <= bucket.max_seqlen <= longest
    assert int(fillers.min()) >= 1
    assert int(fillers.max()) <= bucket.max_seqlen
    assert bucket.tokens - tokens <= max(64, tokens // 8) + bucket.fillers
    assert torch.equal(filled.token_ids[:tokens], batch.token_ids)


def test_there_are_few_buckets() -> None:
    """AG News in batches of 256 texts: 8,000 to 24,000 tokens, texts of up to 128."""
    buckets = {choose_bucket(tokens, 90, 128) for tokens in range(8_192, 24_000)}
    assert len(buckets) <= 13


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_every_batch_gives_the_same_loss_and_gradients(
    folder: Path, corpus: TokenCorpus, pooling: Pooling
) -> None:
    model = build(folder, pooling)
    add = captured(model, eager(model))
    *full, small = batches(corpus)
    for given in [*full, *full, small]:
        plain = outcome(model, eager(model), [given])
        assert largest_difference(outcome(model, add, [given]), plain) <= 1e-5
    assert 1 < len(add.graphs) < len(full)
    assert sum(add.seen.values()) == 2 * len(full)


def test_states_that_enter_a_higher_layer_are_filled_up_too(
    folder: Path, corpus: TokenCorpus, tmp_path: Path
) -> None:
    model = build(folder, layers=[2])
    assert isinstance(model.encoder, NativeEncoder)
    states = cache_states(model.encoder, corpus, 2, tmp_path, 2**30)
    model.train()
    add = captured(model, eager(model))
    for given in batches(states)[:4]:
        plain = outcome(model, eager(model), [given])
        assert largest_difference(outcome(model, add, [given]), plain) <= 1e-5


@pytest.mark.parametrize("scale", [None, 8.0])
def test_accumulated_batches_add_up(folder: Path, corpus: TokenCorpus, scale: float | None) -> None:
    model = build(folder)
    scaler = None if scale is None else torch.amp.GradScaler("cpu", init_scale=scale)
    work = eager(model, scaler)
    add = captured(model, work)
    every = batches(corpus)  # of several buckets, the last one too small to be captured
    for given in (every[:1], every[:3], [every[0], every[0]], every, every[::-1]):
        plain = outcome(model, work, given)
        assert largest_difference(outcome(model, add, given), plain) <= 1e-5


def _filler_in_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(batch: Batch, bucket: Any) -> Batch:
        assert batch.labels is not None
        labels = torch.nn.functional.pad(batch.labels, (0, bucket.fillers))
        return replace(fill_up(batch, bucket), labels=labels)

    monkeypatch.setattr(captured_steps, "fill_up", wrong)


def _filler_in_the_last_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(batch: Batch, bucket: Any) -> Batch:
        filled = fill_up(batch, bucket)
        filled.cu_seqlens[TEXTS] += 1
        return filled

    monkeypatch.setattr(captured_steps, "fill_up", wrong)


def _stale(forgotten: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(batch: Batch) -> list[Tensor | None]:
        names = ("token_ids", "cu_seqlens", "labels")
        return [getattr(batch, name) for name in names if name != forgotten]

    monkeypatch.setattr(captured_steps, "_tensors", wrong)


def _earlier_gradients_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    right = CapturedGradients.__call__

    def wrong(self: CapturedGradients, batch: Batch, share: float) -> Tensor:
        captured_steps._take(self.parameters)
        return right(self, batch, share)

    monkeypatch.setattr(CapturedGradients, "__call__", wrong)


def _earlier_gradients_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a graph handed out is read after the next graph has run."""
    right = captured_steps._take

    class Uncopied(torch.Tensor):
        def clone(self, **_: Any) -> Tensor:  # type: ignore[override]
            return self.as_subclass(torch.Tensor)

    def wrong(parameters: Any) -> list[Tensor | None]:
        return [None if one is None else one.as_subclass(Uncopied) for one in right(parameters)]

    monkeypatch.setattr(captured_steps, "_take", wrong)


@pytest.mark.parametrize(
    "sabotage",
    [
        _filler_in_the_loss,
        _filler_in_the_last_text,
        partial(_stale, "token_ids"),
        partial(_stale, "cu_seqlens"),
        partial(_stale, "labels"),
        _earlier_gradients_forgotten,
        _earlier_gradients_not_copied,
    ],
)
def test_sabotaged_work_is_noticed(
    folder: Path,
    corpus: TokenCorpus,
    sabotage: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build(folder)
    given = batches(corpus)[:4]
    plain = outcome(model, eager(model), given)
    sabotage(monkeypatch)
    assert (
        not largest_difference(outcome(model, captured(model, eager(model)), given), plain) < 1e-3
    )


def test_rare_shapes_and_small_batches_stay_eager(folder: Path, corpus: TokenCorpus) -> None:
    model = build(folder)
    work: list[int] = []

    def counted(batch: Batch, share: float | Tensor) -> Tensor:
        work.append(batch.num_texts)
        return eager(model)(batch, share)

    recorder = Recorder()
    add = captured(model, counted, capture=recorder, captured_from=3, most_graphs=1)
    first, *others = batches(corpus)[:-1]
    second = next(one for one in others if bucket_of(one) != bucket_of(first))
    for number in range(1, 5):
        add(first, 1.0)
        assert len(add.graphs) == (number >= 3)
    for _ in range(5):
        add(second, 1.0)
    assert len(add.graphs) == len(recorder.outcomes) == 1
    assert work[:2] == [TEXTS, TEXTS]
    assert min(work[2:5]) > TEXTS
    assert work[5:] == [TEXTS] * 5
    add(batches(corpus)[-1], 1.0)
    assert work[-1] == 60 % TEXTS


@pytest.mark.parametrize("accumulation", [1, 3])
def test_a_training_is_the_eager_one(folder: Path, corpus: TokenCorpus, accumulation: int) -> None:
    ended = [_train(build(folder), corpus, accumulation, way) for way in (False, True)]
    (plain, plain_losses), (same, losses) = ended
    assert largest_difference(same, plain) <= 1e-4
    assert np.abs(np.array(losses) - np.array(plain_losses)).max() <= 1e-4
    assert largest_difference(plain, trainable_state(build(folder))) > 1e-2


def _train(
    model: ClassifierNetwork, corpus: TokenCorpus, accumulation: int, with_capture: bool
) -> tuple[dict[str, Tensor], list[float]]:
    epochs = [
        epoch_batches(corpus.lengths, batch_size=TEXTS, batch_tokens=None, seed=2, epoch=epoch)
        for epoch in range(6)
    ]
    optimizer = build_optimizer(
        model, head=model.head_modules, learning_rate=1e-3, head_learning_rate=1e-3,
        weight_decay=0.01,
    )  # fmt: skip
    made: list[CapturedGradients] = []

    def capture(work: AddGradients) -> AddGradients:
        if with_capture:
            made.append(captured(model, work, captured_from=2))
        return made[0] if made else work

    records: list[Record] = []
    fit(
        model,
        training_steps(epochs, accumulation, None, None),
        corpus.batch,
        Objective(cross_entropy(0.0), optimizer, max_grad_norm=1.0),
        Selection(lambda: {"loss": -float(len(records))}, metric="loss"),
        StepHooks(capture=capture, record=records.append, read_every=4),
    )
    assert not with_capture or len(made[0].graphs) > 1
    return trainable_state(model), [one["loss"] for one in records if one["kind"] == "train"]


class NothingWaits(TorchDispatchMode):
    """Refuses what a GPU could only answer by letting the program wait."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is torch.ops.torch_attn._varlen_attn.default:
            with torch.utils._python_dispatch._disable_current_modes():
                return function(*args, **kwargs)
        waits = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
        name = function.overloadpacket.__name__
        known = name == "repeat_interleave" and kwargs.get("output_size") is not None
        if name == "index":
            known = all(one is None or one.dtype != torch.bool for one in args[1])
        if waits & set(function.tags) and not known:
            raise RuntimeError(f"{function} waits")
        return function(*args, **kwargs)


def _packed_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let attention to packed texts run as on a GPU, with a kernel that computes text by text."""

    class Kernel(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *given: Any) -> Tensor:
            ctx.given = given
            with torch.utils._python_dispatch._disable_current_modes():
                return _text_by_text(*given)

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Any:
            with torch.utils._python_dispatch._disable_current_modes(), torch.enable_grad():
                states = [one.detach().requires_grad_() for one in ctx.given[:3]]
                context = _text_by_text(*states, *ctx.given[3:])
                return (*torch.autograd.grad(context, states, gradients[0]), *[None] * 4)

    monkeypatch.setattr(torch.nn.attention.varlen, "varlen_attn", Kernel.apply)
    for module in (attention, fused_attention, captured_steps):
        monkeypatch.setattr(module, "has_packed_kernel", lambda *_: True)


def _text_by_text(
    query: Tensor, key: Tensor, value: Tensor, starts: Tensor, key_starts: Tensor, *_: int
) -> Tensor:
    places = zip(pairwise(starts.tolist()), pairwise(key_starts.tolist()), strict=True)
    texts = [
        torch.nn.functional.scaled_dot_product_attention(
            query[rows[0] : rows[1]].transpose(0, 1)[None],
            *(part[keys[0] : keys[1]].transpose(0, 1)[None] for part in (key, value)),
        )[0].transpose(0, 1)
        for rows, keys in places
    ]
    return torch.cat(texts)


@pytest.mark.parametrize("dropout", [0.0, 0.1], ids=["fused", "plain layers"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_nothing_in_a_captured_step_waits_for_the_gpu(
    folder: Path,
    corpus: TokenCorpus,
    pooling: Pooling,
    dropout: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build(folder, pooling, torch.bfloat16, dropout)
    given = batches(corpus)[0]
    with NothingWaits(), pytest.raises(RuntimeError, match="waits"):
        outcome(model, eager(model), [given])  # padded attention asks where the gaps are
    _packed_on_a_cpu(monkeypatch)
    add = captured(model, eager(model))
    with NothingWaits():
        outcome(model, add, [given, given])
    assert len(add.graphs) == 1


class Mark:
    """Lives as long as the node that it is put on."""


def _mark_accumulators(output: Tensor) -> list[weakref.ref[Mark]]:
    marks: list[weakref.ref[Mark]] = []
    waiting, seen = [output.grad_fn], set[Any]()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [before for before, _ in node.next_functions]
        if node.name().endswith("AccumulateGrad"):
            mark = Mark()
            node.metadata["mark"] = mark
            marks.append(weakref.ref(mark))
    return marks


@pytest.mark.parametrize("dropout", [0.0, 0.1], ids=["fused", "plain layers"])
@pytest.mark.parametrize("keeps", [False, True])
def test_no_graph_outlives_its_step(
    folder: Path, corpus: TokenCorpus, dropout: float, keeps: bool
) -> None:
    """A node that lived on would run on the stream of its eager step, which a capture refuses."""
    model = build(folder, dropout=dropout)
    marks: list[weakref.ref[Mark]] = []
    kept: list[Tensor] = []

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        value = cross_entropy(0.0)(logits, labels)
        marks.extend(_mark_accumulators(value))
        kept.extend([value] if keeps else [])
        return value

    gc.disable()
    try:
        add_gradients(model, loss, None, batches(corpus)[0], 1.0)
        assert len(marks) == sum(one.requires_grad for one in model.parameters())
        assert any(mark() is not None for mark in marks) is keeps
    finally:
        gc.enable()


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("dropout", [0.0, 1e-9], ids=["fused", "plain layers"])
def test_packed_attention_is_the_padded_one(
    folder: Path,
    corpus: TokenCorpus,
    pooling: Pooling,
    dropout: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build(folder, pooling, dropout=dropout)
    given = batches(corpus)[:1]
    padded = outcome(model, eager(model), given)
    _packed_on_a_cpu(monkeypatch)
    assert largest_difference(outcome(model, eager(model), given), padded) <= 1e-5
    monkeypatch.setattr(
        torch.nn.attention.varlen,
        "varlen_attn",
        lambda query, key, value, *rest: _text_by_text(query, key, value.flip(0), *rest),
    )
    assert largest_difference(outcome(model, eager(model), given), padded) > 1e-3


CUDA = torch.device("cuda")


def test_when_steps_are_captured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(folder)
    encoder = model.encoder
    assert isinstance(encoder, NativeEncoder)

    def reason(batch_size: int | None = 8) -> str:
        return reason_not_to_capture(encoder, CUDA, torch.bfloat16, batch_size) or "captured"

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    assert "half precision" in reason()  # heads of 12 are no multiple of 8
    monkeypatch.setattr(captured_steps, "has_packed_kernel", lambda *_: True)
    assert reason() == "captured"
    assert "training.batch_tokens" in reason(None)
    encoder.activation_checkpointing = True
    assert "activation_checkpointing" in reason()
    encoder.fused = False
    assert "fused" in reason()


@pytest.mark.parametrize(
    ("device", "dtype", "head_dim", "capability", "expected"),
    [
        ("cuda", torch.bfloat16, 64, (9, 0), True),
        ("cuda", torch.float16, 32, (8, 0), True),
        ("cuda", torch.float16, 64, (7, 5), False),
        ("cuda", torch.float32, 64, (9, 0), False),
        ("cuda", torch.bfloat16, 12, (9, 0), False),
        ("cpu", torch.bfloat16, 64, (9, 0), False),
    ],
)
def test_where_packed_attention_has_a_kernel(
    device: str,
    dtype: torch.dtype,
    head_dim: int,
    capability: tuple[int, int],
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert attention.has_packed_kernel(torch.device(device), dtype, head_dim) is expected


class _FakeCuda:
    """Writes down what `cuda_graphs` asks of `torch.cuda`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, breaks: bool = False) -> None:
        self.calls: list[str] = []
        self.breaks = breaks
        stream = SimpleNamespace(wait_stream=lambda other: self.calls.append("wait"))
        fakes = {
            "graph_pool_handle": lambda: "pool",
            "Stream": lambda device: stream,
            "current_stream": lambda device: stream,
            "stream": lambda chosen: self._around("side stream"),
            "CUDAGraph": lambda: SimpleNamespace(replay=lambda: self.calls.append("replay")),
            "graph": self._graph,
        }
        signature = inspect.signature(torch.cuda.graph)
        signature.bind("graph", pool="pool", stream=stream)
        for name, fake in fakes.items():
            monkeypatch.setattr(torch.cuda, name, fake)

    @contextmanager
    def _around(self, what: str) -> Iterator[None]:
        self.calls.append(what)
        yield
        self.calls.append(f"end of {what}")

    @contextmanager
    def _graph(self, graph: Any, pool: str, stream: Any) -> Iterator[None]:
        assert pool == "pool"
        if self.breaks:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        with self._around("capture"):
            yield


def test_a_graph_is_warmed_up_captured_once_and_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = _FakeCuda(monkeypatch)
    given: list[Tensor | None] = [torch.ones(1), None]

    def work() -> list[Tensor | None]:
        cuda.calls.append("work")
        return given

    repeat = captured_steps.cuda_graphs(CUDA)(work)
    warm_up = ["wait", "side stream", "work", "work", "work", "end of side stream", "wait"]
    assert cuda.calls == [*warm_up, "capture", "work", "end of capture"]
    assert [repeat() is given, repeat() is given] == [True, True]
    assert cuda.calls[-2:] == ["replay", "replay"]


def test_a_capture_that_fails_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    _FakeCuda(monkeypatch, breaks=True)
    with pytest.raises(
        RecipeError, match=r"^engine.capture_steps: .* capturing\); set it to never$"
    ):
        captured_steps.cuda_graphs(CUDA)(lambda: [None])


def test_the_choice_is_announced_once(
    folder: Path, corpus: TokenCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, heard = build(folder), list[str]()

    def choose(engine: EngineSection, batch_size: int | None = TEXTS) -> AddGradients:
        heard.clear()
        work = eager(model)
        training = TrainingSection(batch_size=TEXTS)
        if batch_size is None:
            training = TrainingSection(batch_tokens=512)
        recipe = Recipe(data=DataSection(train="a.csv"), training=training, engine=engine)
        chosen = workflow.capture_steps(model, corpus, recipe, heard.append)(work)
        return chosen if chosen is not work else _unchanged

    assert choose(EngineSection()) is _unchanged
    assert heard == []
    monkeypatch.setattr(workflow, "module_device", lambda model: CUDA)
    monkeypatch.setattr(workflow, "cuda_graphs", lambda device: Recorder())
    assert choose(EngineSection()) is _unchanged  # a model in float32
    assert heard[0].startswith("steps: every operation is launched by itself, because attention")
    monkeypatch.setattr(captured_steps, "has_packed_kernel", lambda *_: True)
    assert choose(EngineSection(), None) is _unchanged
    chosen = choose(EngineSection())
    assert isinstance(chosen, CapturedGradients)
    assert heard == ["steps: captured as CUDA graphs, at most 16 shapes"]
    assert chosen.longest == LONGEST
    assert choose(EngineSection(capture_steps="never")) is _unchanged
    assert heard == []


def _unchanged(batch: Batch, share: float | Tensor) -> Tensor:
    raise AssertionError


def test_windows_weigh_in_a_graph_as_they_do_outside(folder: Path, corpus: TokenCorpus) -> None:
    starts = np.array([0, 3, 4, *range(10, 61, 5)])
    split = replace(corpus, text_starts=starts)
    model = build(folder)
    given = [batch for batch in batches(split) if batch.num_texts == TEXTS]
    expected = outcome(model, eager(model), given)
    repeated = captured(model, eager(model))
    assert largest_difference(outcome(model, repeated, given), expected) < 1e-5
    assert repeated.graphs
    unweighed = [replace(batch, weights=None) for batch in given]
    assert largest_difference(outcome(model, eager(model), unweighed), expected) > 1e-3
