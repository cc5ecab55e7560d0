"""How many planted faults do the tests notice?

    python benchmarks/statistics/mutations.py

Each mutation changes one expression of a copy of `src`, then the tests of that file run on the copy
until the first of them fails. All of the tests pass on an unchanged copy first. A mutation whose
tests go on beyond the time limit counts as noticed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library.results import ROOT, record

FUSED = ("tests/parity/test_fused_layer.py",)
ENCODER = ("tests/parity/test_encoder.py", "tests/parity/test_modernbert.py", *FUSED)
LORA = ("tests/unit/lora", "tests/parity/test_peft.py", "tests/properties/test_budget.py")
PLAN = ("tests/unit/budget/test_plan.py", "tests/properties/test_budget.py")
READING = (
    "tests/unit/data/reading",
    "tests/properties/test_data.py",
    "tests/properties/test_label_sets.py",
    "tests/end_to_end/test_bad_data_files.py",
)
CORPUS = ("tests/unit/data/tokens/test_corpus.py", "tests/properties/test_tokens.py")
BATCHING = ("tests/unit/data/tokens/test_batching.py", "tests/properties/test_tokens.py")
LONG_TEXTS = ("tests/unit/data/tokens/test_long_texts.py", "tests/properties/test_long_texts.py")
ROWS = ("tests/unit/data/test_cleaning.py", "tests/properties/test_data.py")
INTERVALS = ("tests/unit/evaluation/test_intervals.py", "tests/properties/test_evaluation.py")
COMPARISON = ("tests/unit/evaluation/comparison", "tests/properties/test_comparison.py")
CALIBRATION = (
    "tests/unit/evaluation/test_calibration.py",
    "tests/properties/test_further_figures.py",
)
FIT = ("tests/unit/training/test_fit.py", "tests/unit/training/techniques/test_averaging.py")
SCHEDULES = ("tests/unit/training/test_schedules.py", "tests/parity/test_schedules.py")


@dataclass(frozen=True)
class Mutation:
    """A planted fault.

    Attributes:
        file: Below `src/ranklet`.
        old: Text that the file holds exactly once.
        new: Text in its place.
        tests: Of that file.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


ENGINE_MUTATIONS = (
    Mutation("encoder/fused/attention.py", "inner.mT, query", "inner, query", FUSED),
    Mutation("encoder/fused/layer.py", "maps.intermediate, residual)", "maps.intermediate)", FUSED),
    Mutation(
        "encoder/fused/layer.py",
        "if any(parameter.requires_grad",
        "if all(parameter.requires_grad",
        ENCODER,
    ),
    Mutation("encoder/fused/linear_maps.py", ".float() * addition.scaling]", ".float()]", FUSED),
    Mutation(
        "encoder/fused/linear_maps.py",
        "if place != (memory, start + index * first.numel()) or",
        "if place[0] != memory or",
        ENCODER,
    ),
    Mutation("encoder/attention.py", "scores.softmax(-1)", "scores.softmax(-2)", ENCODER),
    Mutation("encoder/packing.py", ".index_fill_(0, self._grid.gaps, 0)", "", ENCODER),
    Mutation(
        "encoder/local_attention.py", "query).abs() <= window", "query).abs() < window", ENCODER
    ),
    Mutation(
        "encoder/local_attention.py",
        "if max_seqlen <= window + 1",
        "if max_seqlen <= window + 2",
        ENCODER,
    ),
    Mutation(
        "encoder/quantization.py",
        "scales.clamp(min=torch.finfo(torch.float32).tiny)[",
        "scales[",
        ("tests/parity/test_quantization.py",),
    ),
)
BUDGET_MUTATIONS = (
    Mutation("budget/plan.py", "if plan.remaining >= 0:", "if plan.remaining > 0:", PLAN),
    Mutation("budget/plan.py", "        and name not in trained_norms\n", "", PLAN),
    Mutation(
        "budget/allocation.py",
        "unit, -candidate.layer,",
        "unit, candidate.layer,",
        ("tests/properties/test_allocation.py", "tests/unit/budget"),
    ),
    Mutation("budget/gains.py", ".cummin(0).values", "", ("tests/unit/budget/test_gains.py",)),
    Mutation(
        "lora/placement.py", "return weight + self.out_features * self.bias", "return weight", PLAN
    ),
    Mutation(
        "lora/adapter_file.py", "if p.alpha != adapter.alpha", "if p.rank != adapter.rank", LORA
    ),
    Mutation("lora/merge.py", "(LoRALinear, LoRAEmbedding))", "LoRALinear)", LORA),
    Mutation(
        "lora/shrink.py", "(-(float(value) ** 2) / costs[module],", "(-(float(value) ** 2),", LORA
    ),
)
DATA_MUTATIONS = (
    Mutation("data/reading/delimited.py", "reader.line_num + 1", "reader.line_num", READING),
    Mutation("data/reading/lines.py", "blank = blank or line", "blank = line", READING),
    Mutation(
        "data/reading/lines.py",
        "if len(line) > MAX_LINE_BYTES:",
        "if len(line) >= MAX_LINE_BYTES:",
        READING,
    ),
    Mutation("data/reading/row.py", "in names[:position]", "in names[: position - 1]", READING),
    Mutation("data/tokens/corpus.py", " {long_texts.overlap}", "", CORPUS),
    Mutation("data/tokens/batching.py", "+ 1) <= batch_tokens", "+ 1) < batch_tokens", BATCHING),
    Mutation("data/tokens/long_texts.py", "(room + 2) // 4", "room // 4", LONG_TEXTS),
    Mutation(
        "data/splits.py",
        "if taken[label] < sizes[label] - 1]",
        "if taken[label] < sizes[label]]",
        ROWS,
    ),
    Mutation(
        "data/duplicates.py",
        'unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())',
        'unicodedata.normalize("NFKC", text).casefold()',
        ROWS,
    ),
    Mutation("data/cleaning.py", "words <= max_words", "words < max_words", ROWS),
)
STATISTICS_MUTATIONS = (
    Mutation("evaluation/intervals.py", "spread / (4 * rows)", "spread / (2 * rows)", INTERVALS),
    Mutation(
        "evaluation/intervals.py", "tail = (1 - confidence) / 2", "tail = 1 - confidence", INTERVALS
    ),
    Mutation(
        "evaluation/comparison/significance.py",
        "np.maximum.accumulate(scaled)",
        "scaled",
        COMPARISON,
    ),
    Mutation(
        "evaluation/comparison/significance.py",
        "len(left) + len(right) - 2",
        "len(left) + len(right) - 1",
        COMPARISON,
    ),
    Mutation(
        "evaluation/calibration.py",
        "np.ceil(precise * BINS).astype(np.int64) - 1",
        "np.floor(precise * BINS).astype(np.int64)",
        CALIBRATION,
    ),
    Mutation(
        "evaluation/selective.py",
        "ranked[1:] < ranked[:-1]",
        "ranked[1:] <= ranked[:-1]",
        ("tests/unit/evaluation/test_selective.py", "tests/properties/test_further_figures.py"),
    ),
    Mutation(
        "evaluation/unlabelled/estimators.py",
        "[len(known) - hits]",
        "[len(known) - hits - 1]",
        ("tests/unit/evaluation/unlabelled",),
    ),
    Mutation("data/audit/label_errors.py", " & (margin < 0)", "", ("tests/unit/data/audit",)),
)
TRAINING_MUTATIONS = (
    Mutation("training/optimizer_step.py", "len(indices) / texts)", "1 / len(step.batches))", FIT),
    Mutation(
        "training/selection.py",
        "if not self.is_better(snapshot.metrics, older.metrics)]",
        "if self.is_better(older.metrics, snapshot.metrics)]",
        FIT,
    ),
    Mutation(
        "training/schedules.py", "step - warmup_steps - 1)", "step - warmup_steps)", SCHEDULES
    ),
    Mutation(
        "training/processes.py",
        "(seed, step, self.index)",
        "(seed, step)",
        ("tests/unit/training/test_processes.py",),
    ),
)
ROOMS = {
    "engine": ENGINE_MUTATIONS,
    "budget": BUDGET_MUTATIONS,
    "data": DATA_MUTATIONS,
    "statistics": STATISTICS_MUTATIONS,
    "training": TRAINING_MUTATIONS,
}


