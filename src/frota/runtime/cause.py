"""Short names for stories and operations."""

from __future__ import annotations

import random

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_LETTERS = 10  # 50 bits: a clash among a million is a 1-in-2,000 event


class CauseIds:
    """Draws ids from an injected source of chance, so that a seed gives the same ids."""

    __slots__ = ("_rng",)

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def new(self) -> str:
        """A fresh id of ten letters and digits."""
        bits = self._rng.getrandbits(5 * _LETTERS)
        return "".join(_ALPHABET[bits >> 5 * i & 31] for i in range(_LETTERS))
