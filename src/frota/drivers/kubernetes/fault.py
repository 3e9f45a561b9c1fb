"""What can go wrong with one request, and how an API server says so.

What a server writes is hostile: texts are bounded, control characters taken out.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

_TEXT_MOST = 500  # characters of a server's message that are kept
_CAUSES_MOST = 100
_WAIT_MOST = 60.0  # seconds; a server that wants longer pauses is asked again all the same
_UNWELCOME = "it does not accept Frota's credentials (401): renew those of the kubeconfig"
_BUSY = frozenset({429, 500, 502, 503, 504})


class Unusable(Exception):
    """A kubeconfig, credential or plugin that Frota cannot use. The message says where,
    what was expected and how to mend it, and never a secret."""


class Silent(Exception):
    """No answer. ``sent``: the request may have been received and carried out."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class TooLarge(Exception):
    """An answer above its bound in bytes."""


class Garbled(Exception):
    """An answer that is not what the protocol says."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One of the causes in a Status."""

    reason: str
    message: str
    field: str


class Answered(Exception):
    """The server answered, but not with success: ``code`` is the HTTP status, ``reason``
    and ``causes`` are those of the Status object, ``after`` the wait it asks for in seconds
    (0: none), already bounded."""

    def __init__(
        self, code: int, reason: str, message: str, causes: tuple[Cause, ...], after: float
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes
        self.after = after

    @property
    def busy(self) -> bool:
        """The same request may succeed later without any change."""
        return self.code in _BUSY


def answered(code: int, body: bytes, retry_after: str = "") -> Answered:
    """What an answer without success says, be it a Status object or not."""
    status = _status(body)
    details = status.get("details")
    details = details if isinstance(details, dict) else {}
    reason = plain(status.get("reason")) or _phrase(code)
    message = plain(status.get("message")) or _phrase(code)
    if code == HTTPStatus.UNAUTHORIZED:
        message = _UNWELCOME
    after = _seconds(retry_after) or _number(details.get("retryAfterSeconds"))
    return Answered(code, reason, message, _causes(details.get("causes")), min(after, _WAIT_MOST))


def plain(text: object, most: int = _TEXT_MOST) -> str:
    """A server's text as one line that is safe to show; empty if it is none."""
    if not isinstance(text, str):
        return ""
    line = " ".join(text[: 4 * most].split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= most else line[: most - 1] + "…"


def _status(body: bytes) -> dict[str, Any]:
    try:
        status = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}


def _causes(found: object) -> tuple[Cause, ...]:
    if not isinstance(found, list):
        return ()
    return tuple(
        Cause(plain(cause.get("reason")), plain(cause.get("message")), plain(cause.get("field")))
        for cause in found[:_CAUSES_MOST]
        if isinstance(cause, dict)
    )


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return f"HTTP status {code}"


def _seconds(header: str) -> float:
    """Retry-After in seconds; its other form, a date, no API server sends."""
    return float(header) if header.isascii() and header.isdecimal() and len(header) < 9 else 0.0


def _number(value: object) -> float:
    return float(value) if isinstance(value, int) and 0 < value < 10**8 else 0.0
