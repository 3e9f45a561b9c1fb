"""Which cluster it is that answers. Behind the same address there may be another one
tomorrow, or the same with an empty database: then nothing that was known holds."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from frota.drivers.kubernetes.fault import Answered, Garbled, Silent, TooLarge, Unusable, plain
from frota.drivers.kubernetes.link import Link

_SYSTEM = "/api/v1/namespaces/kube-system"  # every API server makes it, and none remakes it
_HIDDEN = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})


class Identity:
    """``known``: was asked since it was last away; ``met``: ever. ``due``: ask again.
    ``why``: the last question brought no answer.
    ``uid``: that of kube-system; empty when it may not be read."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.uid = ""
        self.version = ""
        self.known = self.met = False
        self.due = True
        self.why = ""

    async def ask(self) -> bool:
        """True: it is another one than before, or of another version. Without an answer
        ``due`` stays."""
        try:
            metadata = (await self._read(_SYSTEM)).get("metadata")
            version = plain((await self._read("/version")).get("gitVersion"), 100)
        except (Answered, Silent, Garbled, TooLarge, Unusable) as fault:
            self.why = f"cannot tell which cluster it is: {fault}"
            return False
        uid = plain(metadata.get("uid"), 100) if isinstance(metadata, dict) else ""
        another = bool(self.uid and uid and uid != self.uid)
        another |= bool(self.version and version and version != self.version)
        # A server that has just begun may hide for a moment what it showed before.
        self.due = bool(self.uid and not uid)
        self.uid, self.version = uid or self.uid, version or self.version
        self.known, self.met, self.why = True, True, ""
        return another

    async def _read(self, path: str) -> Mapping[str, Any]:
        """Not every identity may read everything: then it is not known, and that is fine."""
        try:
            return await self._link.get(path)
        except Answered as answer:
            if answer.code in _HIDDEN:
                return {}
            raise
