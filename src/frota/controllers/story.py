"""The journal lines of one reconcile: cause, decision, action, outcome."""

from __future__ import annotations

from collections.abc import Sequence

from frota.model.decision import Decision, Stage


class Story:
    """Collects what is to be journalled with the commit it belongs to."""

    __slots__ = ("_at", "_group", "lines")

    def __init__(self, group: str, at: float) -> None:
        self._group = group
        self._at = at
        self.lines: list[Decision] = []

    def tell(
        self,
        stage: Stage,
        cause_id: str,
        subject: str,
        reason: str,
        message: str,
        rejected: Sequence[str] = (),
    ) -> None:
        """Add one line."""
        line = Decision(
            self._at, self._group, cause_id, stage, subject, reason, message, tuple(rejected)
        )
        self.lines.append(line)
