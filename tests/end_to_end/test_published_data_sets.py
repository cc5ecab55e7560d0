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
from typing import Literal

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
        waits: What of it waits for dialects to be seen: the whole row, or only what the refusal
            says. To be removed with the merge.
    """

    source: str
    files: Mapping[str, bytes]
    columns: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()
    waits: Literal["", "refusal", "all"] = ""


def written(template: str, header: str = "", encoding: str = "utf-8", **names: str) -> bytes:
    """Write a line for each row, `names` in the place of its labels."""
    lines = [
        template.format(text=text, label=names.get(label, label), row=row)
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


BY_COLUMN = ("data.text_column=sentence",)
CATEGORY = ("data.label_column=category",)
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
        ("data.text_column=v2", "data.label_column=v1"),
        waits="all",
    ),
    "written with an index": Published(
        "a.csv", {"a.csv": written("{row},{text},{label}", ",text,label")}, waits="all"
    ),
    "CoLA": Published(
        "in_domain_train.tsv",
        {"in_domain_train.tsv": written("gj04\t{label}\t\t{text}", Sports="1", World="0")},
        fixes=("data.columns=[source, label, mark, text]",),
        waits="refusal",
    ),
    "SST-2": Published(
        "train.tsv", {"train.tsv": written("{text}\t{label}", "sentence\tlabel")}, BY_COLUMN
    ),
    "GermEval": Published(
        "germeval2018.training.txt",
        {"germeval2018.training.txt": written("|LBR| {text}\t{label}\tOTHER")},
        fixes=("data.columns=[text, label, fine]",),
        waits="refusal",
    ),
    "SMS Spam Collection": Published(
        "SMSSpamCollection",
        {"SMSSpamCollection": written("{label}\t{text}", Sports="ham", World="spam")},
        fixes=("data.columns=[label, text]",),
        waits="refusal",
    ),
    "GoEmotions": Published(
        "train.tsv",
        {"train.tsv": written("{text}\t{label}\teebbqej", Sports="27", World="27,3")},
        ("data.problem_type=multi_label_classification",),
        fixes=("data.columns=[text, label, id]",),
        waits="all",
    ),
    "10kGNAD": Published(
        "train.csv",
        {"train.csv": written("{label};'{text}; ''so'''")},
        fixes=("data.separator=;", "data.quoting=single", "data.columns=[label, text]"),
        waits="refusal",
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
        ("data.text_column=verified_reviews", "data.label_column=feedback"),
    ),
    "Financial PhraseBank": Published(
        "Sentences_50Agree.txt",
        {"Sentences_50Agree.txt": written("{text} \xe4@{label}", encoding="latin-1")},
        fixes=("data.separator='@'", "data.columns=[text, label]", "data.encoding=latin-1"),
        waits="refusal",
    ),
    "CLINC150": Published("data_full.json", {"data_full.json": intents()}),
    "AJGT": Published(
        "AJGT.xlsx",
        {"AJGT.xlsx": feeds()},
        ("data.text_column=Feed", "data.label_column=Sentiment"),
    ),
    "TweetEval": Published("train_text.txt", TWO_FILES),
    "THUCNews": Published(
        "train.txt",
        {"train.txt": written("{text}\t{label}", Sports="0", World="1"), "class.txt": b"a\nb\n"},
        fixes=("data.columns=[text, label]",),
        waits="refusal",
    ),
    "AG News": Published(
        "train.csv",
        {"train.csv": written('"{label}","{text}","so, he said"', Sports="2", World="1")},
        fixes=("data.columns=[label, text, description]",),
        waits="refusal",
    ),
    "IMDB": Published("aclImdb", REVIEWS),
    "20 newsgroups": Published("20news", GROUPS, fixes=("data.encoding=latin-1",), waits="refusal"),
    "banking77": Published(
        "train.csv", {"train.csv": written('"{text}?",{label}', "text,category")}, CATEGORY
    ),
    "TREC": Published(
        "train_5500.label",
        {"train_5500.label": written("{label}:manner {text} \xe9 ?", encoding="latin-1")},
        fixes=("data.separator=':'", "data.columns=[label, text]", "data.encoding=latin-1"),
        waits="refusal",
    ),
    "Amazon reviews": Published(
        "train.ft.txt.bz2",
        {"train.ft.txt.bz2": bz2.compress(written("__label__{label} {text}: good"))},
    ),
}


@pytest.mark.parametrize("published", PUBLISHED.values(), ids=PUBLISHED)
def test_a_published_data_set_trains(
    workplace: Path,
    trains: Callable[..., Answer],
    ranklet: Callable[..., Answer],
    published: Published,
) -> None:
    if published.waits == "all":
        pytest.skip("waits for dialects")
    for name, content in published.files.items():
        (workplace / name).parent.mkdir(parents=True, exist_ok=True)
        (workplace / name).write_bytes(content)
    if published.fixes and published.waits != "refusal":
        names = [f"data.train={published.source}", *published.columns]
        refused = ranklet(
            "train", "recipe.yaml", *(part for name in names for part in ("--set", name))
        )
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
        assert all(fix.split("=")[0] in refused.stderr for fix in published.fixes), refused.stderr
    answer = trains(published.source, given=[*published.columns, *published.fixes])
    assert "data: 6 train, 2 validation, none test texts, 2 labels" in answer.stderr
