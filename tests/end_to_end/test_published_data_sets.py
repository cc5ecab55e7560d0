"""Look-alikes of 20 data sets as they are published: each trains, or its refusal says with what.

Texts are invented; columns, separators, quotes, encodings and names of files are the real ones.
"""

from __future__ import annotations

import bz2
import io
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest

Answer = subprocess.CompletedProcess[str]

ROWS = [
    (f"the {word} {row}", label)
    for row in range(4)
    for word, label in (("goal", "Sports"), ("treaty", "World"))
]


@dataclass(frozen=True)
class Published:
    """One data set as it lies on the disk of whoever fetched it.

    Attributes:
        source: What is named to train on.
        files: By their names.
        columns: What `--text` and `--label` say.
        fixes: Settings that its refusal names, with values for this file.
    """

    source: str
    files: Mapping[str, bytes]
    columns: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()


def written(template: str, header: str = "", encoding: str = "utf-8", **names: str) -> bytes:
    """Write a line for each row, `names` in the place of its labels."""
    lines = [
        template.format(text=text, label=names.get(label, label), row=row, more="; and" * (row % 3))
        for row, (text, label) in enumerate(ROWS)
    ]
    return "".join(f"{line}\n" for line in [header, *lines] if line).encode(encoding)


def feeds() -> bytes:
    file, stream = openpyxl.Workbook(), io.BytesIO()
    for row in [("ID", "Feed", "Sentiment"), *((1, text, label) for text, label in ROWS)]:
        file.active.append(row)
    file.save(stream)
    return stream.getvalue()


def intents() -> bytes:
    pairs = [list(row) for row in ROWS]
    splits = {"oos_val": pairs, "val": pairs, "train": pairs, "oos_test": pairs, "test": pairs}
    return json.dumps(splits).encode()


def texts_by_class(folder: str, suffix: str, encoding: str = "utf-8") -> dict[str, bytes]:
    return {
        f"{folder}/{label}/{row}{suffix}": f"{text}\n\nÇa va\n".encode(encoding)
        for row, (text, label) in enumerate(ROWS)
    }


BY_COLUMN = ("--text sentence",)
CATEGORY = ("--label category",)
TWO_FILES = {
    "train_text.txt": "".join(f"{text} @user \n" for text, _ in ROWS).encode(),
    "train_labels.txt": "".join(f"{int(label == 'World')}\n" for _, label in ROWS).encode(),
    "mapping.txt": b"0\tnegative\n1\tpositive",
}
REVIEWS = {
    **texts_by_class("aclImdb/train", "_7.txt"),
    **texts_by_class("aclImdb/test", "_7.txt"),
    "aclImdb/train/unsup/0_0.txt": b"no label",
    "aclImdb/train/urls_pos.txt": b"an address",
    "aclImdb/imdbEr.txt": b"0.1\n",
    "aclImdb/README": b"read me",
}
GROUPS = {
    **texts_by_class("20news/20news-bydate-train", "", "latin-1"),
    **texts_by_class("20news/20news-bydate-test", "", "latin-1"),
}

PUBLISHED = {
    "spam": Published(
        "spam.csv",
        {"spam.csv": written("{label},{text} \x80,,,", "v1,v2,,,", "latin-1")},
        ("--text v2", "--label v1"),
    ),
    "written with an index": Published(
        "a.csv", {"a.csv": written("{row},{text},{label}", ",text,label")}
    ),
    "CoLA": Published(
        "in_domain_train.tsv",
        {"in_domain_train.tsv": written("gj04\t{label}\t\t{text}", Sports="1", World="0")},
    ),
    "SST-2": Published(
        "train.tsv", {"train.tsv": written("{text}\t{label}", "sentence\tlabel")}, BY_COLUMN
    ),
    "GermEval": Published(
        "germeval2018.training.txt",
        {"germeval2018.training.txt": written("|LBR| {text}\t{label}\tOTHER")},
    ),
    "SMS Spam Collection": Published(
        "SMSSpamCollection",
        {"SMSSpamCollection": written("{label}\t{text}", Sports="ham", World="spam")},
    ),
    "GoEmotions": Published(
        "train.tsv",
        {"train.tsv": written("{text}\t{label}\teebbqej", Sports="27", World="27,3")},
    ),
    "10kGNAD": Published(
        "train.csv",
        {"train.csv": written("{label};'{text}; ''so''{more}'")},
    ),
    "Alexa reviews": Published(
        "amazon_alexa.tsv",
        {
            "amazon_alexa.tsv": written(
                '5\t31-Jul-18\tBlack\t"{text}, ""yes"""\t{label}',
                "rating\tdate\tvariation\tverified_reviews\tfeedback",
                Sports="1",
                World="0",
            )
        },
        ("--text verified_reviews", "--label feedback"),
    ),
    "Financial PhraseBank": Published(
        "Sentences_50Agree.txt",
        {"Sentences_50Agree.txt": written("{text} \xe4@{label}", encoding="latin-1")},
        fixes=("data.separator='@'", "data.columns=[text, label]"),
    ),
    "CLINC150": Published("data_full.json", {"data_full.json": intents()}),
    "AJGT": Published(
        "AJGT.xlsx",
        {"AJGT.xlsx": feeds()},
        ("--text Feed", "--label Sentiment"),
    ),
    "TweetEval": Published("train_text.txt", TWO_FILES),
    "THUCNews": Published(
        "train.txt",
        {"train.txt": written("{text}\t{label}", Sports="0", World="1"), "class.txt": b"a\nb\n"},
    ),
    "AG News": Published(
        "train.csv",
        {"train.csv": written('"{label}","{text}","so, he said"', Sports="2", World="1")},
    ),
    "IMDB": Published("aclImdb", REVIEWS),
    "20 newsgroups": Published("20news", GROUPS),
    "banking77": Published(
        "train.csv", {"train.csv": written('"{text}?",{label}', "text,category")}, CATEGORY
    ),
    "TREC": Published(
        "train_5500.label",
        {"train_5500.label": written("{label}:manner {text} \xe9 ?", encoding="latin-1")},
        fixes=("data.separator=':'", "data.columns=[label, text]"),
    ),
    "Amazon reviews": Published(
        "train.ft.txt.bz2",
        {"train.ft.txt.bz2": bz2.compress(written("__label__{label} {text}: good"))},
    ),
}


SMALL = ("encoder=encoder", "data.max_length=16", "data.duplicates=keep", "training.max_steps=1")


@pytest.mark.parametrize("published", PUBLISHED.values(), ids=PUBLISHED)
def test_a_published_data_set_trains(
    workplace: Path, ranklet: Callable[..., Answer], published: Published
) -> None:
    for name, content in published.files.items():
        (workplace / name).parent.mkdir(parents=True, exist_ok=True)
        (workplace / name).write_bytes(content)
    settings = [part for name in SMALL for part in ("--set", name)]
    options = [part for option in published.columns for part in option.split(" ")]
    command = ["train", published.source, *options, *settings]
    if published.fixes:
        refused = ranklet(*command)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
        assert all(fix.split("=")[0] in refused.stderr for fix in published.fixes), refused.stderr
    fixes = [part for fix in published.fixes for part in ("--set", fix)]
    answer = ranklet(*command, *fixes)
    assert answer.returncode == 0, answer.stderr
    assert " 2 labels" in answer.stderr


def test_nearly_all_train_with_the_file_and_its_columns_alone() -> None:
    assert len(PUBLISHED) == 20
    assert sum(bool(published.fixes) for published in PUBLISHED.values()) <= 2
