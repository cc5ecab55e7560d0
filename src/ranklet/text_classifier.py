"""The classifier that a user holds: it predicts, explains, evaluates and saves itself.

It stands above evaluation and files, which its network knows nothing of, and holds besides the
network what those need: what the classifier is, and where its adapters are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ranklet.classifier import ClassifierNetwork
from ranklet.data.cleaning import clean_text
from ranklet.data.examples import encode_labels
from ranklet.data.reading.columns import AS_IN_RUN, Columns, with_columns
from ranklet.data.reading.memory import IN_MEMORY, Data, as_source, plain_texts
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import read_column, read_examples
from ranklet.data.texts import Text
from ranklet.encoder.compiled_layers import compile_layers
from ranklet.encoder.int8.linear import multiplies_in_int8
from ranklet.encoder.layers import NativeEncoder
from ranklet.encoder.packed_linear import can_pack, pack_linear_maps
from ranklet.encoder.precision import choose_device
from ranklet.encoder.source import EncoderSource
from ranklet.errors import RunError
from ranklet.evaluation.answers import answer, evaluate_answers
from ranklet.evaluation.importance import Words, occlude
from ranklet.evaluation.result import Evaluation
from ranklet.head import module_device
from ranklet.labels import Label, LabelSet
from ranklet.lora.adapter_file import AdapterFile
from ranklet.lora.merge import merge_adapters
from ranklet.problem import Problem
from ranklet.saved.assembly import ClassifierSettings, assemble
from ranklet.saved.model import save_model
from ranklet.saved.probes import (
    PROBES_FILE,
    Probes,
    check_probes,
    compute_dtype,
    probe_record,
    texts_of,
)


@dataclass(frozen=True, eq=False, repr=False)
class TextClassifier:
    """A trained classifier of texts; `ranklet.load` gives one.

    Attributes:
        network: The PyTorch module: encoder, adapters, pooling, head.
        settings: What it is besides its tensors and labels.
        adapter: Where its adapters are, with the trained tensors as they were loaded.
        card: Its model card, Markdown.
        is_merged: Whether the adapters of the network were added to its weights.
    """

    network: ClassifierNetwork
    settings: ClassifierSettings
    adapter: AdapterFile
    card: str
    is_merged: bool = False

    @property
    def labels(self) -> LabelSet:
        """Its classes, in the order of the columns of `predict_proba`."""
        return self.network.labels

    @property
    def problem(self) -> Problem:
        """Whether a text has one label or any number of them, with temperature or thresholds."""
        return self.network.problem

    def predict(self, texts: Iterable[Text]) -> list[Label]:
        """Return the label of each text; a tuple of its labels where it may have several.

        Args:
            texts: A list, NumPy array or pandas Series of str, or of pairs of them.

        Raises:
            DataError: Something else than texts.
        """
        return self.network.predict(plain_texts(texts))

    def predict_proba(self, texts: Iterable[Text]) -> NDArray[np.float32]:
        """Return class probabilities (texts, classes) float32 in the order of `labels`.

        Args:
            texts: A list, NumPy array or pandas Series of str, or of pairs of them.

        Raises:
            DataError: Something else than texts.
        """
        return self.network.predict_proba(plain_texts(texts))

    def explain(self, texts: Iterable[Text]) -> list[Words]:
        """Find the words that the most probable label of each text hangs on.

        Each of the first 64 words is left out once (erasure of Li, Monroe & Jurafsky 2016,
        arXiv:1612.08220, section 3), so a text of n words takes as long as n + 1 texts.

        Args:
            texts: A list, NumPy array or pandas Series of str, or of pairs of them.

        Returns:
            For each text (word, importance) in the order of the cleaned text; the importance is
            the probability of the label less that without the word, -1..1. A text of one word has
            none.

        Raises:
            DataError: Something else than texts.
        """
        preprocessing = self.network.preprocessing
        assert preprocessing is not None, "a loaded classifier has a tokenizer"
        cleaned = [clean_text(text, preprocessing.cleaning) for text in plain_texts(texts)]
        predicted = self.network.predict_proba(cleaned).argmax(-1).tolist()
        return occlude(cleaned, predicted, self.network.predict_proba)

    def evaluate(
        self,
        data: Data,
        labels: Iterable[Any] | None = None,
        *,
        columns: Columns = AS_IN_RUN,
        slice_by: Sequence[str] = (),
        seed: int = 0,
    ) -> Evaluation:
        """Compute every figure of the answers to labelled texts.

        Args:
            data: Texts, or whatever holds texts and labels: `LabelledTexts`, a DataFrame, a
                `datasets.Dataset`, dicts, the name of a file.
            labels: One label a text, where `data` are texts alone.
            columns: Where texts and labels stand in a table or file.
            slice_by: Further columns of a table or file to tell texts apart by.
            seed: Seed of the intervals.

        Returns:
            Every number with its 95 % interval.

        Raises:
            DataError: The texts or labels cannot be used.
            HubError: A hub data set cannot be had.
            MissingExtraError: A parquet file without the extra for it.
        """
        source = as_source(data if labels is None else (data, labels))
        plain = ReadingSettings(problem_type=self.problem.problem_type, pair=self.settings.pair)
        settings = with_columns(plain, columns)
        examples = read_examples(source, "test", settings)
        cells = {name: read_column(source, "test", name, settings.dialect) for name in slice_by}
        name = Path(source).name if isinstance(source, str) else IN_MEMORY
        corpus = self.network.corpus(examples.texts, encode_labels(examples, self.labels))
        answers = answer(self.network, examples.texts, corpus)
        return evaluate_answers(self.network, answers, name, seed, cells)

    def save(self, folder: str | Path) -> None:
        """Write the classifier as a PEFT adapter folder, as a training does.

        Where its encoder is a folder, its whole path goes to `local.json`, which is not for
        sharing; the other files name it shortened.

        Args:
            folder: Must not exist yet; `ranklet.load` reads it.

        Raises:
            RunError: The folder exists or cannot be written.
            ParityError: A trained tensor is missing from the files or differs there.
        """
        network = self.network
        if self.is_merged:  # there are no adapters in it any more
            network = assemble(
                self.settings,
                EncoderSource(self.settings.encoder),
                self.labels,
                self.adapter,
                dtype=compute_dtype(network),
                device=module_device(network),
            )
        save_model(Path(folder), network, self.settings, self.adapter, self.card)

    def merged(self) -> TextClassifier:
        """Return a fresh one that answers alike, its adapters merged: faster, it trains no more.

        Raises:
            RunError: It answers differently.
        """
        rebuild, parts = replace(self, is_merged=True).__reduce__()
        merged: TextClassifier = rebuild(*parts)
        return merged

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what was trained; the encoder is left out and found again by its name."""
        parts = (self.settings, self.labels, self.adapter, self.card, self.is_merged)
        device = module_device(self.network).type
        return _unpickled, (*parts, device, probe_record(self.network))

    def __repr__(self) -> str:
        """Say what it is in one line."""
        names = ", ".join(map(repr, self.labels.names[:4])) + ", …" * (len(self.labels) > 4)
        return f"<TextClassifier of {len(self.labels)} labels ({names}) on {self.settings.encoder}>"


