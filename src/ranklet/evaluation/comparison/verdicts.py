"""Comparison: several systems on the same texts, each difference called noise or real, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

from ranklet.display import Display, shows_itself, with_interval
from ranklet.errors import RunError
from ranklet.evaluation.comparison.across_seeds import across_seeds
from ranklet.evaluation.comparison.row_answers import Matrix, RowAnswers, agreement, error_agreement
from ranklet.evaluation.comparison.sentences import (
    accuracy_in_words,
    comment,
    f1_in_words,
    p_in_words,
)
from ranklet.evaluation.comparison.significance import (
    SIGNIFICANCE,
    Difference,
    RequiredSample,
    compare_answers,
    holm,
    needed_to_tell,
)
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.result import Evaluation
from ranklet.evaluation.unlabelled.result import Estimate

Verdict = Literal["noise", "real"]
Overall = Literal["noise", "real", "mixed"]

CHOOSING_BY_TEST = (
    "These are test rows. Whoever picks the best of several runs by them picks its luck too, so "
    "its figure is too good. Choose by validation, and report the test figure of the one chosen."
)
CHOSEN_BY_VALIDATION = (
    "Validation rows also chose the best step of each run and its temperature or thresholds, so "
    "all figures here are a little too good; report test figures."
)
ROWS_BY_SEED = "Every seed has validation rows of its own, so runs are compared seed by seed."
MIXED = (
    "Where {} and macro F1 disagree: the first counts every text alike, macro F1 every class, "
    "however rare. Choose by macro F1 where rare classes matter."
)
SEVERAL_PAIRS = (
    "With {} pairs one is easily different by chance, so each p is corrected (Holm); the intervals "
    "are not."
)


@dataclass(frozen=True, eq=False)
class Contender:
    """A run, or runs that differ by nothing but their seed, to be compared with others.

    Attributes:
        name: What it is called.
        runs: Names of its runs by seed.
        evaluations: Figures of each run, by seed.
        answers: Answers of each run, by seed.
        parameters: Trained parameters of one run.
        seconds: Training time of one run, the mean of several; None where it is not known.
        fields: The fields of its recipe in which the contenders differ.
    """

    name: str
    runs: Mapping[int, str]
    evaluations: Mapping[int, Evaluation]
    answers: Mapping[int, RowAnswers]
    parameters: int
    seconds: float | None
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Entry:
    """What a contender reached.

    Attributes:
        name: What it is called.
        runs: Names of its runs.
        seeds: Their seeds.
        accuracy: Of one run, with Wilson's interval over texts; of several, their mean with
            Student's interval over seeds.
        f1_macro: The same, one run's with a bootstrap interval.
        f1_micro: The same where a text may have several labels, else None: it is the accuracy.
        parameters: Trained parameters of one run.
        seconds: Training time of one run, the mean of several.
        fields: The fields of its recipe in which the entries differ.
    """

    name: str
    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    accuracy: Metric
    f1_macro: Metric
    f1_micro: Metric | None
    parameters: int
    seconds: float | None
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Pair:
    """Two entries and what their difference is.

    Attributes:
        first: Name of one entry.
        second: Name of the other.
        difference: What the first has over the second.
        p: That of accuracy, corrected for the number of pairs.
        f1_p: That of macro F1, corrected alike.
        accuracy_verdict: `real` where p is below 0.05 and the recipes differ, else `noise`.
        f1_verdict: The same by `f1_p`.
        verdict: That of both; `mixed` where they disagree, or are real with opposite signs.
        needed: What it would take to tell such a difference of accuracy from none; None where it is
            told.
        sentence: All of it in words.
    """

    first: str
    second: str
    difference: Difference
    p: float
    f1_p: float
    accuracy_verdict: Verdict
    f1_verdict: Verdict
    verdict: Overall
    needed: RequiredSample | None
    sentence: str


@shows_itself
@dataclass(frozen=True)
class Comparison:
    """Several systems on the same texts.

    Attributes:
        split: `test` or `validation`.
        rows: Texts of each run.
        accuracy_name: What `accuracy` is called here.
        same_recipe: Whether all runs differ by nothing but their seed; then each is an entry.
        entries: What each reached.
        pairs: Every two of them.
        runs: Names of all runs, in the order of the matrices.
        agreement: Share of texts that two runs answer alike.
        error_agreement: Cohen's kappa of which texts two runs answer right.
        notes: What to know before anything is concluded.
        estimates: Accuracy to expect of each entry on texts without labels, by its name, where
            there was a target.
    """

    split: str
    rows: int
    accuracy_name: str
    same_recipe: bool
    entries: tuple[Entry, ...]
    pairs: tuple[Pair, ...]
    runs: tuple[str, ...]
    agreement: Matrix
    error_agreement: Matrix
    notes: tuple[str, ...]
    estimates: Mapping[str, Estimate] = field(default_factory=dict)

    def display(self) -> Display:
        """Return what each reached as a table, the verdict on every pair below it."""
        rows = [
            (
                entry.name,
                with_interval(entry.accuracy.value, entry.accuracy.interval),
                f"{entry.f1_macro.value:.4f}",
                f"{entry.parameters:,}",
                str(len(entry.seeds)),
            )
            for entry in self.entries
        ]
        return Display(
            f"Comparison of {len(self.entries)} systems on {self.rows:,} {self.split} texts",
            ("system", self.accuracy_name, "macro F1", "parameters", "seeds"),
            rows,
            (*(pair.sentence for pair in self.pairs), *self.notes),
        )


def compare_contenders(
    contenders: Sequence[Contender], split: str, same_recipe: bool, seed: int = 0
) -> Comparison:
    """Compare every two contenders.

    Args:
        contenders: At least two.
        split: What the texts are called.
        same_recipe: Whether they differ by nothing but their seed.
        seed: Seed of the bootstrap.

    Raises:
        RunError: Two of them have no rows in common.
    """
    couples = list(combinations(contenders, 2))
    differences = [_difference(first, second, seed) for first, second in couples]
    corrected = zip(
        holm([difference.p for difference in differences]),
        holm([difference.f1_p for difference in differences]),
        strict=True,
    )
    first_run = next(iter(contenders[0].evaluations.values()))
    name = first_run.accuracy_name
    pairs = tuple(
        _pair((first.name, second.name), difference, both, same_recipe, len(couples), name)
        for (first, second), difference, both in zip(couples, differences, corrected, strict=True)
    )
    names = [entry.runs[seed] for entry in contenders for seed in entry.answers]
    answers = [run for entry in contenders for run in entry.answers.values()]
    return Comparison(
        split=split,
        rows=first_run.rows,
        accuracy_name=name,
        same_recipe=same_recipe,
        entries=tuple(map(_entry, contenders)),
        pairs=pairs,
        runs=tuple(names),
        agreement=agreement(answers),
        error_agreement=error_agreement(answers),
        notes=tuple(_notes(split, pairs, len({run.rows for run in answers}) > 1, name)),
    )


def choice_in_words(estimates: Mapping[str, Estimate]) -> str:
    """Say which entry to choose by the accuracy that is expected on texts without labels."""
    best, *others = sorted(estimates, key=lambda name: -estimates[name].accuracy)
    low = estimates[best].interval[0]
    close = [name for name in others if estimates[name].interval[1] >= low]
    sentence = f"{best} is expected to be best there, {estimates[best].accuracy:.1%}"
    if close:
        sentence += f"; the intervals of {', '.join(close)} reach as high: it may as well be noise"
    warned = [name for name, estimate in estimates.items() if estimate.warning is not None]
    return sentence + (f"; not to be relied on for {', '.join(warned)}" if warned else "")


def _difference(first: Contender, second: Contender, seed: int) -> Difference:
    try:
        return compare_answers(first.answers, second.answers, seed)
    except RunError as error:
        raise RunError(
            f"{first.name} and {second.name}: {error}, or have data.validation name a file"
        ) from error


def _entry(contender: Contender) -> Entry:
    evaluations = list(contender.evaluations.values())
    label_sets = [run.label_sets for run in evaluations if run.label_sets is not None]
    return Entry(
        name=contender.name,
        runs=tuple(contender.runs.values()),
        seeds=tuple(contender.runs),
        accuracy=_over_runs([evaluation.accuracy for evaluation in evaluations]),
        f1_macro=_over_runs([evaluation.f1_macro for evaluation in evaluations]),
        f1_micro=_over_runs([sets.f1_micro for sets in label_sets]) if label_sets else None,
        parameters=contender.parameters,
        seconds=contender.seconds,
        fields=contender.fields,
    )


def _over_runs(figures: Sequence[Metric]) -> Metric:
    together = across_seeds([figure.value for figure in figures])
    if together.interval is None:
        return figures[0]
    low, high = together.interval  # of few seeds wider than a share can be
    return Metric(together.mean, (max(low, 0.0), min(high, 1.0)))


def _pair(
    names: tuple[str, str],
    difference: Difference,
    p_values: tuple[float, float],
    same_recipe: bool,
    pairs: int,
    accuracy_name: str,
) -> Pair:
    accuracy, f1 = (_verdict(p, same_recipe) for p in p_values)
    opposite = difference.accuracy.value * difference.f1_macro.value < 0
    mixed = accuracy != f1 or (accuracy == "real" and opposite)
    is_clear = [p < SIGNIFICANCE for p in p_values]
    needed = None if is_clear[0] else needed_to_tell(difference, SIGNIFICANCE / pairs)
    name = accuracy_name if mixed or accuracy_name != "accuracy" else None
    correction = f", corrected for {pairs} pairs" if pairs > 1 else ""
    accuracy_p, f1_p = map(p_in_words, p_values)
    sentence = (
        f"{accuracy_in_words(*names, difference, name)}: {accuracy} ({accuracy_p}{correction})"
    )
    sentence += f"; {f1_in_words(difference)}: {f1} ({f1_p})" if mixed else ", macro F1 too"
    sentence += comment(difference, same_recipe, any(is_clear), None if mixed else needed)
    verdict: Overall = "mixed" if mixed else accuracy
    return Pair(*names, difference, *p_values, accuracy, f1, verdict, needed, sentence)


def _verdict(p: float, same_recipe: bool) -> Verdict:
    return "real" if p < SIGNIFICANCE and not same_recipe else "noise"


def _notes(split: str, pairs: Sequence[Pair], rows_by_seed: bool, accuracy_name: str) -> list[str]:
    notes = [CHOOSING_BY_TEST if split == "test" else CHOSEN_BY_VALIDATION]
    if rows_by_seed:
        notes.append(ROWS_BY_SEED)
    if any(pair.verdict == "mixed" for pair in pairs):
        notes.append(MIXED.format(accuracy_name))
    if len(pairs) > 1:
        notes.append(SEVERAL_PAIRS.format(len(pairs)))
    return notes
