"""Everything of a training before its first step, and the answers after its last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch

from ranklet.budget.plan import ParameterPlan, check_counted, count_trainable, enforce_budget
from ranklet.cache import default_cache_folder
from ranklet.classifier import ClassifierNetwork, trainable_state
from ranklet.data.encoded_splits import EncodedSplit, Splits
from ranklet.data.tokens.corpus import Corpora, TokenCorpus, build_corpus, text_labels
from ranklet.data.tokens.tokenizer import unknown_share
from ranklet.encoder.precision import choose_device, choose_dtype, prepare_memory
from ranklet.encoder.source import EncoderSource
from ranklet.evaluation.answers import Answers, answer
from ranklet.evaluation.problem_metrics import tune, validation_metrics
from ranklet.lora.adapter_file import AdapterFile
from ranklet.recipe import Recipe
from ranklet.run.folder import Run
from ranklet.training.processes import Processes
from ranklet.training.snapshots import Snapshot
from ranklet.training.techniques.activation_start import start_from_activations
from ranklet.training.techniques.probe_start import soften_probe, start_with_probe
from ranklet.workflows._train.contrastive import start_adapters
from ranklet.workflows._train.messages import (
    describe_beginning,
    describe_engine,
    describe_frozen_weights,
    describe_start,
    describe_tuning,
    describe_unknown,
)
from ranklet.workflows._train.other_processes import ProbeStart, TrainingInputs
from ranklet.workflows._train.resume import AT_ITS_START, Beginning, find_beginning, origin_of
from ranklet.workflows._train.teachers import Lesson, consult_teachers
from ranklet.workflows.fit_ranks import fit_ranks
from ranklet.workflows.from_recipe.checks import check_before_download
from ranklet.workflows.from_recipe.choices import (
    Choice,
    as_read,
    choose_for,
    describe_choice,
    leaves_validation_open,
    validation_size,
)
from ranklet.workflows.from_recipe.fit_arguments import check_class_weights, check_steps
from ranklet.workflows.from_recipe.model import build_model
from ranklet.workflows.from_recipe.placement import encoder_of, plan_for_labels
from ranklet.workflows.from_recipe.splits import InMemoryBySplit, read_splits
from ranklet.workflows.from_recipe.unlabelled import read_unlabelled


@dataclass(frozen=True, eq=False)
class Preparation:
    """What is settled before a training begins.

    Attributes:
        original: The recipe as it was given.
        recipe: With the rank of every adapter chosen.
        encoder: Where its encoder is.
        splits: The data as they were read.
        taught: The same with what a teacher labelled.
        unlabelled: Texts without labels, cleaned.
        lesson: What teachers said; None without one.
        plan: What trains.
        model: The classifier, adapters placed.
        adapter: Where they are, still without tensors.
        dtype: Compute dtype.
        device: Where it computes.
        beginning: Where the training begins.
        origin: Describes what it began from, for checkpoints.
        choices: What was chosen from the data.
    """

    original: Recipe
    recipe: Recipe
    encoder: EncoderSource
    splits: Splits
    taught: Splits
    unlabelled: tuple[str, ...]
    lesson: Lesson | None
    plan: ParameterPlan
    model: ClassifierNetwork
    adapter: AdapterFile
    dtype: torch.dtype
    device: torch.device
    beginning: Beginning
    origin: Callable[[], Mapping[str, str]]
    choices: tuple[Choice, ...]

    def describe(self, report: Callable[[str], None]) -> None:
        """Say what will be trained on what, and what of it was chosen from the data."""
        for choice in self.choices:
            report(describe_choice(choice))
        for line in describe_beginning(
            self.original, self.recipe, self.plan, self.model, self.taught, self.lesson
        ):
            report(line)


def prepare(
    recipe: Recipe,
    in_memory: InMemoryBySplit,
    run: Run | None,
    processes: Processes,
    report: Callable[[str], None],
) -> Preparation:
    """Read the data, choose the ranks and build the classifier; nothing is written.

    Args:
        recipe: What is to be trained.
        in_memory: What the recipe only calls texts in memory, by split.
        run: May hold checkpoints to go on from; None: there are none.
        processes: Those that train.
        report: Receives a line when a teacher begins to read.
    """
    # Whatever is refused before anything is read or downloaded.
    device = processes.take_device(choose_device(recipe.engine.device))
    dtype = choose_dtype(recipe.engine.precision, device)
    encoder = encoder_of(recipe)
    check_before_download(recipe, encoder)

    # The data, hashed as it is read; what teachers say of them.
    size = validation_size if leaves_validation_open(recipe) else None
    splits = read_splits(recipe.data, recipe.seed, in_memory, size)

    # What the recipe leaves open.
    recipe, choices = choose_for(as_read(recipe, splits), splits, encoder)
    check_before_download(recipe, encoder)
    check_class_weights(recipe.training, splits.labels)
    check_steps(recipe.training, len(splits.train.texts))
    prepare_memory()
    unlabelled = read_unlabelled(recipe.data, splits)
    lesson = consult_teachers(recipe, splits, unlabelled, report)
    targets = None if lesson is None else lesson.targets
    taught = splits if lesson is None else replace(splits, train=lesson.train)

    # Where to begin, with which ranks, and what that trains.
    origin = partial(
        origin_of, recipe, encoder, splits, dtype, device, targets, processes.count, unlabelled
    )
    beginning = AT_ITS_START if run is None else find_beginning(run, origin)
    beginning.take_kernels()
    resolved = beginning.recipe or fit_ranks(recipe, splits, encoder)
    plan = plan_for_labels(resolved, encoder, len(splits.labels))
    enforce_budget(plan)

    # Weights, adapters and head, counted again.
    model, adapter = build_model(resolved, encoder, splits.labels, dtype, device)
    check_counted(plan, count_trainable(model), "after placing the adapters")
    return Preparation(
        original=recipe,
        recipe=resolved,
        encoder=encoder,
        splits=splits,
        taught=taught,
        unlabelled=unlabelled,
        lesson=lesson,
        plan=plan,
        model=model,
        adapter=adapter,
        dtype=dtype,
        device=device,
        beginning=beginning,
        origin=origin,
        choices=choices,
    )


def make_ready(
    prepared: Preparation, processes: Processes, report: Callable[[str], None]
) -> TrainingInputs:
    """Tokenize the texts and give what trains its start."""
    recipe, model, beginning = prepared.recipe, prepared.model, prepared.beginning
    corpora = _tokenize(model, prepared.taught, report)
    report(describe_engine(corpora, recipe, prepared.dtype, prepared.device, processes.count))
    for line in describe_unknown(unknown_part(model, corpora["train"])):
        report(line)
    if recipe.engine.quantization != "none" or recipe.engine.products != "float":
        report(describe_frozen_weights(model, recipe))
    train = corpora["train"]
    # The probe is computed again behind a checkpoint, and it is one of what has started.
    starts = beginning.checkpoint is None or recipe.head_start == "probe"
    if recipe.adapter.init == "eva" and starts:
        start_from_activations(model, train, recipe.seed)
    probe = None
    if recipe.head_start == "probe":
        probe = _start_with_probe(model, corpora, recipe.seed, report)
    if recipe.training.contrastive_steps and starts:
        unlabelled = prepared.unlabelled if prepared.lesson is None else ()
        start_adapters(model, train, unlabelled, recipe, report)
        if probe is not None:
            # Test is answered for a baseline alone, and that is the frozen encoder's probe.
            choosing = {split: corpora[split] for split in ("train", "validation")}
            tuned = _start_with_probe(model, choosing, recipe.seed, report)
            probe = replace(probe, moments=(*tuned.moments, *probe.moments))
    beginning.describe(report)
    return TrainingInputs(
        recipe=recipe,
        labels=model.labels,
        corpora=corpora,
        texts=prepared.taught.train.texts,
        targets=None if prepared.lesson is None else prepared.lesson.targets,
        checkpoint=beginning.checkpoint,
        dtype=prepared.dtype,
        probe=probe,
    )


def _start_with_probe(
    model: ClassifierNetwork, corpora: Corpora, seed: int, report: Callable[[str], None]
) -> ProbeStart:
    """Let the head start from its linear probe; return what the probe itself is worth."""
    train, validation = corpora["train"], corpora["validation"]
    probe = start_with_probe(model, train, seed)
    report(describe_start(probe))
    logits = {
        split: model.predict_logits(corpus) for split, corpus in corpora.items() if split != "train"
    }
    metrics = validation_metrics(model.problem, logits["validation"], text_labels(validation))
    start = ProbeStart((Snapshot(0, metrics, trainable_state(model)),), logits)
    assert train.labels is not None
    soften_probe(model, probe, train.labels)
    return start


def _tokenize(model: ClassifierNetwork, splits: Splits, report: Callable[[str], None]) -> Corpora:
    preprocessing = model.preprocessing
    assert preprocessing is not None

    def corpus(split: EncodedSplit) -> TokenCorpus:
        return build_corpus(
            preprocessing.tokenizer,
            split.texts,
            split.labels,
            preprocessing.max_length,
            default_cache_folder(),
            preprocessing.long_texts,
            report,
        )

    by_name = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return {name: corpus(split) for name, split in by_name.items() if split is not None}


def unknown_part(model: ClassifierNetwork, corpus: TokenCorpus) -> float:
    """Return the share of the tokens that the encoder does not know, 0..1."""
    assert model.preprocessing is not None
    tokenizer, pair = model.preprocessing.tokenizer, corpus.token_types is not None
    return unknown_share(tokenizer, corpus.token_ids, len(corpus), pair)


def answer_tuned(
    model: ClassifierNetwork, splits: Splits, corpora: Corpora, report: Callable[[str], None]
) -> dict[str, Answers]:
    """Answer validation, and tune on it what makes labels of logits."""
    answers = answer(model, splits.validation.texts, corpora["validation"])
    model.problem = tune(model.problem, answers.logits, splits.validation.labels)
    report(describe_tuning(model))
    return {"validation": answers}


def answer_test(model: ClassifierNetwork, splits: Splits, corpora: Corpora) -> dict[str, Answers]:
    """Answer test, where there is one."""
    if splits.test is None:
        return {}
    return {"test": answer(model, splits.test.texts, corpora["test"])}
