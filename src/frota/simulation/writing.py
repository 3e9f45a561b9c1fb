"""A drawn schedule as a scenario file that a person can read and play again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_WIDTH = 100


def scenario_text(scenario: Mapping[str, Any], broken: Sequence[str]) -> str:
    """The text of a scenario file that does what a schedule did; what it broke stands
    above it."""
    lines = [f"# {line}\n" for line in broken]
    body = yaml.safe_dump(
        dict(scenario), sort_keys=False, default_flow_style=None, width=_WIDTH, allow_unicode=True
    )
    return "".join(lines) + body
