"""What a pull agent must not forget, in a ConfigMap of its own cluster (``ports.member``)."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from frota.drivers.kubernetes.access import Access
from frota.drivers.kubernetes.fault import Answered, Garbled, Silent, TooLarge, Unusable
from frota.drivers.kubernetes.link import Call, Link
from frota.model.bundle import NUMBER_MOST, Position, Remembered
from frota.model.delivery import WatchedKind
from frota.model.objects import ObjectKey
from frota.ports.clusters import ClusterAddress
from frota.ports.member import AnchorError

_PATCH = "application/merge-patch+json"
_ORDER, _SEQUENCE, _DIGEST, _KINDS, _RAN = "order", "sequence", "digest", "kinds", "ran"
_JOB = re.compile(
    r"([a-z0-9.-]{0,253})/([A-Za-z0-9]{1,63}) ([a-z0-9-]{1,63})/([a-z0-9.-]{1,253}) (\S{1,128})",
    re.ASCII,
)
_KIND = re.compile(r"([a-z0-9.-]{0,253})/([a-z0-9]{1,63}) ([A-Za-z0-9]{1,63})", re.ASCII)


class ConfigMapAnchor:
    """See ``ports.member.Anchor``. The ConfigMap must be there: one that somebody deleted
    is not the first start. Not for threads that run an event loop."""

    def __init__(self, address: ClusterAddress, namespace: str, name: str) -> None:
        self._address = address
        self._place = f"ConfigMap {namespace}/{name}"
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"

    def load(self) -> Remembered:
        """See the port."""
        return self._read(self._asked(None))

    def save(self, fresh: Remembered) -> None:
        """See the port."""
        found = self._asked(None)
        old = self._read(found)
        if old.position > fresh.position or old == fresh:
            return
        patch = {
            # Two agents at once, in a roll-out, do not write over each other.
            "metadata": {"resourceVersion": found.get("metadata", {}).get("resourceVersion", "")},
            "data": {
                _ORDER: str(fresh.position.order),
                _SEQUENCE: str(fresh.position.sequence),
                _DIGEST: fresh.digest,
                _KINDS: "\n".join(f"{k.group}/{k.version} {k.kind}" for k in sorted(fresh.kinds)),
                _RAN: "\n".join(
                    f"{k.group}/{k.kind} {k.namespace}/{k.name} {made}" for k, made in fresh.ran
                ),
            },
        }
        self._asked(json.dumps(patch).encode())

    def _read(self, found: Mapping[str, Any]) -> Remembered:
        data = found.get("data")
        if not data:
            return Remembered()
        texts = data if isinstance(data, dict) else {}
        words = [texts.get(key) for key in (_ORDER, _SEQUENCE)]
        numbers = [int(w) for w in words if isinstance(w, str) and w.isdecimal() and len(w) < 17]
        lines = str(texts.get(_KINDS, "")).splitlines()
        kinds = [match for line in lines if (match := _KIND.fullmatch(line))]
        rows = str(texts.get(_RAN, "")).splitlines()
        jobs = [match.groups() for row in rows if (match := _JOB.fullmatch(row))]
        sound = len(kinds) == len(lines) and len(jobs) == len(rows)
        if len(numbers) != 2 or max(numbers) > NUMBER_MOST or not sound:
            raise AnchorError(
                f"{self._place}: expected data with the numbers {_ORDER} and {_SEQUENCE}, and "
                f"{_KINDS} and {_RAN} of its own form; somebody else wrote it. Put back what the "
                "control plane last published"
            )
        return Remembered(
            Position(*numbers),
            str(texts.get(_DIGEST, "")),
            frozenset(WatchedKind(*match.groups()) for match in kinds),
            tuple((ObjectKey(*key), made) for *key, made in jobs),
        )

    def _asked(self, patch: bytes | None) -> dict[str, Any]:
        try:
            return asyncio.run(self._call(patch))
        except Answered as answer:
            if answer.code == HTTPStatus.NOT_FOUND:
                raise AnchorError(
                    f"{self._place}: it is not there; apply what `frota agent manifests` prints"
                ) from None
            raise AnchorError(f"{self._place}: {answer.message}") from None
        except (Silent, Garbled, TooLarge, Unusable) as error:
            raise AnchorError(f"{self._place}: {error}") from None

    async def _call(self, patch: bytes | None) -> dict[str, Any]:
        access = Access(self._address, time.time)
        link = Link(access, lambda: None)
        try:
            if patch is None:
                return await link.get(self._path)
            await link.call(Call("PATCH", self._path, body=patch, content=_PATCH))
            return {}
        finally:
            await link.close()
            access.close()
