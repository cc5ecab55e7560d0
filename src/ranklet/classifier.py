"""The network of a classifier: encoder, adapters, pooling, head and labels in one module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.data.cleaning import clean_text
from ranklet.data.texts import Text
from ranklet.data.tokens.batching import Indices, sorted_batches
from ranklet.data.tokens.corpus import Corpus, TokenCorpus, corpus_of
from ranklet.data.tokens.long_texts import LongTexts, aggregate, aggregate_each
from ranklet.data.tokens.tokenizer import BEGINNING_ONLY, tokenize
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.families import AnyEncoder, build_encoder
from ranklet.errors import DataError
from ranklet.head import (
    DEFAULT_RANK,
    LAST,
    DenseHead,
    LinearHead,
    build_head,
    head_pooling,
    module_device,
    needs_pooler,
)
from ranklet.labels import Label, LabelSet
from ranklet.lora.placement import ModuleShape, module_shapes
from ranklet.problem import Problem, SingleLabel
from ranklet.vocabulary import CleaningStep, HeadKind, Pooling

PREDICTION_BATCH_TOKENS = 4096
WANTS_PAIRS = "the classifier reads pairs of texts (data.pair); give two for each row"
WANTS_SINGLES = "the classifier reads single texts; train one with data.pair for pairs"
# Texts that are tokenized and answered at once where they may be more than memory holds.
CHUNK_TEXTS = 1024


@dataclass(frozen=True)
class Preprocessing:
    """What happens to a text before the encoder sees it; the same in training and prediction.

    Attributes:
        tokenizer: The encoder's tokenizer.
        cleaning: Cleaning steps, in order.
        max_length: Tokens kept of a text, special ones included.
        long_texts: What happens to longer texts.
        pair: Whether it reads pairs of texts.
    """

    tokenizer: Tokenizer
    cleaning: tuple[CleaningStep, ...]
    max_length: int
    long_texts: LongTexts = BEGINNING_ONLY
    pair: bool = False

    def corpus(self, texts: Sequence[Text], labels: NDArray[np.int64] | None = None) -> TokenCorpus:
        """Clean and tokenize texts; labels, (texts,) class indices, go with them.

        Raises:
            DataError: Single texts where pairs are read, or the other way round.
        """
        if texts and isinstance(texts[0], tuple) != self.pair:
            raise DataError(WANTS_PAIRS if self.pair else WANTS_SINGLES, "texts")
        cleaned = [clean_text(text, self.cleaning) for text in texts]
        tokens = tokenize(self.tokenizer, cleaned, self.max_length, self.long_texts)
        return corpus_of(tokens, labels)


class ClassifierNetwork(nn.Module):
    """A text classifier on a frozen encoder, as PyTorch computes it.

    The encoder hangs under transformers' name for it (`bert`, `roberta`) and the modules of the
    head under theirs (`classifier`), so that module names are Hugging Face's.

    Args:
        encoder: The encoder, adapters placed or not.
        head: Modules by name that map pooled states to logits, one after another.
        pooling: `cls`, the first token's state; `mean`, the mean over the text's tokens.
        labels: Classes, in the order of the logits.
        preprocessing: Needed to predict from texts; None while only batches are used.
        problem: Whether a text has one label or any number of them; None: one.
    """

    def __init__(
        self,
        encoder: AnyEncoder,
        head: Mapping[str, nn.Module],
        pooling: Pooling,
        labels: LabelSet,
        preprocessing: Preprocessing | None = None,
        problem: Problem | None = None,
    ) -> None:
        super().__init__()
        self.prefix = encoder.config.architecture.prefix
        self.head_modules = tuple(head)
        self.pooling = pooling
        self.labels = labels
        self.preprocessing = preprocessing
        self.problem: Problem = problem or SingleLabel()
        self.register_module(self.prefix, encoder)
        for name, module in head.items():
            self.register_module(name, module)

    @property
    def encoder(self) -> AnyEncoder:
        """The frozen encoder."""
        module = self.get_submodule(self.prefix)
        assert isinstance(module, AnyEncoder)
        return module

    @property
    def last_module(self) -> DenseHead | LinearHead:
        """The module of the head that gives the logits."""
        module = self.get_submodule(LAST)
        assert isinstance(module, DenseHead | LinearHead)
        return module

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (texts, classes) float32, before softmax or sigmoid."""
        logits: Tensor = self.last_module(self._before_last(batch))
        return logits

    def features(self, batch: Batch) -> Tensor:
        """Return what the last map of the head reads, (texts, hidden) float32, not yet dropped."""
        return self.last_module.features(self._before_last(batch))

    def _before_last(self, batch: Batch) -> Tensor:
        encoder = self.encoder
        first_only = self.pooling == "cls"
        pooled = encoder(batch, first_only)
        if not first_only:
            pooled = mean_pool(pooled, batch)
        if encoder.pooler is not None:
            pooled = encoder.pooler(pooled)
        states: Tensor = pooled.float()
        for name in self.head_modules[:-1]:
            states = self.get_submodule(name)(states)
        return states

    def predict_logits(self, corpus: Corpus, batch_tokens: int = PREDICTION_BATCH_TOKENS) -> Tensor:
        """Return logits (texts, classes) float32 of a corpus, in its order, on the CPU.

        Those of a text that was split into windows are what gives its aggregated probabilities.

        Args:
            corpus: Tokenized texts.
            batch_tokens: Token budget of a batch.
        """
        logits = torch.empty(len(corpus), len(self.labels))
        device = module_device(self)
        with evaluation_mode(self):
            for indices in sorted_batches(corpus.lengths, batch_tokens=batch_tokens):
                logits[torch.from_numpy(indices)] = self(corpus.batch(indices).to(device)).cpu()
        return logits if corpus.text_starts is None else self.per_text(logits, corpus.text_starts)

    def per_text(self, logits: Tensor, text_starts: NDArray[np.int64]) -> Tensor:
        """Make one answer a text of those of its windows.

        Args:
            logits: (windows, classes).
            text_starts: (texts + 1,) int64, text i owns the windows from `text_starts[i]` on.

        Returns:
            (texts, classes) float32.
        """
        if not len(logits):
            return logits  # torch reduces no segments at all
        assert self.preprocessing is not None, "what split the texts says how to aggregate them"
        aggregation = self.preprocessing.long_texts.aggregation
        if isinstance(self.problem, SingleLabel):
            return aggregate(logits, text_starts, aggregation)
        assert aggregation != "vote", "a vote is for one label"
        return aggregate_each(logits, text_starts, aggregation)

    def predict_features(self, corpus: Corpus, chosen: Indices) -> Tensor:
        """Return what the last map of the head reads of some texts, on the CPU.

        Args:
            corpus: Tokenized texts.
            chosen: (n,) int64 indices of the texts.

        Returns:
            (n, width) float32, in the order of `chosen`.
        """
        features = torch.empty(len(chosen), self.last_module.last_map.in_features)
        device = module_device(self)
        with evaluation_mode(self):
            for indices in sorted_batches(
                corpus.lengths[chosen], batch_tokens=PREDICTION_BATCH_TOKENS
            ):
                batch = corpus.batch(chosen[indices]).to(device)
                features[torch.from_numpy(indices)] = self.features(batch).cpu()
        return features

    def predict_proba(self, texts: Sequence[Text]) -> np.ndarray:
        """Return class probabilities (texts, classes) float32 in the order of `labels`."""
        logits = self.predict_logits(self.corpus(texts))
        probabilities: np.ndarray = self.problem.probabilities(logits).numpy()
        return probabilities

    def predict(self, texts: Sequence[Text]) -> list[Label]:
        """Return the label of each text; a tuple of its labels where it may have several."""
        return self.problem.answers(self.predict_proba(texts), self.labels.names)

    def corpus(self, texts: Sequence[Text], labels: NDArray[np.int64] | None = None) -> TokenCorpus:
        """Clean and tokenize texts as in training; labels, (texts,) indices, go with them."""
        assert self.preprocessing is not None, "this classifier was built without a tokenizer"
        return self.preprocessing.corpus(texts, labels)


