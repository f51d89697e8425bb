"""What an unquoted YAML word means by the core schema of YAML 1.2, where `on` and `no` are text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NOT_A_NUMBER = frozenset({".nan", ".NaN", ".NAN"})
_MOST_DIGITS = 4000
"""Python refuses to read longer whole numbers; such a word stays text."""

Scalar = str | int | float | bool | None
"""What one YAML word can be."""


def plain_scalar(text: str) -> Scalar:
    """The value of an unquoted word; whatever is no null, boolean or number is text."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    number = _number(text)
    return text if number is None else number


def _number(text: str) -> int | float | None:
    if len(text) > _MOST_DIGITS:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return float(text.replace(".", ""))
    return float("nan") if text in _NOT_A_NUMBER else None


class Substituted(str):
    """Text with environment variables filled in; its repr is what the user wrote, never what they hold.

    Where a field wants a number or anything at all, `resolved()` reads the text as an unquoted YAML word.
    Where a field wants text it stays text, so that a key made of digits is still a key. `literal` (written
    `!!str`) keeps it text everywhere.
    """

    __slots__ = ("literal", "source")

    source: str
    """The text as written, such as `${PORT:-8080}`."""
    literal: bool
    """Whether it stays text even where anything is allowed."""

    def __new__(cls, value: str, source: str, *, literal: bool = False) -> Self:
        """`value` as the text, `source` as what was written."""
        text = super().__new__(cls, value)
        text.source = source
        text.literal = literal
        return text

    def __repr__(self) -> str:
        return repr(self.source)

    def resolved(self) -> Scalar:
        """The filled-in text read as an unquoted YAML word."""
        return str(self) if self.literal else plain_scalar(str(self))


def resolved(value: object) -> object:
    """`value` with every `Substituted` text in it, however deep, read as an unquoted YAML word."""
    if isinstance(value, Substituted):
        return value.resolved()
    if isinstance(value, Mapping):
        return {key: resolved(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolved(item) for item in value]
    return value
