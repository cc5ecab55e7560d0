"""What trained classifiers say about the training texts, and about others."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ranklet.batch import Batch
from ranklet.cache import default_cache_folder, read_cached, write_cached
from ranklet.data.encoded_splits import EncodedSplit, Splits
from ranklet.data.texts import in_one
from ranklet.data.tokens.batching import Indices
from ranklet.encoder.source import TOKENIZER_FILES, EncoderSource
from ranklet.encoder.weight_files import weight_files
from ranklet.errors import AdapterError, RankletError, RecipeError, RecipeIssue
from ranklet.files import sha256_file, sha256_json
from ranklet.labels import LabelSet
from ranklet.lora.adapter_file import CONFIG_FILE
from ranklet.problem import SingleLabel
from ranklet.recipe import Recipe
from ranklet.run.folder import Run
from ranklet.run.model_source import classifier_folder, is_hub_id
from ranklet.saved.foreign import is_computed_here, is_whole_classifier
from ranklet.workflows._train.transformers_teacher import Teacher, load_transformers_teacher
from ranklet.workflows.load import load

# All teachers' answers together, bytes; those used longest ago go first.
CACHE_LIMIT = 2**30


@dataclass(frozen=True, eq=False)
class Lesson:
    """Training texts with a teacher's answers.

    Attributes:
        train: The labelled texts, then the unlabelled ones that are used, with the teacher's label.
        targets: (texts, classes) float32, the teacher's probabilities at the temperature, the mean
            over several teachers.
        unlabelled: How many unlabelled texts are used.
        doubted: How many are not, because the teacher is not sure enough.
        agreement: Share of the labelled texts whose label is the teacher's too.
    """

    train: EncodedSplit
    targets: Tensor
    unlabelled: int
    doubted: int
    agreement: float


def consult_teachers(
    recipe: Recipe, splits: Splits, unlabelled: Sequence[str], report: Callable[[str], None]
) -> Lesson | None:
    """Ask the teachers of a recipe about its training texts; None where it has none.

    Teachers read the cleaned texts with their own tokenizer and cleaning. Their logits are kept on
    disk by teacher and texts, so that later trainings find them.

    Args:
        recipe: With or without `distillation.teacher`.
        splits: Its data.
        unlabelled: Its texts without labels, cleaned.
        report: Receives a line when a teacher begins to read.

    Raises:
        RecipeError: A teacher cannot be loaded, or has other labels.
    """
    options = recipe.distillation
    if options.teacher is None:
        return None
    teachers = (options.teacher,) if isinstance(options.teacher, str) else options.teacher
    labelled = len(splits.train.texts)
    texts = (*map(in_one, splits.train.texts), *unlabelled)
    logits = [_logits(teacher, texts, splits.labels, recipe, report) for teacher in teachers]
    targets = _mean_probabilities([answers / options.temperature for answers in logits])
    sure, label = _mean_probabilities(logits).max(-1)
    enough = (sure[labelled:] >= options.confidence).nonzero().flatten()
    rows = torch.cat([torch.arange(labelled), labelled + enough])
    train = EncodedSplit(
        tuple(texts[row] for row in rows.tolist()),
        np.concatenate([splits.train.labels, label[labelled + enough].numpy()]),
        splits.train.source,
    )
    agreement = float((label[:labelled].numpy() == splits.train.labels).mean())
    return Lesson(train, targets[rows], len(enough), len(unlabelled) - len(enough), agreement)


def with_targets(
    load_batch: Callable[[Indices], Batch], targets: Tensor
) -> Callable[[Indices], Batch]:
    """Give every batch the rows of `targets`, (texts, classes), that belong to its texts."""

    def load(indices: Indices) -> Batch:
        rows = torch.as_tensor(indices, device=targets.device)
        return replace(load_batch(indices), targets=targets[rows])

    return load


def _mean_probabilities(logits: Sequence[Tensor]) -> Tensor:
    return torch.stack([answers.softmax(-1) for answers in logits]).mean(0)


def _logits(
    name: str,
    texts: Sequence[str],
    labels: LabelSet,
    recipe: Recipe,
    report: Callable[[str], None],
) -> Tensor:
    """Return the logits of one teacher, (texts, classes) float32, in the order of `labels`."""
    try:
        folder = _folder(name)
        is_own = not is_whole_classifier(folder) or is_computed_here(folder)
        key = _key(folder, not is_own, texts, labels, recipe)
        path = default_cache_folder() / "teachers" / f"{key}.npy"
        if (kept := read_cached(path, report)) is not None:
            return torch.from_numpy(np.load(io.BytesIO(kept)))
        if is_own:
            teacher = _own(folder, recipe)
        else:
            teacher = load_transformers_teacher(folder, recipe.data.max_length)
    except RankletError as error:
        raise _refused(f"{name!r} cannot be used: {error}") from error
    if sorted(teacher.labels) != sorted(labels.names):
        raise _refused(
            f"{name!r} has the labels {', '.join(teacher.labels)}, the training texts "
            f"{', '.join(labels.names)}; they must be the same"
        )
    report(f"teacher: {name} reads {len(texts):,} texts")
    columns = [teacher.labels.index(label) for label in labels.names]
    logits = teacher.answer(texts)[:, columns].contiguous()
    _keep(path, logits)
    return logits


def _own(folder: Path, recipe: Recipe) -> Teacher:
    engine = recipe.engine
    model = load(folder, device=engine.device, precision=engine.precision, merge=True).network
    if not isinstance(model.problem, SingleLabel):
        raise AdapterError(f"{folder}: it gives a text several labels, and its student one")
    return Teacher(model.labels.names, lambda texts: model.predict_logits(model.corpus(texts)))


def _folder(teacher: str) -> Path:
    path = Path(teacher).expanduser()
    if (path / CONFIG_FILE).is_file() or Run(path).recipe.is_file() or is_hub_id(path):
        return classifier_folder(path)
    return EncoderSource(teacher).folder


def _key(
    folder: Path, of_transformers: bool, texts: Sequence[str], labels: LabelSet, recipe: Recipe
) -> str:
    files = sorted(folder.iterdir())
    if is_whole_classifier(folder):
        names = ("config.json", *TOKENIZER_FILES)
        files = [*(folder / name for name in names), *weight_files(folder)]
    engine = recipe.engine
    content = {
        "files": [[path.name, sha256_file(path)] for path in files if path.is_file()],
        "engine": [
            engine.device,
            engine.precision,
            recipe.data.max_length if of_transformers else None,
        ],
        "texts": texts,
        "columns": labels.names,
    }
    return sha256_json(content)


def _keep(path: Path, logits: Tensor) -> None:
    """Keep a teacher's answers; a disk that refuses them costs time later, not the training."""
    stream = io.BytesIO()
    np.save(stream, logits.numpy())
    write_cached(path, stream.getvalue(), CACHE_LIMIT)


def _refused(message: str) -> RecipeError:
    return RecipeError([RecipeIssue("", "distillation.teacher", message)])
