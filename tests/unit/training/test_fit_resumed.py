"""A training that goes on from any of its checkpoints ends with the same bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor

from ranklet.batch import Batch
from ranklet.classifier import ClassifierNetwork, adaptable_shapes, trainable_state
from ranklet.data.perturbations import TextNoise
from ranklet.data.tokens.batching import epoch_batches
from ranklet.data.tokens.corpus import TokenCorpus, build_corpus
from ranklet.data.tokens.long_texts import LongTexts
from ranklet.data.tokens.noisy_corpus import NoisyCorpus
from ranklet.data.tokens.sampling import draw_texts
from ranklet.data.tokens.token_dropout import drop_tokens
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.families import build_encoder
from ranklet.evaluation.one_label import one_label_metrics
from ranklet.head import build_head
from ranklet.labels import LabelSet
from ranklet.lora.placement import place_adapters, resolve_placement
from ranklet.training.captured_steps import CapturedGradients
from ranklet.training.checkpoints import Checkpoint, newest_checkpoint, write_checkpoint
from ranklet.training.continuation import Continuation
from ranklet.training.fit import FitResult, fit
from ranklet.training.losses import cross_entropy
from ranklet.training.optimizer_step import AddGradients, Objective, StepHooks
from ranklet.training.optimizers import build_optimizer
from ranklet.training.records import Record
from ranklet.training.schedules import learning_rate_factor
from ranklet.training.selection import Selection
from ranklet.training.state import OwnGenerator
from ranklet.training.steps import training_steps
from ranklet.training.techniques.averaging import MovingAverage
from ranklet.training.techniques.noise import gradient_noise
from ranklet.vocabulary import OptimizerName, Sampling

pytestmark = pytest.mark.slow

CONFIG = EncoderConfig("roberta", 30, 8, 2, 2, 16, 20, 1, 1e-5, 1)
CLASSES = 3
TEXTS = 16


def classifier(dropout: float) -> ClassifierNetwork:
    torch.manual_seed(2)
    encoder = build_encoder(CONFIG).requires_grad_(False)
    for table in (m for m in encoder.modules() if isinstance(m, torch.nn.Embedding)):
        torch.nn.init.normal_(table.weight)
    head = build_head("dense", CONFIG, CLASSES, dropout, seed=0)
    model = ClassifierNetwork(encoder, head, "cls", LabelSet(("a", "b", "c")))
    placements = resolve_placement(adaptable_shapes(model), "all-linear", 2, 4.0, None)
    place_adapters(model, placements, dropout, False, 5)
    return model


def corpus() -> TokenCorpus:
    generator = np.random.default_rng(0)
    lengths = generator.integers(3, 12, size=TEXTS)
    return TokenCorpus(
        token_ids=generator.integers(3, 30, size=lengths.sum()).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        labels=generator.integers(0, CLASSES, size=TEXTS),
        truncated=0,
    )


def word_tokenizer() -> Tokenizer:
    names = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *(f"w{number}" for number in range(26))]
    words = models.WordLevel({n: i for i, n in enumerate(names)}, unk_token="[UNK]")
    tokenizer = Tokenizer(words)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return tokenizer


def noisy_corpus(plain: TokenCorpus) -> NoisyCorpus:
    """Texts of as many words as those of `corpus` have tokens, which change at every step."""
    generator = np.random.default_rng(6)
    drawn = [generator.integers(0, 26, size=length) for length in plain.lengths]
    texts = [" ".join(f"w{number}" for number in numbers) for numbers in drawn]
    noise = TextNoise(word_swap=0.3, case_noise=0.2)
    corpus = build_corpus(word_tokenizer(), texts, plain.labels, 16, None)
    return NoisyCorpus(corpus, texts, noise, word_tokenizer(), 16, LongTexts(), 1)


class CountingCorpus:
    """Noise by the number of batches so far, as it would be drawn from a generator not saved."""

    def __init__(self, noisy: NoisyCorpus) -> None:
        self.noisy, self.batches = noisy, 0

    def begin_step(self, step: int) -> None:
        pass

    def batch(self, indices: np.ndarray) -> Batch:
        self.batches += 1
        self.noisy.begin_step(self.batches)
        return self.noisy.batch(indices)


def fresh_scaler() -> torch.amp.GradScaler:
    """Starts where a loss of 2 overflows, and grows there again after two steps."""
    return torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=2)


class Training:
    """One training, begun anew as a fresh process would begin it."""

    def __init__(
        self,
        dropout: float = 0.2,
        token_dropout: float = 0.2,
        accumulation: int = 2,
        patience: int | None = None,
        scaled: bool = False,
        captured: bool = False,
        read_every: int = 1,
        ema_decay: float | None = None,
        soup: int = 1,
        noise: float | None = None,
        optimizer: OptimizerName = "adamw",
        sampling: Sampling = "shuffled",
        curriculum: bool = False,
        noisy: bool = False,
    ) -> None:
        self.model = classifier(dropout)
        self.texts = corpus()
        self.noisy: NoisyCorpus | CountingCorpus | None = None
        if noisy:
            noisy_texts = noisy_corpus(self.texts)
            self.texts, self.noisy = noisy_texts.tokens, noisy_texts
        self.token_dropout = token_dropout
        self.generator = torch.Generator().manual_seed(3)
        self.patience = patience
        self.read_every = read_every
        self.captured = captured
        self.average = None if ema_decay is None else MovingAverage(self.model, ema_decay)
        self.soup = soup
        self.noise = noise
        self.optimizer = optimizer
        self.scaler = fresh_scaler() if scaled else None
        assert self.texts.labels is not None
        drawn = [draw_texts(self.texts.labels, sampling, 1, epoch) for epoch in range(2)]
        epochs = [
            [
                rows[batch]
                for batch in epoch_batches(
                    self.texts.lengths[rows],
                    batch_size=4,
                    batch_tokens=None,
                    seed=1,
                    epoch=epoch,
                    ascending=curriculum and epoch == 0,
                )
            ]
            for epoch, rows in enumerate(drawn)
        ]
        self.steps = training_steps(epochs, accumulation, None, 2)
        self.records: list[Record] = []
        self.checkpoints: list[Checkpoint] = []

    def load_batch(self, indices: np.ndarray) -> Batch:
        batch = (self.noisy or self.texts).batch(indices)
        return drop_tokens(batch, self.token_dropout, self.generator)

    def capture(self, eager: AddGradients) -> AddGradients:
        if not self.captured:
            return eager
        trained = [tensor for tensor in self.model.parameters() if tensor.requires_grad]
        return CapturedGradients(
            eager, trained, 4, 12, capture=lambda work: work, captured_from=3, most_graphs=2
        )

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(0.1)(logits, labels) * (8.0 if self.scaler else 1.0)

    def validate(self) -> dict[str, float]:
        assert self.texts.labels is not None
        probabilities = self.model.predict_logits(self.texts).softmax(-1).numpy()
        return one_label_metrics(probabilities, self.texts.labels)

    def run(self, resume: Checkpoint | None = None) -> FitResult:
        optimizer = build_optimizer(
            self.model,
            head=self.model.head_modules,
            learning_rate=3e-2,
            head_learning_rate=1e-2,
            weight_decay=0.01,
            name=self.optimizer,
        )
        noise = gradient_noise(optimizer, self.noise, 4) if self.noise else lambda step: None
        return fit(
            self.model,
            self.steps,
            self.load_batch,
            Objective(
                self.loss,
                optimizer,
                partial(learning_rate_factor, schedule="cosine", warmup_steps=2, total_steps=9),
                max_grad_norm=1.0,
                scaler=self.scaler,
            ),
            Selection(self.validate, "accuracy", self.patience, self.soup, self.average),
            StepHooks(
                capture=self.capture,
                before_step=self.noisy.begin_step if self.noisy else lambda step: None,
                change_gradients=noise,
                record=self.records.append,
                read_every=self.read_every,
            ),
            Continuation(
                resume,
                due=lambda step: True,
                keep=lambda checkpoint: self.checkpoints.append(checkpoint.copied()),
                others={"token_dropout": OwnGenerator(self.generator)},
            ),
        )


def without_time(records: list[Record]) -> list[str]:
    """As texts, in which a gradient that is not a number equals another one."""
    return [str({k: v for k, v in record.items() if k != "texts_per_s"}) for record in records]


def before(records: list[Record], step: int) -> list[Record]:
    """What had been recorded when the checkpoint of a step was taken."""
    return [r for r in records if r["step"] < step or (r["step"] == step and r["kind"] == "train")]


def equal(first: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return first.keys() == other.keys() and all(first[name].equal(other[name]) for name in first)


OPTIONS: dict[str, dict[str, Any]] = {
    "one batch a step": {"accumulation": 1},
    "accumulation": {"accumulation": 2},
    "no randomness": {"accumulation": 1, "dropout": 0.0, "token_dropout": 0.0},
    "patience": {"accumulation": 1, "patience": 2},
    "scaler": {"accumulation": 1, "scaled": True},
    "captured": {"accumulation": 1, "dropout": 0.0, "captured": True},
    "losses read later": {"accumulation": 1, "read_every": 5},
    "moving average": {"accumulation": 1, "ema_decay": 0.9},
    "soup": {"accumulation": 1, "soup": 3},
    "gradient noise": {"accumulation": 1, "noise": 0.1},
    "two optimizers": {"accumulation": 1, "optimizer": "muon"},
    "balanced, curriculum": {"accumulation": 1, "sampling": "balanced", "curriculum": True},
    "text noise": {"accumulation": 2, "noisy": True, "sampling": "balanced"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_going_on_from_any_step_changes_no_bit(options: dict[str, Any], tmp_path: Path) -> None:
    undisturbed = Training(**options)
    result = undisturbed.run()
    assert [checkpoint.step for checkpoint in undisturbed.checkpoints] == list(
        range(1, result.steps + 1)
    )
    expected = trainable_state(undisturbed.model)
    for checkpoint in undisturbed.checkpoints:
        write_checkpoint(tmp_path / str(checkpoint.step), checkpoint)
        read, _ = newest_checkpoint(tmp_path / str(checkpoint.step))
        torch.manual_seed(checkpoint.step)  # another process is somewhere else
        again = Training(**options)
        outcome = again.run(read)
        assert equal(trainable_state(again.model), expected), checkpoint.step
        assert replace(outcome, seconds=0) == replace(result, seconds=0)
        assert outcome.seconds > checkpoint.state["progress"]["seconds"]
        records = before(undisturbed.records, checkpoint.step) + again.records
        assert without_time(records) == without_time(undisturbed.records)
        assert [later.step for later in again.checkpoints] == list(
            range(checkpoint.step + 1, result.steps + 1)
        )


def test_the_options_above_do_what_their_names_say() -> None:
    stopped = Training(**OPTIONS["patience"])
    assert stopped.run().ended_by == "patience"
    assert stopped.checkpoints[-1].step < len(stopped.steps)
    assert any(
        checkpoint.state["progress"]["since_best"] == 1 for checkpoint in stopped.checkpoints
    )
    scaled = Training(**OPTIONS["scaler"])
    scaled.run()
    scales = [checkpoint.state["scaler"]["scale"] for checkpoint in scaled.checkpoints]
    assert len(set(scales)) > 2, "the scale must go down and up again"
    captured = Training(**OPTIONS["captured"])
    captured.run()
    frequent = [
        len(checkpoint.state["accumulate"]["frequent"]) for checkpoint in captured.checkpoints
    ]
    assert frequent == [0, 0, 1, 1, 1, 1, 1, 1]


def test_noise_by_batches_so_far_would_be_noticed() -> None:
    def training() -> Training:
        counting = Training(**OPTIONS["text noise"])
        assert isinstance(counting.noisy, NoisyCorpus)
        counting.noisy = CountingCorpus(counting.noisy)
        return counting

    undisturbed, again = training(), training()
    undisturbed.run()
    again.run(undisturbed.checkpoints[1])
    records = before(undisturbed.records, undisturbed.checkpoints[1].step) + again.records
    assert without_time(records) != without_time(undisturbed.records)


def forgetting(name: str, checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint as it would be if one thing had not been saved: as at the start, that is."""
    start = {
        "optimizer": {**checkpoint.state["optimizer"], "state": {}},
        "random": {"cpu": torch.Generator().manual_seed(77).get_state()},
        "token_dropout": {"state": torch.Generator().manual_seed(3).get_state()},
        "model": trainable_state(classifier(0.2)),
        "scaler": fresh_scaler().state_dict(),
        "accumulate": {"seen": [], "frequent": []},
        "average": trainable_state(classifier(0.2)),
        "progress": {**checkpoint.state["progress"], "best": [], "since_best": 0},
    }
    return replace(checkpoint, state={**checkpoint.state, name: start[name]})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("optimizer", OPTIONS["no randomness"]),
        ("model", OPTIONS["no randomness"]),
        ("random", OPTIONS["accumulation"]),
        ("token_dropout", OPTIONS["accumulation"]),
        ("scaler", OPTIONS["scaler"]),
        ("accumulate", OPTIONS["captured"]),
        ("average", OPTIONS["moving average"]),
    ],
)
def test_a_checkpoint_without_one_thing_would_end_elsewhere(
    name: str, options: dict[str, Any]
) -> None:
    undisturbed = Training(**options)
    undisturbed.run()
    checkpoint = undisturbed.checkpoints[2]
    again = Training(**options)
    again.run(forgetting(name, checkpoint))
    assert without_time(again.records) != without_time(undisturbed.records[-len(again.records) :])


def test_the_best_and_the_patience_are_part_of_a_checkpoint() -> None:
    options = OPTIONS["patience"]
    undisturbed = Training(**options)
    result = undisturbed.run()
    checkpoint = undisturbed.checkpoints[-1]
    again = Training(**options)
    outcome = again.run(forgetting("progress", checkpoint))
    assert (result.best_step, result.steps) != (outcome.best_step, outcome.steps)


def test_what_keep_raises_ends_the_training() -> None:
    class Stop(Exception):
        pass

    def stop(checkpoint: Checkpoint) -> None:
        raise Stop

    training = Training()
    run: Callable[..., FitResult] = partial(
        fit,
        training.model,
        training.steps,
        training.load_batch,
        Objective(cross_entropy(0.0), torch.optim.SGD(training.model.parameters(), lr=0.1)),
        Selection(training.validate),
        StepHooks(record=training.records.append),
    )
    with pytest.raises(Stop):
        run(Continuation(due=lambda step: step.number == 3, keep=stop))
    assert [r["step"] for r in training.records if r["kind"] == "train"] == [1, 2, 3]
