"""What two fields of a recipe say to each other, by topic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ranklet.labels import SEPARATOR
from ranklet.recipe.sections.adapter import CHOSEN_BY_FIT, AdapterSection
from ranklet.recipe.sections.augmentation import AugmentationSection
from ranklet.recipe.sections.data import DataSection
from ranklet.recipe.sections.distillation import DistillationSection
from ranklet.recipe.sections.engine import EngineSection
from ranklet.recipe.sections.training import READ_BY, REPLACES, TrainingSection
from ranklet.vocabulary import (
    BUNDLED_SAMPLE,
    DATA_SUFFIXES,
    PACKED_SUFFIXES,
    HeadKind,
    HeadStart,
    Pooling,
)


@dataclass(frozen=True)
class Contradiction:
    """Fields that are each fine but cannot stand together.

    Attributes:
        fields: Dotted names; the first is the one to report.
        message: What is wrong and how to fix it.
    """

    fields: tuple[str, ...]
    message: str


def head_contradictions(head: HeadKind, pooling: Pooling) -> Iterator[Contradiction]:
    """Yield a pooling that the head does not read."""
    if pooling == "mean" and head != "linear":
        yield Contradiction(
            ("pooling", "head"), f"mean needs head: linear; {head} reads the first token"
        )


def engine_contradictions(engine: EngineSection) -> Iterator[Contradiction]:
    """Yield what products in integers are not made for."""
    dense = engine.quantization == "none" and engine.precision != "float16"
    if engine.products == "int8" and not (dense and engine.device != "cuda"):
        yield Contradiction(
            ("engine.products", "engine.quantization", "engine.precision", "engine.device"),
            "int8 needs quantization: none, precision bfloat16 or float32, and a CPU",
        )


def data_contradictions(data: DataSection) -> Iterator[Contradiction]:
    """Yield limits, columns, files and splits that cannot stand together."""
    if data.min_words and data.max_words and data.min_words > data.max_words:
        yield Contradiction(
            ("data.min_words", "data.max_words"),
            f"{data.min_words} is above max_words {data.max_words}, so no text would be left",
        )
    columns = (data.text_column,) if isinstance(data.text_column, str) else data.text_column
    if data.label_column in columns:
        yield Contradiction(
            ("data.label_column", "data.text_column"),
            f"{data.label_column!r} is also a text column; the model would read its answer",
        )
    yield from _label_contradictions(data, columns)
    yield from _pair_contradictions(data)
    yield from _shared_files(data)
    yield from _sample_as_test(data)


def _label_contradictions(data: DataSection, texts: Sequence[str]) -> Iterator[Contradiction]:
    """Yield names and columns of labels that cannot stand together."""
    both = sorted(set(data.label_columns or ()) & set(texts))
    if both:
        yield Contradiction(
            ("data.label_columns", "data.text_column"), f"{both[0]!r} is also a text column"
        )
    if data.label_columns and data.label_names:
        yield Contradiction(
            ("data.label_names", "data.label_columns"),
            "the columns are the names; leave one of both out",
        )
    if data.label_values and len(data.label_values) != len(data.label_names or ()):
        yield Contradiction(
            ("data.label_values", "data.label_names"),
            f"{len(data.label_values)} integers for {len(data.label_names or ())} names",
        )


def _pair_contradictions(data: DataSection) -> Iterator[Contradiction]:
    """Yield what a pair of texts cannot have."""
    if not data.pair:
        return
    columns = (data.text_column,) if isinstance(data.text_column, str) else data.text_column
    if len(columns) != 2:
        yield Contradiction(
            ("data.pair", "data.text_column"),
            "needs two text columns; set data.text_column to a list of two, such as [premise, "
            "hypothesis]",
        )
    if data.long_texts != "head":
        yield Contradiction(
            ("data.pair", "data.long_texts"),
            f"{data.long_texts} is for single texts; set data.long_texts to head, which cuts the "
            "longer of both",
        )


def pair_contradictions(
    pair: bool, token_dropout: float, distillation: DistillationSection
) -> Iterator[Contradiction]:
    """Yield what takes the two texts of a row for one."""
    if pair and token_dropout:
        yield Contradiction(
            ("training.token_dropout", "data.pair"),
            "may drop the separator between the texts of a pair; leave it out",
        )
    if pair and distillation.teacher is not None:
        yield Contradiction(
            ("distillation.teacher", "data.pair"), "reads single texts; leave it out"
        )


def _shared_files(data: DataSection) -> Iterator[Contradiction]:
    """Yield the splits that are one and the same file (a named set has splits of its own)."""
    places = {"train": data.train, "validation": data.validation, "test": data.test}
    files = {
        split: PurePath(place)
        for split, place in places.items()
        if isinstance(place, str) and place.lower().endswith((*DATA_SUFFIXES, *PACKED_SUFFIXES))
    }
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if first in files and files[first] == files.get(second):
            yield Contradiction(
                (f"data.{second}", f"data.{first}"),
                f"the same file as data.{first}; the figures would not be honest"
                + (f" (a split in it: {files[first]}#{second})" if _may_hold_splits(data) else ""),
            )


def _may_hold_splits(data: DataSection) -> bool:
    return data.train.lower().endswith((".json", ".xlsx", *PACKED_SUFFIXES))


def _sample_as_test(data: DataSection) -> Iterator[Contradiction]:
    # Typically a recipe of the bundled sample whose data.train was replaced.
    for field in ("validation", "test"):
        if getattr(data, field) == BUNDLED_SAMPLE and data.train != BUNDLED_SAMPLE:
            yield Contradiction(
                (f"data.{field}", "data.train"),
                f"{BUNDLED_SAMPLE} says nothing about {data.train!r}; give a file of its own, "
                + (
                    "a share or a count" if field == "validation" else "or null for no test figures"
                ),
            )


def multi_label_contradictions(
    data: DataSection,
    adapter: AdapterSection,
    training: TrainingSection,
    distillation: DistillationSection,
) -> Iterator[Contradiction]:
    """Yield what reads exactly one label a text where the recipe says that it may have several."""
    if data.problem_type == "single_label_classification":
        return
    refused = {
        "adapter.fit_mode": (adapter.fit_mode == "measured", "set it to uniform or by_depth"),
        "training.loss": (
            training.loss not in ("cross_entropy", "focal"),
            "set it to cross_entropy or focal",
        ),
        "training.r_drop": (training.r_drop is not None, "leave it out"),
        "training.sampling": (training.sampling != "shuffled", "set it to shuffled"),
        "training.contrastive_steps": (training.contrastive_steps > 0, "set it to 0"),
        "data.window_aggregation": (data.window_aggregation == "vote", "set it to mean or max"),
        "distillation.teacher": (distillation.teacher is not None, "leave it out"),
    }
    for field, (is_set, fix) in refused.items():
        if is_set:
            yield Contradiction(
                (field, "data.problem_type"),
                f"needs exactly one label a text, not {data.problem_type}; {fix}",
            )
    for name in data.label_names or ():
        if SEPARATOR in name:
            yield Contradiction(
                ("data.label_names", "data.problem_type"),
                f"{name!r} holds {SEPARATOR}, which separates the labels of a text; rename it",
            )


def start_contradictions(
    epochs: int, head_start: HeadStart, automatic: bool
) -> Iterator[Contradiction]:
    """Yield a training without a step from a start that knows nothing, and is not to be chosen."""
    if epochs == 0 and head_start == "random" and not automatic:
        yield Contradiction(
            ("training.epochs", "head_start"),
            "0 epochs leave a random head; set head_start: probe, or train for at least 1",
        )


def refit_contradictions(
    refit: bool, validation: float | int | str, distillation: DistillationSection
) -> Iterator[Contradiction]:
    """Yield what leaves a second training nothing more to learn from."""
    if refit and isinstance(validation, str):
        yield Contradiction(
            ("training.refit", "data.validation"),
            "takes validation texts that were held out of train; give a share or a number, or "
            "leave refit out",
        )
    if refit and distillation.teacher is not None:
        yield Contradiction(
            ("training.refit", "distillation.teacher"),
            "does not ask teachers about the validation texts; leave one of both out",
        )


def window_contradictions(
    data: DataSection, augmentation: AugmentationSection
) -> Iterator[Contradiction]:
    """Yield what windows cannot have, and what only they read."""
    if data.long_texts == "windows":
        for field, share in augmentation.model_dump().items():
            if share:
                yield Contradiction(
                    (f"augmentation.{field}", "data.long_texts"),
                    "alters whole texts, and windows are parts of them; leave it out or read "
                    "head or head_tail",
                )
        return
    for field in ("window_overlap", "window_aggregation"):
        if getattr(data, field) is not None:
            yield Contradiction(
                (f"data.{field}", "data.long_texts"),
                f"{data.long_texts} does not read it, only long_texts windows; leave it out",
            )


def adapter_contradictions(adapter: AdapterSection, budget: int) -> Iterator[Contradiction]:
    """Yield targets and ranks that cannot stand together, or not under the budget."""
    if adapter.target_modules != "all-linear" and "all-linear" in adapter.target_modules:
        yield Contradiction(
            ("adapter.target_modules",), "all-linear stands alone: target_modules: all-linear"
        )
    yield from _fit_contradictions(adapter, budget)


def _fit_contradictions(adapter: AdapterSection, budget: int) -> Iterator[Contradiction]:
    if adapter.fit is None:
        if adapter.fit_head == "cheapest":
            yield Contradiction(
                ("adapter.fit_head", "adapter.fit"), "cheapest needs adapter.fit, a budget to fit"
            )
        return
    for field in CHOSEN_BY_FIT:
        if field in adapter.model_fields_set:
            yield Contradiction(
                (f"adapter.{field}", "adapter.fit"),
                "is chosen by adapter.fit; leave one of the two out",
            )
    if adapter.layers is not None and adapter.train_layer_norm:
        # A solved recipe names modules, not layers, and would train the norms of every layer.
        yield Contradiction(
            ("adapter.train_layer_norm", "adapter.fit"),
            "trains the norms of adapter.layers, which a fit does not keep; leave layers or norms "
            "out",
        )
    if adapter.fit > budget:
        yield Contradiction(
            ("adapter.fit", "budget"),
            f"{adapter.fit:,} is above the budget of {budget:,}; lower it or raise budget",
        )


def training_contradictions(training: TrainingSection, max_length: int) -> Iterator[Contradiction]:
    """Yield options of a training that exclude each other or that nothing reads."""
    yield from _written_pairs(training)
    yield from _unread_options(training)
    yield from _too_few_evaluations(training)
    if training.label_smoothing and training.loss != "cross_entropy":
        yield Contradiction(
            ("training.label_smoothing", "training.loss"),
            f"{training.loss} does not read it, only cross_entropy; leave it out",
        )
    if training.batch_tokens and training.batch_tokens < max_length:
        yield Contradiction(
            ("training.batch_tokens", "data.max_length"),
            f"{training.batch_tokens} tokens do not hold one text of data.max_length "
            f"{max_length}; raise it or lower data.max_length",
        )
    if training.warmup_steps and training.max_steps and training.warmup_steps > training.max_steps:
        yield Contradiction(
            ("training.warmup_steps", "training.max_steps"),
            f"{training.warmup_steps} is above max_steps {training.max_steps}; lower it",
        )
    if training.contrastive_learning_rate is not None and not training.contrastive_steps:
        yield Contradiction(
            ("training.contrastive_learning_rate", "training.contrastive_steps"),
            "is read by a contrastive start alone; set contrastive_steps or leave it out",
        )
    patience = training.early_stopping_patience
    if patience and training.evaluate_every is None and patience >= training.epochs:
        yield Contradiction(
            ("training.early_stopping_patience", "training.epochs", "training.evaluate_every"),
            f"{patience} is never reached with {training.epochs} epochs and one evaluation after "
            f"each; lower it, raise epochs or set evaluate_every",
        )


def _too_few_evaluations(training: TrainingSection) -> Iterator[Contradiction]:
    if training.evaluate_every is None and training.epochs == 1 and (training.soup or 1) > 1:
        yield Contradiction(
            ("training.soup", "training.epochs", "training.evaluate_every"),
            "has one evaluation to choose from with 1 epoch; raise epochs or set evaluate_every",
        )


def _unread_options(training: TrainingSection) -> Iterator[Contradiction]:
    for option, (chooser, readers) in READ_BY.items():
        choice = getattr(training, chooser)
        if getattr(training, option) is not None and choice not in readers:
            yield Contradiction(
                (f"training.{option}", f"training.{chooser}"),
                f"{choice} does not read it, only {chooser} {' and '.join(readers)}; leave it out",
            )


def _written_pairs(training: TrainingSection) -> Iterator[Contradiction]:
    for ordinary, instead in REPLACES.items():
        if getattr(training, instead) is not None and ordinary in training.model_fields_set:
            yield Contradiction(
                (f"training.{instead}", f"training.{ordinary}"),
                f"replaces {ordinary}, which is set as well; keep one of the two",
            )


def dropout_contradictions(
    training: TrainingSection, dropouts: Mapping[str, float]
) -> Iterator[Contradiction]:
    """Yield what changes dropout where none is on; `dropouts` are the shares by field."""
    if any(dropouts.values()):
        return
    if training.r_drop is not None:
        yield Contradiction(
            ("training.r_drop", *dropouts),
            f"compares passes that differ by dropout, and none is on; set {' or '.join(dropouts)}",
        )
    if training.dropout_schedule != "constant":
        yield Contradiction(
            ("training.dropout_schedule", *dropouts),
            f"changes dropout, and none is on; set {' or '.join(dropouts)}",
        )


def unlabelled_contradictions(
    data: DataSection, teacher: object | None, contrastive_steps: int
) -> Iterator[Contradiction]:
    """Yield texts without labels that nobody labels, or that are pairs."""
    if data.unlabelled is None:
        return
    if teacher is None and not contrastive_steps:
        yield Contradiction(
            ("data.unlabelled", "distillation.teacher", "training.contrastive_steps"),
            "nobody labels them; set distillation.teacher or training.contrastive_steps",
        )
    if data.pair:
        yield Contradiction(("data.unlabelled", "data.pair"), "are single texts; leave it out")


def distillation_contradictions(
    distillation: DistillationSection, unlabelled: str | None, r_drop: float | None
) -> Iterator[Contradiction]:
    """Yield options without a teacher, or that leave no room for one."""
    if distillation.teacher is None:
        for field in sorted(distillation.model_fields_set - {"teacher"}):
            if getattr(distillation, field) != type(distillation).model_fields[field].default:
                yield Contradiction(
                    (f"distillation.{field}", "distillation.teacher"),
                    "needs distillation.teacher, a run or the folder of a classifier",
                )
        return
    if r_drop is not None:
        yield Contradiction(
            ("training.r_drop", "distillation.teacher"),
            "compares two passes, and a teacher compares one; leave one of the two out",
        )
    if distillation.confidence and unlabelled is None:
        yield Contradiction(
            ("distillation.confidence", "data.unlabelled"),
            "chooses among unlabelled texts; set data.unlabelled or leave it out",
        )
