"""Which words of a text an answer hangs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranklet.errors import RunError
from ranklet.files import read_json_object

METHOD = "occlusion: by how much the probability of the predicted label falls without the word"
MOST_WORDS = 64
"""Of a text; what comes later has no importance."""

Words = tuple[tuple[str, float], ...]


def occlude(
    texts: Sequence[str],
    predicted: Sequence[int],
    predict_proba: Callable[[Sequence[str]], NDArray[np.floating]],
) -> list[Words]:
    """Find the importance of every word by leaving it out.

    Erasure of Li, Monroe & Jurafsky 2016, arXiv:1612.08220, section 3, on the words of the input,
    as a difference of probabilities.

    Args:
        texts: Texts to explain; words are what white space parts.
        predicted: Class index of each text's answer.
        predict_proba: Maps n texts to (n, classes) probabilities; called once.

    Returns:
        For each text its first 64 words, each with the probability of the answer less that without
        the word, -1..1; no words where a text has only one, which leaves nothing without it.
    """
    words = [text.split() for text in texts]
    words = [each if len(each) > 1 else [] for each in words]
    asked = [
        " ".join([*own[:place], *own[place + 1 :]])
        for own in words
        for place in range(min(len(own), MOST_WORDS))
    ]
    probabilities = predict_proba([*texts, *asked])
    whole, without = probabilities[: len(texts)], iter(probabilities[len(texts) :])
    return [
        tuple((word, float(whole[row, label] - next(without)[label])) for word in own[:MOST_WORDS])
        for row, (own, label) in enumerate(zip(words, predicted, strict=True))
    ]


def importance_to_json(found: Mapping[int, Words]) -> dict[str, Any]:
    """Turn the words of rows into JSON values, rounded to what a shade can show."""
    rows = {
        str(row): [[word, round(value, 4)] for word, value in words] for row, words in found.items()
    }
    return {"method": METHOD, "rows": rows}


def read_importance(path: Path) -> tuple[str, dict[int, Words]]:
    """Read the method and the words of each explained row; nothing where there is no such file.

    Raises:
        RunError: The file is broken.
    """
    if not path.is_file():
        return "", {}
    content = read_json_object(path, RunError)
    try:
        rows = {
            int(row): tuple((str(word), float(value)) for word, value in words)
            for row, words in content["rows"].items()
        }
        return str(content["method"]), rows
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{path}: holds no words as `train` writes them") from error
