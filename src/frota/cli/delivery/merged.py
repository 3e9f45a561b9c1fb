"""Whole objects as lines: as they are, and as they would be."""

from __future__ import annotations

from difflib import unified_diff

from frota.model.objects import Object
from frota.planners.delivery.recorded import plain

_CONTEXT = 3


def lines(before: Object | None, after: Object | None) -> list[str]:
    """The whole object as YAML, line by line: what goes with ``-``, what comes with ``+``."""
    old, new = _yaml(before), _yaml(after)
    return list(unified_diff(old, new, lineterm="", n=max(len(old), len(new), _CONTEXT)))[3:]


def _yaml(item: Object | None) -> list[str]:
    if item is None:
        return []
    from frota.cli.manifests import as_yaml

    return [line for line in as_yaml([plain(item)]).splitlines() if line != "---"]
