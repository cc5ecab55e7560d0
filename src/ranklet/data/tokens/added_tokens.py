"""Tokens beyond the vocabulary, from the files beside it, as `transformers` reads them.

`added_tokens_decoder` in tokenizer_config.json lists all of them; folders older than it have
added_tokens.json and special_tokens_map.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from ranklet.data.tokens.tokenizer_checks import LARGEST_FILE
from ranklet.errors import WeightsError

CONFIG, NUMBERED, SPECIAL = "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json"
_FURTHER = ("additional_special_tokens", "extra_special_tokens")


def added_tokens(folder: Path) -> list[AddedToken]:
    """List the tokens that a folder adds to its vocabulary, in the order of their ids.

    A token that the vocabulary lacks gets the next id, whatever number a file gives it, and so in
    `transformers`.

    Raises:
        WeightsError: A damaged file.
    """
    config = _stated(folder)
    numbered = config.get("added_tokens_decoder")
    if isinstance(numbered, dict):
        pairs = [(key, _token(value, folder / CONFIG)) for key, value in numbered.items()]
    else:
        special = set(special_names(folder).values())
        names = _optional(folder / NUMBERED)
        pairs = [
            (number, AddedToken(name, normalized=name not in special, special=name in special))
            for name, number in names.items()
        ]
    path = folder / (CONFIG if isinstance(numbered, dict) else NUMBERED)
    try:
        in_order = [token for _, token in sorted(pairs, key=lambda pair: int(pair[0]))]
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path}: ids must be numbers ({error}); get the file again") from error
    roles = [value for key, value in config.items() if _is_role(key) and isinstance(value, dict)]
    further = [item for name in _FURTHER for item in _list(config.get(name))]
    special_ones = [_token(value, folder / CONFIG, special=True) for value in roles + further]
    return first_of_each_name([*in_order, *special_ones])


def first_of_each_name(tokens: Iterable[AddedToken]) -> list[AddedToken]:
    """Leave out tokens whose text an earlier one has."""
    by_name: dict[str, AddedToken] = {}
    for token in tokens:
        by_name.setdefault(token.content, token)
    return list(by_name.values())


def special_names(folder: Path) -> dict[str, str]:
    """Return which token plays which role, such as `cls_token`, as far as files say it.

    Raises:
        WeightsError: A damaged file.
    """
    roles = {key: value for key, value in _stated(folder).items() if _is_role(key) and value}
    return {
        role: _token(value, folder / CONFIG, special=True).content for role, value in roles.items()
    }


def json_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        WeightsError: A damaged file.
    """
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: damaged JSON ({error}); get the file again") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def read_text(path: Path) -> str:
    """Read a UTF-8 file.

    Raises:
        WeightsError: It cannot be read, or is larger than any tokenizer's.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise WeightsError(f"{path}: has more than {LARGEST_FILE:,} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}); get the file again") from error


def _stated(folder: Path) -> dict[str, Any]:
    """Return tokenizer_config.json, with special_tokens_map.json over it where that is read."""
    config = _optional(folder / CONFIG)
    return config if "added_tokens_decoder" in config else config | _optional(folder / SPECIAL)


def _optional(path: Path) -> dict[str, Any]:
    return json_object(path) if path.is_file() else {}


def _is_role(key: str) -> bool:
    return key in ("cls_token", "sep_token", "pad_token", "unk_token", "mask_token")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _token(value: object, path: Path, special: bool = False) -> AddedToken:
    if isinstance(value, str):
        return AddedToken(value, normalized=not special, special=special)
    names = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
    fields = value if isinstance(value, Mapping) else {}
    if not isinstance(fields.get("content"), str):
        raise WeightsError(f"{path}: {value!r} is no token; get the file again")
    known = {name: fields[name] for name in names if name in fields}
    try:
        return AddedToken(**(known | ({"special": True} if special else {})))
    except TypeError as error:
        raise WeightsError(
            f"{path}: {value!r} is no token ({error}); get the file again"
        ) from error
