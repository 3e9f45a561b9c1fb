"""Names that join a cause with everything that follows from it."""

from __future__ import annotations

from random import Random

# Crockford's base 32: no letter that is easily read as a digit.
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 10  # 50 bits: two of 100,000 names are equal once in 200,000 histories


def cause_id(rng: Random) -> str:
    """A new name of ten lower-case letters and digits, unique for all practical purposes."""
    bits = rng.getrandbits(5 * _LENGTH)
    return "".join(_DIGITS[bits >> 5 * place & 31] for place in range(_LENGTH))
