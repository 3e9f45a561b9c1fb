"""Memory, durations and shares as people write them: ``64Gi``, ``10m``, ``30%``.

Each has one parser and one formatter, and ``parse(format(x)) == x``. Numbers are whole,
so that what is written, stored and shown is the same number.
"""

from __future__ import annotations

import re

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
BYTES_MAX = 1 << 60
SECONDS_MAX = 366 * 24 * 3600

BYTES_PATTERN = r"^[0-9]{1,19}(Ki|Mi|Gi|Ti)?$"
DURATION_PATTERN = r"^([0-9]{1,11}(ms|s|m|h)){1,4}$"
SHARE_PATTERN = r"^(100|[0-9]{1,2})%$"

BYTES_EXPECTED = "a whole number with Ki, Mi, Gi or Ti, such as 64Gi"
DURATION_EXPECTED = "a time with its unit, such as 500ms, 30s, 10m or 2h"
SHARE_EXPECTED = "a share from 0% to 100%, such as 30%"

_BYTES = re.compile(BYTES_PATTERN, re.ASCII)
_DURATION = re.compile(DURATION_PATTERN, re.ASCII)
_DURATION_PART = re.compile(r"([0-9]+)(ms|s|m|h)", re.ASCII)
_SHARE = re.compile(SHARE_PATTERN, re.ASCII)
_NEAR_BYTES = re.compile(r"^([0-9]{1,15})(?:\.([0-9]{1,6}))?\s*([kmgt]?)i?b?$", re.ASCII | re.I)
_NEAR_DURATION = re.compile(r"^([0-9]{1,9})\s*(ms|s|m|h|sec|min|hours?|d|days?)?$", re.ASCII | re.I)
_BINARY = {"": 1, "Ki": KIB, "Mi": MIB, "Gi": GIB, "Ti": TIB}
_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


class QuantityError(ValueError):
    """Not a quantity: what was expected, and a mend where one can be guessed."""

    def __init__(self, expected: str, hint: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.hint = hint


def parse_bytes(text: str | int) -> int:
    """The number of bytes. Raises QuantityError."""
    written = str(text)
    match = _BYTES.fullmatch(written)
    if match is None:
        raise QuantityError(BYTES_EXPECTED, _mend_bytes(written.strip()))
    suffix = match.group(1) or ""
    number = int(written.removesuffix(suffix)) * _BINARY[suffix]
    if number > BYTES_MAX:
        raise QuantityError(f"at most {format_bytes(BYTES_MAX)}")
    return number


def format_bytes(number: int) -> str:
    """The shortest exact form, with the largest unit that divides."""
    for suffix in ("Ti", "Gi", "Mi", "Ki"):
        unit = _BINARY[suffix]
        if number and number % unit == 0:
            return f"{number // unit}{suffix}"
    return str(number)


def whole_units(text: str | int, unit: int) -> int:
    """Bytes as a whole number of ``unit`` (``MIB`` or ``GIB``). Raises QuantityError."""
    number = parse_bytes(text)
    if number % unit:
        suffix = next(name for name, size in _BINARY.items() if size == unit)
        above = -(-number // unit)
        raise QuantityError(f"a whole number of {suffix}", f"write {format_bytes(above * unit)}")
    return number // unit


def parse_duration(text: str) -> float:
    """Seconds; parts add up: ``1h30m``. Raises QuantityError."""
    if _DURATION.fullmatch(text) is None:
        raise QuantityError(DURATION_EXPECTED, _mend_duration(text.strip()))
    parts = _DURATION_PART.findall(text)
    total = sum(int(number) * _MILLISECONDS[unit] for number, unit in parts)
    if total > SECONDS_MAX * 1000:
        raise QuantityError(f"at most {format_duration(SECONDS_MAX)}")
    return total / 1000


def format_duration(seconds: float) -> str:
    """The shortest exact form, with the largest unit that divides."""
    milliseconds = round(seconds * 1000)
    for suffix, size in _MILLISECONDS.items():
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{suffix}"
    return "0s"


def parse_share(text: str) -> float:
    """A share between 0 and 1, in whole percents. Raises QuantityError."""
    if _SHARE.fullmatch(text) is None:
        raise QuantityError(SHARE_EXPECTED, _mend_share(text.strip()))
    return int(text[:-1]) / 100


def format_share(share: float) -> str:
    """A share in whole percents."""
    return f"{round(share * 100)}%"


def cpus_left(cpus: int, reserve: int, overcommit: float) -> int:
    """Virtual CPUs for VMs: what the reserve leaves, times the overcommit, rounded down."""
    # 100 x 1.15 is a hair under 115 in binary: do not lose a whole CPU to that.
    return int(max(0, cpus - reserve) * overcommit + 1e-6)


def memory_left(memory: int, reserve: int) -> int:
    """Memory for VMs, in the unit of the arguments."""
    return max(0, memory - reserve)


def _mend_bytes(text: str) -> str:
    """``8G``, ``8GB`` and ``1.5Gi`` have a plain meaning: name it in the right form."""
    match = _NEAR_BYTES.match(text)
    if match is None:
        return ""
    whole, fraction, letter = match.groups()
    unit = _BINARY[f"{letter.upper()}i" if letter else ""]
    unit = KIB if letter in ("k", "K") else unit
    number = int(whole) * unit
    if fraction:
        number += int(fraction) * unit // 10 ** len(fraction)
    return f"write {format_bytes(number)}" if 0 < number <= BYTES_MAX else ""


def _mend_duration(text: str) -> str:
    match = _NEAR_DURATION.fullmatch(text)
    if match is None:
        return ""
    number, unit = int(match.group(1)), (match.group(2) or "s").lower()
    if unit.startswith("d"):
        return f"write {number * 24}h"
    if unit != "ms":
        unit = unit[0]
    return f"write {number}{unit}"


def _mend_share(text: str) -> str:
    number = text.removesuffix("%").strip()
    try:
        share = float(number)
    except ValueError:
        return ""
    if not text.endswith("%") and 0 < share < 1:
        share *= 100
    return f"write {round(share)}%" if 0 <= share <= 100 else ""
