"""Train on the bundled news items and classify three headlines.

python examples/train_and_predict.py [MAX_STEPS]
"""

# ruff: noqa: T201
from __future__ import annotations

import sys

import ranklet

HEADLINES = [
    "The goalkeeper saved two penalties and then scored the winner herself.",
    "Bakery chain halves its dividend after flour prices double in a quarter.",
    "Telescope spots a faint ring around a dwarf planet far beyond Neptune.",
]


def main(max_steps: int | None = None) -> ranklet.Run:
    """Train for at most `max_steps` optimizer steps, evaluate, predict; return the run."""
    limit = [] if max_steps is None else [f"training.max_steps={max_steps}"]
    recipe = ranklet.load_recipe("quickstart", limit)
    plan = ranklet.plan(recipe)
    print(f"training {plan.total:,} of at most {plan.budget:,} parameters")

    run = ranklet.train(recipe, name="example")
    accuracy = ranklet.evaluate(run.folder).accuracy
    low, high = accuracy.interval
    print(f"test accuracy {accuracy.value:.4f}, 95 % interval {low:.4f} to {high:.4f}")

    for answer in ranklet.classify(run.folder, HEADLINES):
        print(f"{answer.label:<9} {answer.probabilities[answer.label]:6.1%}  {answer.text}")
    return run


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
