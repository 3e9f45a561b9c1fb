"""What one cluster shows, as values that never change; made anew only when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from frota.drivers.kubernetes.reflector import Reflector
from frota.model.delivery import ClusterView, WatchedKind

Reflectors = Mapping[WatchedKind, Reflector]


class Display:
    """Puts together the view of one cluster. ``identified``: it is known which cluster
    answers, ``doubt`` why not. ``why``: why it does not answer at all."""

    def __init__(self, cluster: str) -> None:
        self.answers = False
        self.last_seen = 0.0
        self.identified = False
        self.version = self.identity = ""
        self.why = "not asked yet"
        self.doubt = ""
        self._serials: Mapping[WatchedKind, int] = {}
        self._serial = 0
        self._claims_serial = 0
        self._facts = ClusterView(cluster, answers=False, last_seen=0.0)  # without objects
        self._view = self._facts
        self._shown = self._facts

    def changed(self, reflectors: Reflectors, claims: Reflector) -> bool:
        """Something is other than at the last call. ``claims``: PersistentVolumeClaims."""
        serials = {kind: reflector.serial for kind, reflector in reflectors.items()}
        if serials != self._serials:
            self._serial += 1
            self._serials = serials
        current = all(reflector.current for reflector in reflectors.values())
        facts = replace(
            self._facts,
            answers=self.answers,
            complete=self.answers and self.identified and current,
            version=self.version,
            identity=self.identity,
            absent=frozenset(kind for kind, item in reflectors.items() if item.absent),
            claimed=self._claimed(claims),
            serial=self._serial,
            error=self.why or self.doubt or _error(reflectors),
        )
        changed = facts != self._facts
        if changed:
            self._facts = facts
        return changed

    def _claimed(self, claims: Reflector) -> frozenset[str] | None:
        """The namespaces with claims, as long as they are known."""
        if not (self.answers and self.identified and claims.current):
            return None
        if claims.serial != self._claims_serial or self._facts.claimed is None:
            self._claims_serial = claims.serial
            return frozenset(key.namespace for key in claims.objects)
        return self._facts.claimed

    def view(self, reflectors: Reflectors) -> ClusterView:
        """The view as of the last ``changed``. While this runs no reflector may change."""
        facts = self._facts
        if facts is not self._shown or self._view.last_seen != self.last_seen:
            objects = self._view.objects
            if facts.serial != self._shown.serial:
                objects = MappingProxyType(
                    {
                        key: item.object
                        for reflector in reflectors.values()
                        for key, item in reflector.objects.items()
                    }
                )
            self._view = replace(facts, objects=objects, last_seen=self.last_seen)
            self._shown = facts
        return self._view


def _error(reflectors: Reflectors) -> str:
    """Why the objects of some kind are not known."""
    for kind, reflector in reflectors.items():
        if reflector.error and not reflector.current:
            return f"cannot watch {kind.kind}: {reflector.error}"
    return ""
