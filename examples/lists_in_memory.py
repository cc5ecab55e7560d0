"""Train, evaluate, explain, save and load a classifier with texts and labels in Python lists."""

import ranklet

TEXTS = [
    "the striker scored twice",
    "a late goal won the match",
    "the coach praised her team",
    "the keeper saved a penalty",
    "shares fell after the report",
    "the bank raised its rates",
    "profits grew in the quarter",
    "investors sold their bonds",
] * 3
LABELS = (["sport"] * 4 + ["money"] * 4) * 3
RECIPE = ranklet.load_recipe("quickstart", ["data.duplicates=keep", "training.epochs=2"])


def main() -> None:
    """Do all of it, in a new folder below `runs/`."""
    run = ranklet.train(RECIPE, data=(TEXTS, LABELS), validation=0.25)
    classifier = ranklet.load(run)
    print(classifier)
    print(classifier.evaluate(TEXTS, LABELS))
    print(classifier.predict(["the team scored a goal"]))
    print(classifier.explain(["the team scored a goal"]))
    classifier.save(run.folder / "copy")
    print(ranklet.load(run.folder / "copy").predict_proba(["rates and profits fell"]))


if __name__ == "__main__":
    main()
