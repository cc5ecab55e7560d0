"""Text classifiers as their users usually set them up, each by one function.

A function takes training texts, their labels, texts to classify and a seed, and gives one row of
probabilities (of scores between 0 and 1 where it has none) for each text to classify. Labels are
(texts,) int64 class indices, or (texts, labels) of 0 and 1. Everything reads MiniLM from `folder`.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float32]
Classifier = Callable[[Sequence[str], Labels, Sequence[str], int, str], Probabilities]

MAX_LENGTH = 256
EPOCHS, BATCH_SIZE = 5, 16
FULL_RATE, PEFT_RATE = 1e-4, 1e-3
# Pairs that SetFit makes of each text (Tunstall et al. 2022, section 3), and steps at most: of
# 1,000 texts its pairs are 2,500 steps, half an hour on one core, and its loss is near 0 after 500.
SETFIT_PAIRS, SETFIT_STEPS = 20, 400
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)


def majority(
    texts: Sequence[str], labels: Labels, others: Sequence[str], seed: int, folder: str
) -> Probabilities:
    """Give every text the frequencies of the training labels."""
    shares = labels.mean(0) if labels.ndim == 2 else np.bincount(labels) / len(labels)
    return np.tile(shares.astype(np.float32), (len(others), 1))


def svm_words(
    texts: Sequence[str], labels: Labels, others: Sequence[str], seed: int, folder: str
) -> Probabilities:
    """Fit a linear support vector machine on words and pairs of words."""
    return _svm("word", (1, 2), texts, labels, others, seed)


def svm_characters(
    texts: Sequence[str], labels: Labels, others: Sequence[str], seed: int, folder: str
) -> Probabilities:
    """Fit a linear support vector machine on two to five characters in a row within words."""
    return _svm("char_wb", (2, 5), texts, labels, others, seed)


def linear_probe(
    texts: Sequence[str], labels: Labels, others: Sequence[str], seed: int, folder: str
) -> Probabilities:
    """Fit a logistic regression on frozen, mean-pooled states, its penalty by cross-validation."""
    from sentence_transformers import SentenceTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    encoder = SentenceTransformer(folder, device="cpu")
    encoder.max_seq_length = MAX_LENGTH
    known, new = (encoder.encode(list(group), batch_size=64) for group in (texts, others))
    if labels.ndim == 2:
        model = OneVsRestClassifier(LogisticRegression(C=10.0, max_iter=1000))
        return np.asarray(model.fit(known, labels).predict_proba(new), np.float32)
    penalty = _penalty(known, labels, seed)
    model = LogisticRegression(C=penalty, max_iter=1000).fit(known, labels)
    return _by_class(model.predict_proba(new), model.classes_, labels)


def full_fine_tuning(
    texts: Sequence[str], labels: Labels, others: Sequence[str], seed: int, folder: str
) -> Probabilities:
    """Train all of transformers' sequence classifier with its Trainer."""
    return _transformers(texts, labels, others, seed, folder, FULL_RATE, with_peft=False)


def peft(
    texts: Sequence[str], labels: Labels, others: Sequence[str], seed: int, folder: str
) -> Probabilities:
    """Train LoRA of rank 8 on query and value with transformers' Trainer and peft."""
    return _transformers(texts, labels, others, seed, folder, PEFT_RATE, with_peft=True)


