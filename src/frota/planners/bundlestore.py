"""Where a cluster's bundles and status are in an object store, and which keys they have.

Two containers for each cluster: what the control plane writes and the agent reads, and what
the agent writes and the control plane reads. Rights are given by container, so neither can
do what is the other's, and no agent can do anything where another cluster's things are.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

HEAD = "head"
STATUS = "status"
BUNDLES = "bundles"  # the folder

_NAME_MOST = 63  # of a container in Azure, which also knows no "--"
_HASH_LENGTH = 16
_FORM = re.compile(r"(?P<scheme>[a-z]+)://(?P<host>[^/?#@]*)(?P<path>(?:/[^/?#]+)*)/?", re.ASCII)
_LOOPBACK = re.compile(r"127\.0\.0\.1:[0-9]{1,5}", re.ASCII)


class Container(NamedTuple):
    """One container. ``account`` and ``endpoint`` are empty for a directory, whose path is
    ``name``."""

    account: str
    endpoint: str
    name: str


class Places(NamedTuple):
    """The two containers of a cluster."""

    bundles: Container
    status: Container


def bundle_key(digest: str) -> str:
    """The key of a bundle."""
    return f"{BUNDLES}/{digest}"


def places(store: str, cluster: str) -> Places:
    """The containers of a cluster in the store that a Fleet names.

    ``file:///DIR``: directories in it. ``https://ACCOUNT.blob.HOST/PREFIX``,
    ``az://ACCOUNT/PREFIX``: containers whose names begin with the prefix. (Also
    ``http://127.0.0.1:PORT/ACCOUNT/PREFIX``, an emulator on this machine.) Raises
    ValueError for anything else.
    """
    match = _FORM.fullmatch(store)
    if match is None:
        raise ValueError(_expected(store))
    scheme, host, path = match["scheme"], match["host"], match["path"]
    if scheme == "file":
        if host or not path or ".." in path.split("/"):
            raise ValueError(_expected(store))
        return Places(*(Container("", "", f"{path}/{cluster}-{end}") for end in (BUNDLES, STATUS)))
    account, endpoint, prefix = _account(scheme, host, path[1:].split("/"))
    if not (account and prefix):
        raise ValueError(_expected(store))
    return Places(
        *(Container(account, endpoint, _fitted(prefix, cluster, end)) for end in (BUNDLES, STATUS))
    )


def _account(scheme: str, host: str, path: list[str]) -> tuple[str, str, str]:
    """Account, endpoint and prefix; the first empty when it is no such store."""
    if len(path) == 1:
        if scheme == "az":
            return host, f"https://{host}.blob.core.windows.net", path[0]
        if scheme == "https" and ".blob." in host:
            return host.partition(".")[0], f"https://{host}", path[0]
    if len(path) == 2 and scheme == "http" and _LOOPBACK.fullmatch(host):
        return path[0], f"http://{host}/{path[0]}", path[1]
    return "", "", ""


def _fitted(prefix: str, cluster: str, end: str) -> str:
    name = f"{prefix}-{cluster}-{end}"
    if len(name) <= _NAME_MOST and "--" not in name:
        return name
    digest = sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    room = _NAME_MOST - len(end) - _HASH_LENGTH - 2
    short = re.sub("-+", "-", f"{prefix}-{cluster}")[:room].rstrip("-")
    return f"{short}-{digest}-{end}"


def _expected(store: str) -> str:
    return (
        "expected a store such as file:///srv/frota/bundles or "
        f"https://ACCOUNT.blob.core.windows.net/PREFIX; found {store}"
    )
