"""Where a model is fetched: the forms in which people name it, and the plain address
behind each. (``urllib.parse`` would do, but what is pure here imports nothing that can
reach a network.)"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

CLAIM_DIRECTORY = "/store"
_FORM = re.compile(r"([a-z0-9]+)://([^/?#]*)([^\s]*)", re.ASCII)
_PLACE = re.compile(r"(?:[^@]*@)?(?:\[([^\]]+)\]|([^:]*))(?::([0-9]+))?", re.ASCII)
_PORTS = {"https": 443, "http": 80}


class Endpoint(NamedTuple):
    """A host, by name or address, and a TCP port."""

    host: str
    port: int


def address(source: str) -> str:
    """What ``urllib`` opens. Forms that have no plain address are left as they are, and the
    program that fetches ends on them with their name."""
    scheme, place, path = _parts(source)
    first, _, rest = path.lstrip("/").partition("/")
    match scheme:
        case "az":  # az://ACCOUNT/CONTAINER/BLOB
            return f"https://{place}.blob.core.windows.net{path}"
        case "abfss":  # abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/BLOB
            container, _, host = place.partition("@")
            return f"https://{host.replace('.dfs.', '.blob.', 1)}/{container}{path}"
        case "s3":  # s3://BUCKET/KEY
            return f"https://{place}.s3.amazonaws.com{path}"
        case "gs":  # gs://BUCKET/KEY
            return f"https://storage.googleapis.com/{place}{path}"
        case "hf":  # hf://OWNER/REPOSITORY/FILE
            return f"https://huggingface.co/{place}/{first}/resolve/main/{rest}"
        case "pvc":  # pvc://CLAIM/FILE
            return f"file://{CLAIM_DIRECTORY}{path}"
    return source


def claim(source: str) -> str:
    """The volume claim that a model is on; empty: on none."""
    scheme, place, _ = _parts(source)
    return place if scheme == "pvc" else ""


def endpoint(source: str) -> Endpoint | None:
    """What is spoken to for a source; None: nobody, it is in the cluster already."""
    scheme, place, _ = _parts(address(source))
    match = _PLACE.fullmatch(place)
    if scheme not in _PORTS or match is None:
        return None
    bracketed, plain, port = match.groups()
    host = bracketed or plain
    return Endpoint(host, int(port or _PORTS[scheme])) if host else None


@lru_cache(1024)
def _parts(source: str) -> tuple[str, str, str]:
    match = _FORM.fullmatch(source)
    return (match[1], match[2], match[3]) if match else ("", "", source)