def setfit(
    texts: Sequence[str], labels: Labels, others: Sequence[str], seed: int, folder: str
) -> Probabilities:
    """Train with SetFit: contrastive pairs, then a logistic regression."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    strategy = "one-vs-rest" if labels.ndim == 2 else None
    model = SetFitModel.from_pretrained(folder, multi_target_strategy=strategy, device="cpu")
    model.model_body.max_seq_length = MAX_LENGTH
    pairs = 2 * SETFIT_PAIRS * len(texts)
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out,
            batch_size=BATCH_SIZE,
            num_epochs=1,
            num_iterations=SETFIT_PAIRS,
            max_steps=min(SETFIT_STEPS, -(-pairs // BATCH_SIZE)),
            seed=seed,
            report_to="none",
            save_strategy="no",
            show_progress_bar=False,
        )
        rows = Dataset.from_dict({"text": list(texts), "label": labels.tolist()})
        Trainer(model=model, args=arguments, train_dataset=rows).train()
    probabilities = np.asarray(model.predict_proba(list(others), as_numpy=True), np.float32)
    if labels.ndim == 2:
        return probabilities
    return _by_class(probabilities, model.model_head.classes_, labels)


def ranklet(
    texts: Sequence[str], labels: Labels, others: Sequence[str], seed: int, folder: str
) -> Probabilities:
    """Train with the recipe `default`, whatever it chooses."""
    from ranklet.recipe import load_recipe
    from ranklet.workflows.train import learn

    several = labels.ndim == 2
    kind = "multi_label_classification" if several else "single_label_classification"
    recipe = load_recipe(
        "default", ["data.train=texts.csv", f"seed={seed}", f"data.problem_type={kind}"]
    )
    names = [
        [f"{index:03}" for index in np.flatnonzero(row)] if several else f"{row:03}"
        for row in labels
    ]
    learned = learn(recipe, data=(list(texts), names))
    classifier = learned.classifier
    probabilities = np.asarray(classifier.predict_proba(list(others)), np.float32)
    columns = np.zeros((len(others), labels.shape[1] if several else int(labels.max()) + 1))
    columns[:, [int(name) for name in classifier.labels.names]] = probabilities
    if several:
        # A threshold for each label, here all moved to 0.5.
        thresholds = np.array(classifier.problem.thresholds)
        moved = np.where(
            columns < thresholds, columns / (2 * thresholds), 0.5 + (columns - thresholds)
        )
        return moved.astype(np.float32)
    return columns.astype(np.float32)


CLASSIFIERS: dict[str, Classifier] = {
    "majority": majority,
    "SVM, words": svm_words,
    "SVM, characters": svm_characters,
    "linear probe": linear_probe,
    "transformers, full": full_fine_tuning,
    "transformers + peft": peft,
    "SetFit": setfit,
    "ranklet": ranklet,
}


def _svm(
    analyzer: str,
    ngrams: tuple[int, int],
    texts: Sequence[str],
    labels: Labels,
    others: Sequence[str],
    seed: int,
) -> Probabilities:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    machine = LinearSVC(random_state=seed)
    machine = OneVsRestClassifier(machine) if labels.ndim == 2 else machine
    vectors = TfidfVectorizer(analyzer=analyzer, ngram_range=ngrams, sublinear_tf=True)
    model = make_pipeline(vectors, machine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = model.fit(texts, labels).predict(others)
    if labels.ndim == 2:
        return np.asarray(predicted, np.float32)
    return np.eye(int(labels.max()) + 1, dtype=np.float32)[predicted]


def _penalty(features: NDArray[np.float32], labels: Labels, seed: int) -> float:
    """Return the C of the best cross-validated accuracy; 10 where a class has one text."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    folds = min(5, int(np.bincount(labels)[np.unique(labels)].min()))
    if folds < 2:
        return 10.0
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)

    def accuracy(penalty: float) -> float:
        model = LogisticRegression(C=penalty, max_iter=1000)
        return float(cross_val_score(model, features, labels, cv=split).mean())

    return max(PENALTIES, key=accuracy)


def _by_class(
    probabilities: NDArray[np.floating], classes: Sequence[int], labels: Labels
) -> Probabilities:
    """Put the columns of the classes that were seen at their indices."""
    columns = np.zeros((len(probabilities), int(labels.max()) + 1), np.float32)
    columns[:, np.asarray(classes, int)] = probabilities
    return columns


def _transformers(
    texts: Sequence[str],
    labels: Labels,
    others: Sequence[str],
    seed: int,
    folder: str,
    rate: float,
    with_peft: bool,
) -> Probabilities:
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    set_seed(seed)
    several = labels.ndim == 2
    classes = labels.shape[1] if several else int(labels.max()) + 1
    kind = "multi_label_classification" if several else "single_label_classification"
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=classes, problem_type=kind
    )
    if with_peft:
        from peft import LoraConfig, get_peft_model

        adapter = LoraConfig(
            task_type="SEQ_CLS",
            r=8,
            lora_alpha=16,
            lora_dropout=0.1,
            target_modules=["query", "value"],
        )
        model = get_peft_model(model, adapter)
    tokenizer = AutoTokenizer.from_pretrained(folder)

    columns = dict(tokenizer(list(texts), truncation=True, max_length=MAX_LENGTH))
    columns["labels"] = (labels.astype(np.float32) if several else labels).tolist()

    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out,
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=BATCH_SIZE,
            learning_rate=rate,
            warmup_steps=0.06,
            seed=seed,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            train_sampling_strategy="group_by_length",
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_dict(columns),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.train()
    # Not Trainer.predict, which returns them in the order of their lengths.
    model.eval()
    with torch.inference_mode():
        parts = [list(others[start : start + 64]) for start in range(0, len(others), 64)]
        cut = {"truncation": True, "max_length": MAX_LENGTH}
        batches = [tokenizer(part, padding=True, return_tensors="pt", **cut) for part in parts]
        logits = torch.cat([model(**batch).logits for batch in batches])
    return (logits.sigmoid() if several else logits.softmax(-1)).numpy()
