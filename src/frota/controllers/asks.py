"""When fence methods are asked: at once, then again and again with a growing pause."""

from __future__ import annotations

from dataclasses import dataclass

from frota.controllers.draft import Draft


@dataclass(slots=True)
class _Asked:
    times: int
    again_at: float


class Asks:
    """Paces what is asked of the fence port. Asking twice is harmless, and what was asked
    before a restart is simply asked again."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str, str], _Asked] = {}

    def pace(self, draft: Draft) -> None:
        """Leave in ``draft.probe`` and ``draft.kill`` only the hosts whose turn it is."""
        if not (draft.probe or draft.kill or self._asked):
            return
        draft.probe = self._due("probe", draft.probe, draft)
        draft.kill = self._due("kill", draft.kill, draft)

    def _due(self, what: str, hosts: tuple[str, ...], draft: Draft) -> tuple[str, ...]:
        timers, now = draft.spec.policy.timers, draft.now
        wanted = {(what, name, draft.hosts[name].incarnation) for name in hosts}
        for gone in [key for key in self._asked if key[0] == what and key not in wanted]:
            del self._asked[gone]
        due = []
        for key in sorted(wanted):
            known = self._asked.setdefault(key, _Asked(0, now))
            if known.again_at <= now:
                wait = min(timers.retry_most, timers.fence_retry * 2.0 ** min(known.times, 16))
                known.times, known.again_at = known.times + 1, now + wait
                due.append(key[1])
            draft.wake_at(known.again_at)
        return tuple(due)