def plant(source: Path, mutation: Mutation) -> None:
    """Plant a fault in a copy of the sources."""
    path = source / "ranklet" / mutation.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        raise SystemExit(f"{mutation.file}: {mutation.old!r} does not stand there exactly once")
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")


def first_failure(
    tests: Sequence[str], mutation: Mutation | None, time_limit: float | None
) -> str | None:
    """Run tests on a new copy of the sources until one fails; None where all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        if mutation is not None:
            plant(source, mutation)
        environment = os.environ | {
            "PYTHONPATH": str(source),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(Path(folder) / "hypothesis"),
            "OMP_NUM_THREADS": "1",
        }
        try:
            run = subprocess.run(
                [*command, "--no-header", "--tb=no", "-rfE"],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=time_limit,
            )
        except subprocess.TimeoutExpired:
            return "the time limit"
    if run.returncode == 0:
        return None
    lines = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[0].partition(" - ")[0] if lines else f"pytest's exit code {run.returncode}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS))
    parser.add_argument("--file", help="only mutations of files whose name holds this")
    parser.add_argument("--time-limit", type=float, default=300, help="seconds for each mutation")
    parser.add_argument("--skip-unchanged", action="store_true", help="the tests are known to pass")
    options = parser.parse_args()
    mutations = [
        mutation
        for room in options.rooms
        for mutation in ROOMS[room]
        if not options.file or options.file in mutation.file
    ]
    if not options.skip_unchanged:
        tests = dict.fromkeys(test for mutation in mutations for test in mutation.tests)
        failure = first_failure(list(tests), None, None)
        if failure is not None:
            raise SystemExit(f"without any mutation: {failure}")
    lines = []
    for mutation in mutations:
        failure = first_failure(mutation.tests, mutation, options.time_limit)
        verdict = "survived" if failure is None else f"noticed by {failure}"
        print(f"{mutation.file}: {mutation.old!r} -> {mutation.new!r}: {verdict}", flush=True)
        lines.append({"file": mutation.file, "old": mutation.old, "noticed": failure is not None})
    noticed = sum(line["noticed"] for line in lines)
    print(f"{noticed} of {len(lines)} noticed")
    record("mutations", {"mutations": len(lines), "noticed": noticed, "lines": lines})


if __name__ == "__main__":
    main()
