"""The status that an agent writes, as text and back. It is hostile: a cluster that is lost
writes what it likes, and may harm nobody but itself by that."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec

from frota.model.bundle import NUMBER_MOST, STATUS_MOST, AgentStatus, Progress
from frota.model.clusterstatus import ConditionType
from frota.model.deliveryplan import PruneApproval
from frota.model.release import HELD_MOST, Drift, HeldPrune

_WORDS_MOST = 500  # characters of each text that is shown
_KEYS_MOST = 20
_TOLD_MOST = 50  # drifts, problems
_FIELDS_MOST = 5  # of one drift
_REASON = re.compile(r"[A-Z][A-Za-z]{0,39}", re.ASCII)
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
    numbers = [status.at, status.order, status.sequence]
    if status.progress is not None:
        held = status.progress.held
        numbers += [status.progress.settled, held.count if held is not None else 0]
    if not all(0 <= number <= NUMBER_MOST for number in numbers) or len(status.keys) > _KEYS_MOST:
        raise ValueError("it has numbers that no agent writes")
    return _plain(status)


def _plain(status: AgentStatus) -> AgentStatus:
    """The status with each text as one printable line of bounded length, and bounded lists."""
    return replace(
        status,
        version=_line(status.version),
        digest=_line(status.digest),
        progress=_plain_progress(status.progress) if status.progress is not None else None,
        refusal=_line(status.refusal),
        refused=_line(status.refused),
        trouble=_line(status.trouble),
        keys=_lines(status.keys, _KEYS_MOST),
    )


def _plain_progress(progress: Progress) -> Progress:
    return Progress(
        revision=_line(progress.revision),
        conditions=tuple(
            replace(one, reason=_word(one.reason), message=_line(one.message))
            for one in progress.conditions[: len(ConditionType)]
        ),
        settled=progress.settled,
        drifts=tuple(
            Drift(
                _line(one.object),
                _word(one.reason),
                _line(one.message),
                _lines(one.fields, _FIELDS_MOST),
                one.corrected,
            )
            for one in progress.drifts[:_TOLD_MOST]
        ),
        problems=_lines(progress.problems, _TOLD_MOST),
        held=_plain_held(progress.held) if progress.held is not None else None,
        trouble=_line(progress.trouble),
    )


def _plain_held(held: HeldPrune) -> HeldPrune:
    """Where not every object can be named, no uid is: so it cannot be approved."""
    approval = held.approval
    whole = len(held.objects) == len(approval.uids) == held.count <= HELD_MOST
    uids = frozenset(map(_line, approval.uids)) if whole else frozenset[str]()
    return HeldPrune(
        PruneApproval(_line(approval.plan), uids),
        _lines(held.objects, HELD_MOST),
        held.count,
        _lines(held.reasons, _TOLD_MOST),
    )


def _lines(texts: tuple[str, ...], most: int) -> tuple[str, ...]:
    return tuple(_line(text) for text in texts[:most])


def _word(text: str) -> str:
    """A reason: one CamelCase word."""
    return text if _REASON.fullmatch(text) else "NotTold"


def _line(text: str) -> str:
    words = " ".join(text[: 4 * _WORDS_MOST].split())[:_WORDS_MOST]
    return "".join(letter if letter.isprintable() else "?" for letter in words)
