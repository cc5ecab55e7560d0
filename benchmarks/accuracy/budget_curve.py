"""Accuracy against trained parameters: what the solver's placements are worth at equal budgets.

    python benchmarks/accuracy/budget_curve.py --train ../shared/ag_news/train.csv \
        --test ../shared/ag_news/test.csv --seeds 0 1 2 3 4

Every run is a process of its own and becomes one JSON line in `--results`; what stands there is not
run again, so that an interrupted experiment goes on where it stopped. `--report` prints and draws
what is there without running anything.

Arms, all MiniLM with the `ag_news` recipe and `adapter.fit` at the same budgets:

- `baseline`: query and value, equal ranks, the dense (pooler) head of transformers;
- `slim`: the same with mean pooling and a linear head;
- `uniform`, `by_depth`, `measured`: all linear maps, mean pooling and a linear head.

`default` is the reference of one budget: all linear maps at the rank of `--default-rank`.

Validation is taken out of the training file and chooses the weights and, where several are given,
each arm's learning rate at each budget. Test figures are reported only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library.arms import Row, interval, read_rows
from library.results import record
from library.sample_rows import sample_rows

SLIM = ["head=linear", "pooling=mean"]
ARMS: dict[str, list[str]] = {
    "baseline": ["head=dense", "pooling=cls", "adapter.target_modules=[query, value]"],
    "slim": [*SLIM, "adapter.target_modules=[query, value]"],
    "uniform": [*SLIM, "adapter.fit_mode=uniform"],
    "by_depth": [*SLIM, "adapter.fit_mode=by_depth"],
    "measured": [*SLIM, "adapter.fit_mode=measured"],
}
DEFAULT = "default"


def settings_of(arm: str, budget: int, options: argparse.Namespace) -> list[str]:
    if arm == DEFAULT:
        return [*SLIM, f"adapter.rank={options.default_rank}"]
    return [*ARMS[arm], f"budget={budget}", f"adapter.fit={budget}"]


def jobs(options: argparse.Namespace) -> list[Row]:
    """List every run; seeds outermost, so that an interrupted experiment has whole pairs."""
    chosen = [(arm, budget) for budget in options.budgets for arm in options.arms]
    if options.default_rank:
        chosen.append((DEFAULT, 0))
    return [
        {
            "arm": arm,
            "budget": budget,
            "seed": seed,
            "learning_rate": rate,
            "epochs": options.epochs,
            "texts": options.texts,
            "test_texts": options.test_texts,
            "set": [*settings_of(arm, budget, options), *options.set],
        }
        for seed in options.seeds
        for arm, budget in chosen
        for rate in options.learning_rates
    ]


def run(job: Row, train: Path, test: Path) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "ranklet", "train", "ag_news", "--out", str(out)]
        for setting in (
            "encoder=minilm",
            f"data.train={train}",
            f"data.test={test}",
            f"seed={job['seed']}",
            f"training.epochs={job['epochs']}",
            f"training.learning_rate={job['learning_rate']}",
            *job["set"],
        ):
            command += ["--set", setting]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall = time.perf_counter() - started
        read = {
            split: json.loads((out / "evaluation" / f"{split}.json").read_text(encoding="utf-8"))
            for split in ("validation", "test")
        }
        plan = json.loads((out / "plan.json").read_text(encoding="utf-8"))
        ranks = {row["module"]: row["rank"] for row in plan["rows"] if row["rank"] is not None}
        return {
            **job,
            "parameters": plan["total"],
            "validation": read["validation"]["accuracy"],
            "test": read["test"]["accuracy"],
            "wall_s": round(wall, 1),
            "ranks": ranks,
        }


def key(row: Row, fields: Iterable[str]) -> str:
    return json.dumps([row[field] for field in fields])


def best_rates(rows: Sequence[Row]) -> list[Row]:
    """Keep, for each arm and budget, the runs at the learning rate that validation likes best."""
    kept = []
    groups: dict[str, dict[float, list[Row]]] = {}
    for row in rows:
        group = groups.setdefault(key(row, ("arm", "budget")), {})
        group.setdefault(row["learning_rate"], []).append(row)
    for group in groups.values():
        most = max(len(runs) for runs in group.values())
        whole = [runs for runs in group.values() if len(runs) == most]
        kept += max(whole, key=lambda runs: statistics.mean(run["validation"] for run in runs))
    return kept


def summary(rows: Sequence[Row], against: str) -> list[Row]:
    """Compare every arm with another one at its budget, paired by seed."""
    test = {(row["arm"], row["budget"], row["seed"]): row["test"] for row in rows}
    lines = []
    for arm, budget in sorted({(row["arm"], row["budget"]) for row in rows}, key=str):
        own = [row for row in rows if (row["arm"], row["budget"]) == (arm, budget)]
        pairs = [
            row["test"] - test[against, budget, row["seed"]]
            for row in own
            if (against, budget, row["seed"]) in test
        ]
        line = {
            "arm": arm,
            "budget": budget,
            "learning_rate": own[0]["learning_rate"],
            "parameters": round(statistics.mean(row["parameters"] for row in own)),
            "seeds": len(own),
            "test": interval([row["test"] for row in own]),
            "validation": statistics.mean(row["validation"] for row in own),
        }
        lines.append(line | ({"difference": interval(pairs)} if pairs and arm != against else {}))
    return sorted(lines, key=lambda line: (line["budget"], line["arm"]))


def smallest_equal(lines: Sequence[Row], arm: str) -> Row | None:
    """Return the smallest budget of an arm whose mean is no lower than the default's."""
    default = [line for line in lines if line["arm"] == DEFAULT]
    if not default:
        return None
    reached = [
        line for line in lines if line["arm"] == arm and line["test"][0] >= default[0]["test"][0]
    ]
    return min(reached, key=lambda line: line["budget"], default=None)


