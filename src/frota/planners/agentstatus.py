"""The status that an agent writes, as text and back. It is hostile: a cluster that is lost
writes what it likes, and may harm nobody but itself by that."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from frota.model.bundle import NUMBER_MOST, STATUS_MOST, AgentStatus

_WORDS_MOST = 500  # characters of each text that is shown
_KEYS_MOST = 20
_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(AgentStatus)


def write_status(status: AgentStatus) -> bytes:
    """The text of a status. Words of others in it are bounded."""
    return _encoder.encode(_plain(status))


def read_status(text: bytes, fleet: str, cluster: str) -> AgentStatus:
    """The status of this cluster. Raises ValueError, without words of the text, when it is
    too large, not a status, or another cluster's. Words in it are made safe to show."""
    if len(text) > STATUS_MOST:
        raise ValueError(f"{len(text)} bytes, expected at most {STATUS_MOST}")
    try:
        status = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("it is not a status; was another program's file put there?") from None
    if (status.fleet, status.cluster) != (fleet, cluster):
        raise ValueError("it is another cluster's status")
    numbers = (status.at, status.order, status.sequence)
    if not all(0 <= number <= NUMBER_MOST for number in numbers) or len(status.keys) > _KEYS_MOST:
        raise ValueError("it has numbers that no agent writes")
    return _plain(status)


def _plain(status: AgentStatus) -> AgentStatus:
    """The status with each text as one printable line of bounded length."""
    progress = status.progress
    if progress is not None:
        progress = replace(
            progress, revision=_line(progress.revision), message=_line(progress.message)
        )
    return replace(
        status,
        version=_line(status.version),
        digest=_line(status.digest),
        progress=progress,
        refusal=_line(status.refusal),
        refused=_line(status.refused),
        trouble=_line(status.trouble),
        keys=tuple(_line(key) for key in status.keys),
    )


def _line(text: str) -> str:
    words = " ".join(text[: 4 * _WORDS_MOST].split())[:_WORDS_MOST]
    return "".join(letter if letter.isprintable() else "?" for letter in words)
