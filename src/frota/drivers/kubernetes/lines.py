"""Lines out of a stream of chunks. A line may be of any length up to a bound, and costs
time in proportion to its length however it is cut."""

from __future__ import annotations

from frota.drivers.kubernetes.fault import TooLarge


class Lines:
    """Cuts chunks into lines; what is held never exceeds ``most`` bytes and one chunk."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._begun: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, without empty ones. Raises TooLarge."""
        *whole, rest = chunk.split(b"\n")
        if whole:
            self._begun.append(whole[0])
            self._size += len(whole[0])
            self._check()
            whole[0] = b"".join(self._begun)
            self._begun, self._size = [], 0
        self._begun.append(rest)
        self._size += len(rest)
        self._check()
        return [line for line in whole if line.strip()]

    def _check(self) -> None:
        if self._size > self._most:
            raise TooLarge(f"a line of more than {self._most} bytes")
