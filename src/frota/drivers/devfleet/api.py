"""The few calls that a test fleet itself makes to an API server or to etcd: one at a time,
JSON over TLS with a client certificate, from the standard library alone."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frota.drivers.devfleet.addresses import LOOPBACK

APPLY = "application/apply-patch+yaml"  # JSON is YAML, and has no second reading
_JSON = "application/json"
_ANSWER_MOST = 64 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: status and decoded body (its text, when that is no JSON)."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether it did as asked."""
        return 200 <= self.status < 300

    def demand(self) -> Any:
        """The body of a good answer. Raises CallRefused for another one."""
        if not self.ok:
            message = self.body.get("message") if isinstance(self.body, dict) else self.body
            raise CallRefused(self.status, str(message)[:500])
        return self.body


class CallRefused(Exception):
    """A server answered, but not as hoped."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """One server on the loopback address, as the owner of one certificate; or, without a
    certificate, of the token given with a call. Thread-safe: each call has a connection of
    its own."""

    def __init__(self, port: int, authority: Path, certificate: Path | None, key: Path) -> None:
        self.port = port
        self._tls = ssl.create_default_context(cafile=str(authority))
        if certificate is not None:
            self._tls.load_cert_chain(certificate, key)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        form: str = _JSON,
        token: str = "",
        timeout: float = 10.0,
    ) -> Answer:
        """One request. ``timeout`` in seconds is for each wait. Raises OSError."""
        headers = {"Content-Type": form, "Accept": _JSON}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        sent = None if body is None else json.dumps(body).encode()
        line = http.client.HTTPSConnection(LOOPBACK, self.port, timeout=timeout, context=self._tls)
        try:
            line.request(method, path, sent, headers)
            answer = line.getresponse()
            return Answer(answer.status, _decoded(answer.read(_ANSWER_MOST)))
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        finally:
            line.close()

    def get(self, path: str) -> Any:
        """Read one path. Raises CallRefused, OSError."""
        return self.call("GET", path).demand()

    def apply(self, path: str, value: Any, owner: str, *, force: bool = False) -> Answer:
        """Server-side apply of one object at its own path. Raises OSError."""
        query = f"fieldManager={owner}&force={str(force).lower()}"
        return self.call("PATCH", f"{path}?{query}", value, form=APPLY)


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")
