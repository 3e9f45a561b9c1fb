"""Kubernetes objects as YAML that every reader takes the same way.

YAML 1.1 (kubectl, PyYAML) reads ``y``, ``no``, ``1e3`` and ``012`` as something other than
text, YAML 1.2 reads some of them otherwise. So text is left bare only where it begins with
a letter and is no word that any version knows; the rest stands in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import yaml

from frota.model.objects import Object

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*", re.ASCII)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_WIDTH = 1_000_000  # long text is not folded: a folded line is a different line to diff


class _Dumper(yaml.CSafeDumper):
    """Quotes what may be misread, and never points back with an alias."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _text(dumper: yaml.CSafeDumper, value: str) -> yaml.ScalarNode:
    if _BARE.fullmatch(value) and value.lower() not in _WORDS:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value)
    several_lines = "\n" in value and value.isascii() and value.replace("\n", "").isprintable()
    style = "|" if several_lines else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(objects: Iterable[Object]) -> str:
    """The objects as YAML documents, each begun by ``---``."""
    return yaml.dump_all(
        (dict(item) for item in objects),
        Dumper=_Dumper,
        explicit_start=True,
        sort_keys=False,
        allow_unicode=True,
        width=_WIDTH,
    )