def merge_network(network: ClassifierNetwork, compile: bool = False) -> None:
    """Add the adapters of a network to its weights, and make its layers faster, in place.

    What multiplies in integers stays as it was trained: it answers otherwise once merged. Its
    layers are described once for all batches.

    Args:
        network: What is changed.
        compile: Have `torch.compile` write the layers' kernels; else the weights are packed for the
            processor beside themselves.

    Raises:
        RunError: There is no compiler, or nothing that it could compile.
    """
    encoder, device = network.encoder, module_device(network)
    if multiplies_in_int8(encoder):
        if compile:
            raise RunError("--compile: products in int8 have kernels of their own; leave it out")
        if isinstance(encoder, NativeEncoder):
            encoder.fix_maps()
        return
    merge_adapters(network)
    if compile:
        compile_layers(encoder, device)
        return
    # Layers of transformers may read their weights. The fused layer would; it is for gradients.
    packable = isinstance(encoder, NativeEncoder) and encoder.fused
    if packable and can_pack(device, next(encoder.parameters()).dtype):
        encoder.fused = False
        pack_linear_maps(encoder.layers)


def _unpickled(
    settings: ClassifierSettings,
    labels: LabelSet,
    adapter: AdapterFile,
    card: str,
    is_merged: bool,
    device: str,
    probes: Mapping[str, Any],
) -> TextClassifier:
    """Build a pickled classifier again, and make sure that it answers as it did."""
    where = choose_device("auto" if device == "cuda" else "cpu")
    dtype = getattr(torch, probes["dtype"])
    encoder = EncoderSource(settings.encoder)
    network = assemble(settings, encoder, labels, adapter, dtype=dtype, device=where)
    if is_merged:
        merge_network(network)
    texts, logits = texts_of(probes["texts"]), torch.tensor(probes["logits"])
    check_probes(network, Probes(Path("pickle") / PROBES_FILE, texts, logits, dtype))
    return TextClassifier(network, settings, adapter, card, is_merged)