def show(lines: Sequence[Row], against: str) -> None:
    print(f"{'arm':<10}{'budget':>10}{'used':>10}{'rate':>8}{'seeds':>6}{'test %':>8}  difference")
    for line in lines:
        mean, low, high = (100 * value for value in line.get("difference", (0, 0, 0)))
        paired = f"  {mean:+.2f} [{low:+.2f}, {high:+.2f}]" if "difference" in line else ""
        print(
            f"{line['arm']:<10}{line['budget']:>10,}{line['parameters']:>10,}"
            f"{line['learning_rate']:>8.0e}{line['seeds']:>6}{100 * line['test'][0]:>8.2f}{paired}"
        )
    print(f"differences: points of test accuracy against {against}, paired by seed, 95 % interval")


def draw(lines: Sequence[Row], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), constrained_layout=True)
    for arm in ARMS:
        own = [line for line in lines if line["arm"] == arm]
        if own:
            means = [100 * line["test"][0] for line in own]
            halves = [100 * (line["test"][0] - line["test"][1]) for line in own]
            several = all(line["seeds"] > 1 for line in own)
            axes.errorbar(
                [line["parameters"] for line in own],
                means,
                yerr=halves if several else None,
                marker="o",
                capsize=3,
                label=arm,
            )
    for line in lines:
        if line["arm"] == DEFAULT:
            label = f"default, {line['parameters']:,} parameters"
            axes.axhline(100 * line["test"][0], color="grey", linestyle="--", label=label)
    axes.set_xscale("log")
    axes.set_xlabel("trained parameters")
    axes.set_ylabel("test accuracy, %")
    axes.set_title("MiniLM on AG News: mean over seeds, 95 % interval")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, default=Path("../shared/ag_news/train.csv"))
    parser.add_argument("--test", type=Path, default=Path("../shared/ag_news/test.csv"))
    parser.add_argument("--texts", type=int, help="training rows to draw; default: all")
    parser.add_argument("--test-texts", type=int, help="test rows to draw; default: all")
    parser.add_argument(
        "--budgets", type=int, nargs="+", default=[25_000, 50_000, 100_000, 250_000]
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=["baseline", "measured"])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rates", type=float, nargs="+", default=[1e-3])
    parser.add_argument(
        "--default-rank", type=int, default=12, help="all-linear rank of the reference; 0: none"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--against", choices=list(ARMS), default="baseline")
    parser.add_argument("--results", type=Path, default=Path("runs/budget_curve.jsonl"))
    parser.add_argument("--plot", type=Path, default=Path("docs/figures/budget_curve.png"))
    parser.add_argument("--report", action="store_true", help="run nothing")
    options = parser.parse_args()
    for path in (options.train, options.test):
        if not (path.is_file() or options.report):
            sys.exit(f"error: {path}: no such file; give --train and --test, columns text,label")

    wanted = jobs(options)
    fields = tuple(wanted[0])
    finished = {key(row, fields) for row in read_rows(options.results)}
    options.results.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        if not options.report:
            train = sample_rows(options.train, options.texts, Path(folder))
            test = sample_rows(options.test, options.test_texts, Path(folder))
        for number, job in enumerate([] if options.report else wanted, 1):
            if key(job, fields) in finished:
                continue
            row = run(job, train, test)
            with options.results.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
            told = " ".join(f"{name}={value}" for name, value in row.items() if name != "ranks")
            print(f"{number}/{len(wanted)} {told}", flush=True)

    keys = {key(job, fields) for job in wanted}
    rows = [row for row in read_rows(options.results) if key(row, fields) in keys]
    if not rows:
        sys.exit(f"error: {options.results} holds none of these runs")
    lines = summary(best_rates(rows), options.against)
    show(lines, options.against)
    for arm in options.arms:
        found = smallest_equal(lines, arm)
        if found:
            print(f"{arm}: the accuracy of the default from {found['budget']:,} on")
    draw(lines, options.plot)
    record("budget_curve", {"lines": lines, "runs": rows})


if __name__ == "__main__":
    main()