def mean_pool(hidden: Tensor, batch: Batch) -> Tensor:
    """Average the states of each text, in float32.

    Args:
        hidden: (tokens, hidden) in the compute dtype.
        batch: The batch they belong to.

    Returns:
        (texts, hidden) in the dtype of `hidden`.
    """
    means = torch.segment_reduce(
        hidden.float(), "mean", lengths=batch.lengths.long(), axis=0, unsafe=True
    )
    return means.to(hidden.dtype)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Run a model without dropout and without recording gradients, then restore its mode."""
    # Not model.eval(): for one text, asking takes a tenth of the time of setting.
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        with torch.inference_mode():
            yield
    finally:
        for module in training:
            module.training = True


def build_skeleton(
    config: EncoderConfig,
    head: HeadKind,
    pooling: Pooling,
    num_labels: int,
    head_rank: int = DEFAULT_RANK,
) -> ClassifierNetwork:
    """Build a classifier without numbers, for planning from shapes alone.

    Args:
        config: The encoder's sizes.
        head: Kind of head.
        pooling: Kind of pooling.
        num_labels: Classes.
        head_rank: Rank of the trained part of the inner matrix of a `low_rank` head.
    """
    with torch.device("meta"):
        encoder = build_encoder(config, needs_pooler(head, config))
        modules = build_head(head, config, num_labels, 0.0, seed=0, rank=head_rank)
    labels = LabelSet(tuple(str(index) for index in range(num_labels)))
    return ClassifierNetwork(encoder, modules, head_pooling(head, pooling, config), labels)


def adaptable_shapes(model: ClassifierNetwork) -> dict[str, ModuleShape]:
    """List the modules below the head, which adapters may be placed on.

    BERT's pooler is one of them where the head reads it; ModernBERT's, which stands outside the
    encoder in files, is not. The maps of the head itself train whole:
    PEFT saves them as `modules_to_save`, and has no place for a frozen random map below an adapter.
    """
    others = list(model.head_modules)
    if model.encoder.config.architecture.pooler != "pooler":
        others.append(f"{model.prefix}.pooler")
    return {
        name: shape
        for name, shape in module_shapes(model).items()
        if not any(_is_below(name, other) for other in others)
    }


def head_shapes(model: ClassifierNetwork) -> dict[str, ModuleShape]:
    """List the modules of the head that train; they train whole."""
    return {
        name: shape
        for part in model.head_modules
        for name, shape in module_shapes(model.get_submodule(part), part).items()
    }


def trainable_state(model: nn.Module) -> dict[str, Tensor]:
    """Copy every trainable tensor, by name."""
    return {
        name: parameter.detach().clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def restore_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Write tensors back into the parameters of the same names, in place."""
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in state.items():
            parameters[name].copy_(tensor)


def _is_below(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")
