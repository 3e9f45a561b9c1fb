"""Kubernetes quantities that are written differently and are the same: ``1000m`` and ``1``.

The grammar is that of ``k8s.io/apimachinery/pkg/api/resource``: a decimal number with a
binary suffix, a decimal suffix or an exponent.
"""

from __future__ import annotations

import re
from fractions import Fraction

_PATTERN = re.compile(
    r"([+-]?)([0-9]{1,32}(?:\.[0-9]{0,32})?|\.[0-9]{1,32})"
    r"(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?",
    re.ASCII,
)
_DECIMAL = "kMGTPE"
_SMALL = {"n": -9, "u": -6, "m": -3}
_LENGTH_MOST = 64


def same_quantity(one: object, other: object) -> bool:
    """Whether both are quantities of one value."""
    first = _value(one)
    return first is not None and first == _value(other)


def _value(written: object) -> Fraction | None:
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        return None
    text = str(written)
    match = _PATTERN.fullmatch(text) if len(text) <= _LENGTH_MOST else None
    if match is None:
        return None
    sign, number, suffix = match.group(1), match.group(2), match.group(3) or ""
    value = Fraction(number.rstrip(".") or "0") * _factor(suffix)
    return -value if sign == "-" else value


def _factor(suffix: str) -> Fraction:
    if not suffix:
        return Fraction(1)
    if suffix.endswith("i"):
        return Fraction(1024 ** ("KMGTPE".index(suffix[0]) + 1))
    if suffix in _SMALL:
        return Fraction(10) ** _SMALL[suffix]
    if suffix in _DECIMAL:
        return Fraction(1000 ** (_DECIMAL.index(suffix) + 1))
    return Fraction(10) ** int(suffix[1:])
