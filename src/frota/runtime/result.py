"""What a reconcile answers to the queue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """``again_at``: when to come back although nothing happened (Frota's clock); None:
    only when something does."""

    again_at: float | None = None
