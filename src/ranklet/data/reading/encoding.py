"""How the bytes of a text file become characters: by its mark, by a setting, else UTF-8."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

UTF8 = "utf-8"
# Longest first: the UTF-32 mark begins with the UTF-16 one.
MARKS = {
    codecs.BOM_UTF8: UTF8,
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WINDOWS = "data.encoding=cp1252"
OTHERS = (
    "set data.encoding to that of the file, such as data.encoding=cp1251 (Cyrillic), "
    "data.encoding=gb18030 (Chinese) or data.encoding=latin-1"
)
# What texts of western Europe hold besides letters.
WESTERN_SIGNS = frozenset(
    bytes.fromhex("80828485868788899192939495969799a0a1a2a3a5a7a8a9abaeb0b2b3b4b7b9bbbcbdbebfd7")
    .decode("cp1252")
)  # fmt: skip
# Letters beyond ASCII stand alone or in pairs there; elsewhere whole words are written in them.
FOREIGN_WORD = re.compile(rb"[\xc0-\xff]{3}")


def marked_encoding(start: bytes) -> str | None:
    """Return the encoding that a byte order mark states, if there is one."""
    return next((name for mark, name in MARKS.items() if start.startswith(mark)), None)


def same_encoding(name: str | None) -> str:
    """Return one name for the names of an encoding; without one it is UTF-8."""
    plain = codecs.lookup(name or UTF8).name
    return UTF8 if plain == "utf-8-sig" else plain


def has_byte_lines(encoding: str) -> bool:
    """Tell whether a line end is one byte, as in all encodings but UTF-16 and UTF-32."""
    return "\n".encode(encoding) == b"\n"


def decoded_lines(chunks: Iterable[bytes], encoding: str) -> Iterator[str]:
    """Yield lines, their ends kept, of an encoding in which a line end is several bytes.

    Raises:
        UnicodeDecodeError: Bytes that stand for nothing.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from (f"{line}\n" for line in lines)
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


def advice(raw: bytes, encoding: str, has_foreign: bool) -> tuple[str, tuple[str, ...]]:
    """Say what to do about a line that does not decode, and which settings most likely help.

    Args:
        raw: The line.
        encoding: What it was taken for.
        has_foreign: Whether an earlier line holds more than ASCII, and decodes.
    """
    if encoding != UTF8:
        return "set data.encoding to that of the file", ()
    if has_foreign:
        return "lines before it are; mend this line", ()
    if _looks_western(raw):
        return f"set {WINDOWS} (Windows)", (WINDOWS,)
    return OTHERS, ()


def advice_on_nul(raw: bytes) -> str:
    """Say what to do about a line with NUL bytes."""
    odd, even = raw[1::2].count(0), raw[::2].count(0)
    if max(odd, even) * 4 < len(raw):
        return "a text file holds none, so save it as plain UTF-8"
    return f"set data.encoding={'utf-16-le' if odd > even else 'utf-16-be'}"


def _looks_western(raw: bytes) -> bool:
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        return False
    beyond = [character for character in text if not character.isascii()]
    return not FOREIGN_WORD.search(raw) and all(
        character.isalpha() or character in WESTERN_SIGNS for character in beyond
    )
