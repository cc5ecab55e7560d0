"""Train, evaluate, explain, save and load a classifier with texts and labels in Python lists.

python examples/lists_in_memory.py
"""

# ruff: noqa: T201
from __future__ import annotations

import ranklet

SPORT = [
    "The striker scored twice in the second half.",
    "A late goal won the match for the visitors.",
    "The coach praised her young team.",
    "The goalkeeper saved two penalties.",
    "Injury keeps the captain out of the final.",
    "The sprinter broke her own record.",
]
MONEY = [
    "Shares fell after the quarterly report.",
    "The central bank raised its interest rate.",
    "Profits of the airline doubled this year.",
    "Investors sold their government bonds.",
    "The company cut its dividend again.",
    "Inflation eased as fuel prices dropped.",
]
NEW = ["The team lost the final by one goal."]


def main() -> ranklet.TextClassifier:
    """Do all of it, in a new folder below `runs/`."""
    texts, labels = SPORT + MONEY, ["sport"] * len(SPORT) + ["money"] * len(MONEY)
    run = ranklet.train("quickstart", data=(texts, labels), validation=4)
    classifier = ranklet.load(run)
    print(classifier.evaluate(texts, labels))
    print(classifier.predict(NEW), classifier.explain(NEW))
    classifier.save(run.folder / "copy")
    return ranklet.load(run.folder / "copy")


if __name__ == "__main__":
    print(main())
