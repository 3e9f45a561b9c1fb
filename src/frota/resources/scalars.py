"""Plain YAML words as values, and the words whose meaning depends on the YAML version.

YAML 1.1 and 1.2 read ``yes``, ``010`` or ``1:30`` differently, and so do the tools that
people use side by side. Frota takes neither side: such words are refused with both
meanings named, and quotes or a plain number settle it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_OLD_BOOLS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_MAY_BE_NUMBER = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_OCTAL = re.compile(r"[-+]?0[0-7_]+", re.ASCII)
_NEW_OCTAL = re.compile(r"0o[0-7]+", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+", re.ASCII)
_BINARY = re.compile(r"[-+]?0b[01_]+", re.ASCII)
_GROUPED = re.compile(r"[-+]?(0x[0-9a-fA-F_]+|[0-9][0-9_]*(\.[0-9_]*)?)", re.ASCII)
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DIGITS_MOST = 18  # more do not fit the 64 bits that other readers of the file use


@dataclass(frozen=True, slots=True)
class Trap:
    """A word that must be written otherwise, and how."""

    expected: str
    found: str
    hint: str


Scalar = str | int | float | bool | None


def resolve(word: str) -> Scalar | Trap:
    """The value of a plain (unquoted, untagged) word."""
    if word in _NULLS:
        return None
    if word in _BOOLS:
        return _BOOLS[word]
    old = _OLD_BOOLS.get(word.lower()) if len(word) <= 3 else None
    if old is not None and word in (word.lower(), word.upper(), word.capitalize()):
        return Trap(
            "true, false, or text in quotes",
            f"{word}, which is {old} in YAML 1.1 and text in YAML 1.2",
            f'write {old} or "{word}"',
        )
    if word[0] not in _MAY_BE_NUMBER:
        return word
    return _number(word)


def _number(word: str) -> Scalar | Trap:
    if _INTEGER.fullmatch(word) or _HEX.fullmatch(word):
        digits = len(word.lstrip("+-"))
        if digits > _DIGITS_MOST:
            return Trap(
                "a number of at most 18 digits, or text in quotes",
                f"{digits} digits",
                "put it in quotes if text is meant",
            )
        return int(word, 0)
    if _NOT_FINITE.fullmatch(word):
        return Trap("a finite number", word, f'write "{word}" if text is meant')
    if _FLOAT.fullmatch(word) and not _LEADING_ZERO.fullmatch(word):
        number = float(word)
        if math.isfinite(number):
            return number
        return Trap("a finite number", word[:30], "put it in quotes if text is meant")
    return _old_number(word) or word


def _old_number(word: str) -> Trap | None:
    """Numbers of one YAML version only."""
    quoted = f'"{word}" if text is meant'
    if _LEADING_ZERO.fullmatch(word) or _OCTAL.fullmatch(word) or _NEW_OCTAL.fullmatch(word):
        return Trap(
            "a number without leading zeros, or text in quotes",
            f"{word}, whose base (8 or 10) depends on the YAML version",
            f"write the decimal number, or {quoted}",
        )
    if _BASE_60.fullmatch(word):
        return Trap(
            "a plain number, or text in quotes",
            f"{word}, which is a number of base 60 in YAML 1.1 and text in YAML 1.2",
            f"write {quoted}, 1m30s for a time",
        )
    if _BINARY.fullmatch(word) or (_GROUPED.fullmatch(word) and "_" in word):
        return Trap(
            "a decimal number without underscores, or text in quotes",
            f"{word}, which is a number in YAML 1.1 and text in YAML 1.2",
            f"write the decimal number, or {quoted}",
        )
    return None
