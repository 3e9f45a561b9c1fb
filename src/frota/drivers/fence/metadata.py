"""What a fence agent says of itself (``-o metadata``): its options and what it can do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from frota.resources.errors import nearest

# Set by Frota, or would write secrets to places that nobody guards.
RESERVED = frozenset(
    {"action", "debug", "debug_file", "verbose", "verbose_level", "help", "version"}
)
_PARAMETER = re.compile(r'<parameter\s[^>]*?name="([^"]{1,200})"')
_ACTION = re.compile(r"<action\s([^>]*?)/?>")
_NAME = re.compile(r'name="([^"]{1,200})"')


@dataclass(frozen=True, slots=True)
class Metadata:
    """``cuts`` is true when the agent takes something away from a host that runs on (its
    storage, its network) instead of switching it off: no proof that its VMs ended."""

    options: frozenset[str]
    actions: frozenset[str]
    cuts: bool

    @classmethod
    def parse(cls, text: str) -> Metadata:
        """Read from the agent's answer. Raises ValueError when it is none."""
        options = frozenset(_PARAMETER.findall(text))
        attributes = _ACTION.findall(text)
        actions = frozenset(name for each in attributes for name in _NAME.findall(each))
        if not options or not actions:
            raise ValueError("expected parameters and actions")
        cuts = any('name="on"' in each and 'automatic="1"' in each for each in attributes)
        return cls(options, actions, cuts)

    def faults(self, names: Iterable[str]) -> list[str]:
        """What is wrong with using this agent with these options."""
        found = [self._fault(name) for name in names]
        found += [
            f"it has no action {action!r}"
            for action in ("off", "status")
            if action not in self.actions
        ]
        if self.cuts:
            found.append("it cuts a host off but leaves it running: it proves nothing about VMs")
        return [fault for fault in found if fault]

    def _fault(self, name: str) -> str:
        if name.replace("-", "_") in RESERVED:
            return f"option {name!r} is not for you to set"
        known = {option.replace("-", "_"): option for option in self.options}
        if name.replace("-", "_") in known:
            return ""
        usable = sorted(self.options - RESERVED)
        near = nearest(name, usable)
        hint = f"did you mean {near!r}?" if near else f"it knows {', '.join(usable)}"
        return f"unknown option {name!r}; {hint}"
