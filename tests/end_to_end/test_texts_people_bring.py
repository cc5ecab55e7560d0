"""Texts as people bring them: empty, doubled, in other scripts, in pairs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ranklet as library

Rows = Sequence[tuple[str | None, str]]

PLAIN: Rows = [
    (f"the {word} {row}", label)
    for row in range(4)
    for word, label in (("goal", "Sports"), ("treaty", "World"))
]
CHINESE = ("\u8fd9\u4e2a\u624b\u673a\u5f88\u597d", "\u5feb\u9012\u592a\u6162\u4e86")
JAPANESE = (
    "\u3053\u306e\u6620\u753b\u306f\u3068\u3066\u3082\u826f\u3044",
    "\u5929\u6c17\u304c\u60aa\u3044\u3067\u3059",
)
FACES = ("\U0001f600", "\U0001f621")
GREEK = ("\u03ba\u03b1\u03bb\u03cc ", "\u03ba\u03b1\u03ba\u03cc ")
THAI = (
    "\u0e2d\u0e32\u0e2b\u0e32\u0e23\u0e2d\u0e23\u0e48\u0e2d\u0e22\u0e21\u0e32\u0e01",
    "\u0e1a\u0e23\u0e34\u0e01\u0e32\u0e23\u0e41\u0e22\u0e48\u0e21\u0e32\u0e01",
)


def as_csv(rows: Rows) -> str:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerows([("text", "label"), *rows])
    return stream.getvalue()


def as_lines(rows: Rows) -> str:
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)


def labelled(texts: Sequence[str], end: str = "") -> Rows:
    """Rows of as many labels as texts, four of each that differ by a number."""
    return [
        (f"{text}{row}{end}", f"L{place}") for row in range(4) for place, text in enumerate(texts)
    ]


DROPPED = "1 without a text dropped from train"
UNKNOWN = "of the tokens are unknown to this encoder"
NO_DUPLICATES = "6 train, 2 validation, none test texts, 2 labels\n"

# File, content, what the training says.
AS_IT_IS: dict[str, tuple[str, str, str]] = {
    "an empty cell": ("a.csv", as_csv([*PLAIN, ("", "World")]), DROPPED),
    "a blank cell": ("a.csv", as_csv([*PLAIN, (" \u00a0 ", "World")]), DROPPED),
    "an empty cell of several lines": ("a.csv", as_csv([*PLAIN, ("\n\n", "World")]), DROPPED),
    "an empty row": ("a.csv", as_csv([*PLAIN, ("", "")]), DROPPED),
    "an empty row and text": ("a.csv", as_csv([*PLAIN, ("", ""), ("", "World")]), "2 without a"),
    "an empty row in the middle": ("a.csv", as_csv([("", ""), *PLAIN]), DROPPED),
    "null": ("a.jsonl", as_lines([*PLAIN, (None, "World")]), DROPPED),
    "null and an empty label": ("a.jsonl", as_lines([*PLAIN, (None, "")]), DROPPED),
    "empty text in lines": ("a.jsonl", as_lines([*PLAIN, ("", "World")]), DROPPED),
    "no empty text": ("a.csv", as_csv(PLAIN), NO_DUPLICATES),
    "languages": ("a.csv", as_csv(labelled(["C ", "C++ "])), NO_DUPLICATES),
    "signs": ("a.csv", as_csv(labelled(["+", "-"], ".5 %")), NO_DUPLICATES),
    "emoji": ("a.csv", as_csv(labelled(FACES)), NO_DUPLICATES),
    "emoji with selectors": (
        "a.csv",
        as_csv(labelled(["\u2764\ufe0f ", "\u2639\ufe0f "])),
        NO_DUPLICATES,
    ),
    "emoji alone": (
        "a.csv",
        as_csv([(face * n, face) for n in range(1, 5) for face in FACES]),
        NO_DUPLICATES,
    ),
    "question and exclamation": (
        "a.csv",
        as_csv(labelled(["Really? ", "Really! "])),
        NO_DUPLICATES,
    ),
    "capitals": ("a.csv", as_csv(labelled(["us ", "US "])), NO_DUPLICATES),
    "the same twice": ("a.csv", as_csv([*PLAIN, PLAIN[0]]), "1 duplicates dropped from train\n"),
    "the same with another label": (
        "a.csv",
        as_csv([*PLAIN, (PLAIN[0][0], "World")]),
        "1 duplicates dropped from train, 1 of them with another label",
    ),
    "another spelling with the same label": (
        "a.csv",
        as_csv([*PLAIN, ("The GOAL, 0!", "Sports")]),
        "1 duplicates dropped from train\n",
    ),
    "Chinese": ("a.csv", as_csv(labelled(CHINESE)), UNKNOWN),
    "Japanese": ("a.csv", as_csv(labelled(JAPANESE)), UNKNOWN),
    "Thai": ("a.csv", as_csv(labelled(THAI)), UNKNOWN),
    "Greek": (
        "a.csv",
        as_csv(labelled(GREEK)),
        UNKNOWN,
    ),
}


@pytest.mark.parametrize(("name", "content", "said"), AS_IT_IS.values(), ids=AS_IT_IS)
def test_trains_as_it_is(
    workplace: Path, trains: Callable[..., Any], name: str, content: str, said: str
) -> None:
    (workplace / name).write_text(content, encoding="utf-8", newline="")
    assert said in trains(name).stderr


FEW_SPORTS: Rows = [*[row for row in PLAIN if row[1] == "World"], ("the goal", "Sports")]
ONCE_EMPTY = as_csv([*PLAIN, ("", "Empty"), (" ", "Empty")])

# File, content, settings of both calls, the fix.
WITH_A_SETTING: dict[str, tuple[str, str, list[str], str]] = {
    "refused": ("a.csv", as_csv([*PLAIN, ("", "World")]), ["data.empty=refuse"], "data.empty"),
    "null refused": (
        "a.jsonl",
        as_lines([*PLAIN, (None, "World")]),
        ["data.empty=refuse"],
        "data.empty",
    ),
    "empty after cleaning": (
        "a.csv",
        as_csv([*PLAIN, ("<br>", "World")]),
        ["data.empty=refuse", "data.cleaning=[html]"],
        "data.empty",
    ),
    "a class of empty texts": ("a.csv", ONCE_EMPTY, ["data.duplicates=keep"], "data.empty"),
    "a class of copies": (
        "a.csv",
        as_csv([*PLAIN, (PLAIN[0][0], "Copies"), (PLAIN[1][0], "Copies")]),
        [],
        "data.duplicates",
    ),
}


@pytest.mark.parametrize(
    ("name", "content", "given", "field"), WITH_A_SETTING.values(), ids=WITH_A_SETTING
)
def test_trains_with_the_setting_that_its_refusal_names(
    workplace: Path,
    ranklet: Callable[..., Any],
    trains: Callable[..., Any],
    name: str,
    content: str,
    given: list[str],
    field: str,
) -> None:
    (workplace / name).write_text(content, encoding="utf-8", newline="")
    refused = ranklet(
        "train", "recipe.yaml", *_settings(f"data.train={name}", "data.test=null", *given)
    )
    assert refused.returncode == 2
    assert f"set {field} to" in refused.stderr
    assert "keep" in refused.stderr.partition(f"set {field} to")[2]
    trains(name, given=[*given, f"{field}=keep", "data.validation=3"])


def _settings(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


@pytest.mark.parametrize(
    ("form", "missing"), [("lists", None), ("dicts", float("nan")), ("parquet", None)]
)
def test_missing_values_are_empty_texts_in_every_form(
    workplace: Path, form: str, missing: object
) -> None:
    texts, labels = (
        [*(text for text, _ in PLAIN), missing],
        [*(label for _, label in PLAIN), "World"],
    )
    data: Any = (texts, labels)
    if form == "dicts":
        data = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    if form == "parquet":
        whole = [None if text != text else text for text in texts]
        pq.write_table(pa.table({"text": whole, "label": labels}), "a.parquet")
        data = "a.parquet"
    recipe = library.load_recipe("recipe.yaml", ["training.max_steps=1", "data.validation=2"])
    run = library.train(recipe, "out", data=data)
    about = json.loads((run.folder / "environment.json").read_text(encoding="utf-8"))
    assert (about["empty"], about["rows"]) == (1, {"train": 6, "validation": 2})
    # Every labelled row counts, and every row gets an answer.
    assert library.evaluate(run, data).rows == 9
    assert library.predict(run, data, "out.csv") == 9


def test_test_rows_without_a_text_count_and_are_answered(
    workplace: Path, ranklet: Callable[..., Any]
) -> None:
    (workplace / "test.csv").write_text(as_csv([*PLAIN, ("", "World")]), encoding="utf-8")
    settings = _settings("training.max_steps=1")
    answer = ranklet("train", "recipe.yaml", "--out", "new", *settings)
    assert "9 test texts" in answer.stderr
    assert "test: 9 texts" in ranklet("evaluate", "new").stdout
    assert ranklet("predict", "new", "test.csv", "--output", "out.csv").returncode == 0
    assert len(Path("out.csv").read_text(encoding="utf-8").splitlines()) == 10


def test_audit_counts_empty_texts_and_looks_at_the_others(
    workplace: Path, ranklet: Callable[..., Any]
) -> None:
    (workplace / "a.csv").write_text(as_csv([*PLAIN, ("", "World")]), encoding="utf-8")
    printed = ranklet("audit", "a.csv", "--label-views", "none").stdout
    assert "9 " in printed
    assert "empty" in printed


@pytest.mark.parametrize("texts", [CHINESE, JAPANESE, THAI], ids=["Chinese", "Japanese", "Thai"])
def test_audit_of_a_script_without_spaces_counts_words_and_judges_labels(
    workplace: Path, ranklet: Callable[..., Any], texts: tuple[str, str]
) -> None:
    rows = [(f"{text}{row}", f"L{place}") for row in range(20) for place, text in enumerate(texts)]
    rows[7] = (rows[7][0], "L0")
    (workplace / "a.csv").write_text(as_csv(rows), encoding="utf-8")
    answer = ranklet("audit", "a.csv", "--encoder", "encoder", "--json", "--label-views", "words")
    found = json.loads(answer.stdout)
    (split,) = found["splits"]
    assert "near empty" not in split["oddities"]
    assert split["words"]["median"] > 5
    assert split["unknown"] > 0.5
    assert found["label_check"]["likely_wrong"] == 1


def test_a_view_that_knows_nothing_names_no_wrong_labels(
    workplace: Path, ranklet: Callable[..., Any]
) -> None:
    rows = [(f"word{row}", ("x", "y", "y")[row % 3]) for row in range(60)]
    (workplace / "a.csv").write_text(as_csv(rows), encoding="utf-8")
    printed = ranklet("audit", "a.csv", "--encoder", "encoder", "--label-views", "words").stdout
    assert f"train: 100% {UNKNOWN}" in printed
    assert "no verdict" in printed
    assert "likely wrong" not in printed


def test_the_console_says_where_a_baseline_is_better(
    workplace: Path, ranklet: Callable[..., Any]
) -> None:
    settings = _settings("training.learning_rate=1e-7", "training.max_steps=1", "seed=3")
    answer = ranklet("train", "recipe.yaml", "--out", "new", *settings)
    assert "below a simple baseline on test by" in answer.stdout + answer.stderr


# --- pairs ---------------------------------------------------------------------------------------

PAIRS = [
    (f"the {first} {row}", f"a {second}", "same" if first == second else "other")
    for row in range(4)
    for first, second in (("goal", "goal"), ("goal", "treaty"), ("treaty", "treaty"))
]
OF_PAIRS = ["data.train=pairs.csv", "data.test=null", "data.validation=3"]
PAIR_SETTINGS = ["data.pair=true", "data.text_column=[premise, hypothesis]"]


@pytest.fixture
def pairs(workplace: Path) -> Path:
    with (workplace / "pairs.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("premise", "hypothesis", "label"), *PAIRS])
    return workplace


def test_pairs_train_predict_and_are_read_again(
    pairs: Path, trains: Callable[..., Any], ranklet: Callable[..., Any]
) -> None:
    settings = _settings(
        *PAIR_SETTINGS, "data.train=pairs.csv", "data.test=null", "data.validation=3"
    )
    answer = ranklet("train", "recipe.yaml", "--out", "new", *settings)
    assert answer.returncode == 0, answer.stderr
    assert "9 train, 3 validation" in answer.stderr
    assert ranklet("verify", "new").returncode == 0
    assert json.loads(Path("new/adapter/classifier.json").read_text(encoding="utf-8"))["pair"]
    assert "12 texts" in ranklet("evaluate", "new", "--data", "pairs.csv").stdout
    ranklet("predict", "new", "pairs.csv", "--output", "run.csv")
    columns = ["--text-column", "premise", "--text-column", "hypothesis", "--precision", "float32"]
    ranklet("predict", "new/adapter", "pairs.csv", "--output", "adapter.csv", *columns)
    assert Path("run.csv").read_text() == Path("adapter.csv").read_text()
    assert ranklet("audit", "pairs.csv", "--run", "new", "--label-views", "words").returncode == 0

    classifier = library.load("new")
    both = [(first, second) for first, second, _ in PAIRS]
    told_apart = classifier.predict_proba(both)
    assert (told_apart == classifier.predict_proba([list(pair) for pair in both])).all()
    assert not (told_apart == classifier.predict_proba([pair[::-1] for pair in both])).all()
    words = [word for word, _ in classifier.explain(both[:1])[0]]
    assert words == ["the", "goal", "0", "a", "goal"]
    labels = [label for *_, label in PAIRS]
    assert classifier.evaluate(both, labels).rows == library.evaluate("new", "pairs.csv").rows
    classifier.save("copy")
    assert (library.load("copy", precision="float32").predict_proba(both) == told_apart).all()
    with pytest.raises(library.DataError, match="reads pairs of texts"):
        classifier.predict(["one text"])
    with pytest.raises(library.DataError, match="found 3 values where a pair"):
        classifier.predict([("a", "b", "c")])  # type: ignore[list-item]


def test_pairs_in_memory_train(pairs: Path) -> None:
    recipe = library.load_recipe("recipe.yaml", [*PAIR_SETTINGS, "training.max_steps=1"])
    both = [(first, second) for first, second, _ in PAIRS]
    labels = [label for *_, label in PAIRS]
    run = library.train(recipe, "new", data=(both, labels), validation=3)
    assert library.evaluate(run, (both, labels)).rows == 12
    assert library.predict(run, both, "out.csv") == 12


def test_frozen_layers_and_noise_take_pairs(pairs: Path, ranklet: Callable[..., Any]) -> None:
    base = [*OF_PAIRS, *PAIR_SETTINGS]
    figures = {}
    for cache in ("auto", "never"):
        settings = [*base, "adapter.layers=[1]", "training.epochs=3"]
        settings.append(f"engine.cache_frozen_layers={cache}")
        answer = ranklet("train", "recipe.yaml", "--out", cache, *_settings(*settings))
        assert answer.returncode == 0, answer.stderr
        assert ("run once" in answer.stderr) == (cache == "auto")
        figures[cache] = Path(f"{cache}/evaluation/validation_predictions.csv").read_text(
            encoding="utf-8"
        )
    assert figures["auto"] == figures["never"]
    noisy = _settings(*base, "augmentation.typo_noise=0.5", "training.max_steps=1")
    assert ranklet("train", "recipe.yaml", "--out", "noisy", *noisy).returncode == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["data.pair=true"], "needs two text columns; set data.text_column to a list of two"),
        ([*PAIR_SETTINGS, "data.long_texts=windows"], "set data.long_texts to head"),
        ([*PAIR_SETTINGS, "data.long_texts=head_tail"], "set data.long_texts to head"),
        ([*PAIR_SETTINGS, "training.token_dropout=0.1"], "may drop the separator"),
        ([*PAIR_SETTINGS, "distillation.teacher=run"], "reads single texts; leave it out"),
    ],
)
def test_what_pairs_cannot_have_is_refused(
    pairs: Path, ranklet: Callable[..., Any], settings: list[str], said: str
) -> None:
    refused = ranklet("train", "recipe.yaml", "--out", "new", *_settings(*settings))
    assert refused.returncode == 2
    assert said in refused.stderr
    assert not Path("new").exists()
