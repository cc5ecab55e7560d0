"""What a finished training suggests: where it stands, and what would most likely help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ranklet.data.tokens.tokenizer import MANY_UNKNOWN
from ranklet.evaluation.baselines import CHARACTERS, MAJORITY, PROBE, WORDS, Baseline
from ranklet.evaluation.data_description import DataDescription
from ranklet.evaluation.result import Evaluation

MOST_ADVICE = 3
FEW_TEXTS = 50
TRUNCATED_SHARE = 0.1
SURE_ERRORS_SHARE, FEWEST_DOUBTED = 0.02, 3
# A weaker classifier doubts labels that are right.
DOUBTS_FROM_ACCURACY = 0.9
# Under an English tokenizer, English sets had 1.1 to 1.3 tokens a word, a German one 2.4.
MANY_TOKENS = 2.0
# A label of fewer texts is hardly learned by any classifier.
FEWEST_TEXTS = 16
# As many positions as most encoders have.
MOST_TOKENS = 512
_OTHER_LANGUAGES = "--set encoder=xlm-roberta-base"
_NAMES = {"accuracy": "accuracy", "f1_macro": "macro F1"}


@dataclass(frozen=True)
class Circumstances:
    """What is known of a training that may explain where its classifier stands.

    Attributes:
        unknown: Share of the tokens that stand for any word, 0..1.
        truncated: Share of the training texts that were cut, 0..1.
        max_length: Tokens kept of a text.
        tokens_per_word: Of a text in the middle.
        texts_per_label: Training texts of a label in the middle.
        still_learning: Whether the validation loss was still falling at the end.
        longer: The setting that trains longer.
        slower: The setting that trains more carefully.
    """

    unknown: float
    truncated: float
    max_length: int
    tokens_per_word: float
    texts_per_label: float
    still_learning: bool
    longer: str
    slower: str


def stand(evaluation: Evaluation, baselines: Sequence[Baseline]) -> str | None:
    """Say in a line where a classifier stands against the simple ones; None without any.

    One label a text is compared by accuracy, several by macro F1, since their exact match is low
    for every classifier. A difference within the interval of the best baseline tells nothing.

    Args:
        evaluation: Of the classifier on a split.
        baselines: Of simple classifiers on the same split.
    """
    if not baselines:
        return None
    figure = _deciding(evaluation)
    best, points = _best(evaluation, baselines, figure)
    metrics = [(baseline.name, getattr(baseline, figure).value) for baseline in baselines]
    others = f"{_NAMES[figure]} " + ", ".join(f"{name} {value:.4f}" for name, value in metrics)
    if not _is_clear(evaluation, best, figure):
        return (
            f"not told apart from {best.name} on {evaluation.split}, {points:+.1f} points: {others}"
        )
    if points < 0:
        return f"below a simple baseline on {evaluation.split} by {-points:.1f} points: {others}"
    return f"above the simple baselines on {evaluation.split}, {points:+.1f} points: {others}"


def warn(
    evaluation: Evaluation, baselines: Sequence[Baseline], circumstances: Circumstances
) -> str | None:
    """Say why a classifier likely does not beat the simple ones, and what to set; None if it does.

    Args:
        evaluation: Of the classifier on a split.
        baselines: Of simple classifiers on the same split.
        circumstances: Of the training.
    """
    for figure in dict.fromkeys((_deciding(evaluation), "f1_macro")) if baselines else ():
        best, points = _best(evaluation, baselines, figure)
        is_clear = _is_clear(evaluation, best, figure)
        if points > 0 or (figure != _deciding(evaluation) and not is_clear):
            continue
        by = f"by {-points:.1f} points of {_NAMES[figure]} on {evaluation.split}"
        if not is_clear:
            return (
                f"{best.name} is better {by}, within the interval of {evaluation.rows:,} texts: "
                "not told apart, more texts to test on would tell"
            )
        if figure != _deciding(evaluation):
            return (
                f"{best.name} is better {by} alone, likely because rare labels are missed; "
                "--set training.metric=macro_f1 --set training.sampling=square_root"
            )
        return f"{best.name} is better {by}, likely because {_reason(best.name, circumstances)}"
    return None


def _deciding(evaluation: Evaluation) -> str:
    return "accuracy" if evaluation.label_sets is None else "f1_macro"


def _best(
    evaluation: Evaluation, baselines: Sequence[Baseline], figure: str
) -> tuple[Baseline, float]:
    """Return the best baseline and the points that the classifier is above it."""
    best = max(baselines, key=lambda baseline: float(getattr(baseline, figure).value))
    return best, 100 * (getattr(evaluation, figure).value - getattr(best, figure).value)


def _is_clear(evaluation: Evaluation, best: Baseline, figure: str) -> bool:
    low, high = getattr(best, figure).interval
    return not low <= getattr(evaluation, figure).value <= high


def _reason(best: str, known: Circumstances) -> str:
    """Name the likeliest reason with what to set, the surest signs first."""
    if known.unknown >= MANY_UNKNOWN:
        return f"{known.unknown:.0%} of the tokens are unknown to this encoder; {_OTHER_LANGUAGES}"
    if best in (WORDS, CHARACTERS) and known.truncated >= TRUNCATED_SHARE:
        return (
            f"{known.truncated:.0%} of the training texts were cut at {known.max_length} tokens, "
            f"and the baseline reads all of them; {_reads_more(known.max_length)}"
        )
    if known.tokens_per_word >= MANY_TOKENS:
        return (
            f"the encoder splits a word into {known.tokens_per_word:.1f} tokens, as of a language "
            f"that it hardly knows; {_OTHER_LANGUAGES}"
        )
    if known.still_learning:
        return f"the validation loss was still falling at the end; --set {known.longer}"
    if known.texts_per_label < FEWEST_TEXTS:
        return (
            f"a label has {known.texts_per_label:.0f} training texts; label more (`ranklet audit` "
            "names the labels that lack them)"
        )
    if best == MAJORITY:
        return "the texts say little of the labels; `ranklet audit` tells what they do say"
    if best == PROBE:
        return f"the training lost some of what the encoder knew; --set {known.slower}"
    return "this encoder sees past what the words tell; --set encoder=roberta-base"


def _reads_more(max_length: int) -> str:
    """Return the setting that reads more of long texts."""
    longer = f"data.max_length={2 * max_length}"
    return f"--set {longer if 2 * max_length <= MOST_TOKENS else 'data.long_texts=windows'}"


def advise(
    evaluation: Evaluation,
    data: DataDescription,
    truncated: float,
    doubted: int,
    max_length: int,
) -> list[str]:
    """Say what would most likely make a classifier better, the likeliest first, at most 3 lines.

    Args:
        evaluation: On the split that nothing was chosen on, else on validation.
        data: Rows by label, among others.
        truncated: Share of the training texts that were cut, 0..1.
        doubted: Rows of the split whose label is likely to be wrong itself.
        max_length: Tokens kept of a text.
    """
    advice = [*_weak_label(evaluation, data)]
    many = max(FEWEST_DOUBTED, SURE_ERRORS_SHARE * evaluation.rows)
    if doubted >= many and evaluation.accuracy.value >= DOUBTS_FROM_ACCURACY:
        advice.append(
            f"wrong labels: {doubted:,} of {evaluation.rows:,} {evaluation.split} labels look "
            "wrong; `ranklet audit` lists those of the training texts"
        )
    if truncated >= TRUNCATED_SHARE:
        advice.append(
            f"longer texts: {truncated:.0%} of the training texts were cut at {max_length} tokens; "
            f"{_reads_more(max_length)} reads more of them"
        )
    return advice[:MOST_ADVICE]


def _weak_label(evaluation: Evaluation, data: DataDescription) -> list[str]:
    """Name the label that is missed most often among those with few training texts."""
    texts: Mapping[str, int] = dict(zip(data.labels, data.label_rows["train"], strict=True))
    few = [
        label
        for label in evaluation.classes
        if label.support and texts[label.label] < FEW_TEXTS and label.recall.value < 1
    ]
    if not few:
        return []
    worst = min(few, key=lambda label: (label.recall.value, texts[label.label]))
    missed = round((1 - worst.recall.value) * worst.support)
    return [
        f"more texts of {worst.label!r}: {missed} of its {worst.support} {evaluation.split} texts "
        f"were missed, and it has {texts[worst.label]} for training"
    ]
