"""An object store in memory that can be broken, and a cluster that only takes notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from frota.drivers.objects.fault import checked
from frota.model.bundle import Bundle, Progress, Remembered
from frota.model.clusterstatus import ClusterCondition, ConditionType, Truth
from frota.model.delivery import WatchedKind
from frota.model.objects import Object
from frota.planners.bundles import Signer
from frota.ports.blobs import Blob, BlobError, BlobInfo, BlobMissing, BlobTaken, BlobTooLarge
from frota.ports.member import AnchorError


def signer(number: int = 1) -> Signer:
    """A key that is the same in every run."""
    return Signer(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "team-a"},
        "data": data,
    }


def bundle(*names: str, cluster: str = "east", **data: str) -> Bundle:
    return Bundle("acme", cluster, tuple(config_map(name, **data) for name in names))


@dataclass
class MemoryBlobs:
    """``broken``: every call fails with this. ``gets`` counts bodies that were handed out;
    ``asked`` all gets."""

    objects: dict[str, Blob] = field(default_factory=dict)
    broken: str = ""
    gets: int = 0
    asked: int = 0
    puts: int = 0
    _etags: int = 0

    def get(self, key: str, most: int, *, unless: str = "") -> Blob | None:
        self.asked += 1
        found = self._there(checked(key))
        if found.etag == unless:
            return None
        if len(found.data) > most:
            raise BlobTooLarge(key)
        self.gets += 1
        return found

    def add(self, key: str, data: bytes) -> str:
        if checked(key) in self.objects:
            raise BlobTaken(key)
        return self.put(key, data)

    def put(self, key: str, data: bytes, *, expected: str = "") -> str:
        if self.broken:
            raise BlobError(self.broken)
        if expected and self._there(key).etag != expected:
            raise BlobTaken(key)
        self.puts += 1
        self._etags += 1
        self.objects[checked(key)] = Blob(key, data, f"e{self._etags}")
        return f"e{self._etags}"

    def list(self, folder: str, most: int) -> Sequence[BlobInfo]:
        lines = [
            BlobInfo(key, len(blob.data), float(blob.etag[1:]))
            for key, blob in self.objects.items()
            if key.startswith(f"{checked(folder)}/")
        ]
        return lines[:most]

    def delete(self, key: str) -> None:
        self.objects.pop(checked(key), None)

    def _there(self, key: str) -> Blob:
        if self.broken:
            raise BlobError(self.broken)
        if key not in self.objects:
            raise BlobMissing(f"{key}: it is not there")
        return self.objects[key]


@dataclass
class MemoryAnchor:
    kept: Remembered = field(default_factory=Remembered)
    broken: str = ""
    saves: int = 0

    def load(self) -> Remembered:
        if self.broken:
            raise AnchorError(self.broken)
        return self.kept

    def save(self, fresh: Remembered) -> None:
        if fresh.position >= self.load().position:
            self.kept = fresh
            self.saves += 1


def well(revision: str, *others: tuple[ConditionType, Truth, str, str], **parts: Any) -> Progress:
    """All is as declared, but for ``others``."""
    said = {
        ConditionType.REACHABLE: (ConditionType.REACHABLE, Truth.TRUE, "Answers", ""),
        ConditionType.SYNCED: (ConditionType.SYNCED, Truth.TRUE, "AsDeclared", ""),
        ConditionType.DRIFTED: (ConditionType.DRIFTED, Truth.FALSE, "AsDelivered", ""),
        ConditionType.DEGRADED: (ConditionType.DEGRADED, Truth.FALSE, "AllHealthy", ""),
        **{other[0]: other for other in others},
    }
    return Progress(
        revision, tuple(ClusterCondition(*one, 0.0, 1) for one in said.values()), **parts
    )


@dataclass
class Notes:
    """A reconciler that is done at once."""

    delivered: list[tuple[str, tuple[Object, ...]]] = field(default_factory=list)
    kinds: frozenset[WatchedKind] = frozenset()
    left: frozenset[WatchedKind] = frozenset()

    def deliver(self, bundle: Bundle, revision: str, last: Remembered) -> Progress:
        self.kinds = last.kinds
        if not self.delivered or self.delivered[-1][0] != revision:
            self.delivered.append((revision, bundle.objects))
        return well(revision, kinds=self.left)
