"""Train, evaluate, predict, explain, save and load a classifier with texts and labels in lists."""

# ruff: noqa: T201
import ranklet

sport = ["The striker scored twice.", "A late goal won the match.", "She broke her own record."]
money = ["Shares fell on Monday.", "The bank raised its rates.", "Profits doubled this year."]
texts, labels = sport + money, ["sport"] * 3 + ["money"] * 3
recipe = ranklet.load_recipe("quickstart", ["training.epochs=20"])
run = ranklet.train(recipe, data=(texts, labels), validation=2)
classifier = ranklet.load(run)
print(classifier.evaluate(texts, labels))
print(classifier.predict(["The team lost the final by one goal."]))
print(classifier.explain(["The team lost the final by one goal."]))
classifier.save(run.folder / "copy")
print(ranklet.load(run.folder / "copy"))
