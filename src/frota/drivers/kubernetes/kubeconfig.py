"""A context of a kubeconfig file: where a cluster is and how one shows who one is.

Everything that would make a connection less safe than it looks is refused, never ignored:
certificates that are not checked, passwords, plain HTTP beyond this machine.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from frota.drivers.kubernetes.fault import Unusable

_FILE_MOST = 4 * 1024 * 1024  # bytes of a kubeconfig, certificate or token


@dataclass(frozen=True, slots=True)
class Plugin:
    """A program that issues credentials (``users[].user.exec``)."""

    command: str
    args: tuple[str, ...] = field(repr=False)
    env: tuple[tuple[str, str], ...] = field(repr=False)
    version: str
    cluster_info: bool


@dataclass(frozen=True, slots=True)
class Target:
    """One context, with the contents of the files that it names.

    ``ca`` is PEM text (empty: the machine's own roots). ``headers`` impersonate.
    ``files`` are all that were read: when one of them changes, so may the target.
    """

    server: str
    ca: str = field(default="", repr=False)
    server_name: str = ""
    proxy: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    plugin: Plugin | None = None
    headers: tuple[tuple[str, str], ...] = ()
    files: tuple[Path, ...] = ()


def read_target(path: str, context: str = "") -> Target:
    """Read one context (empty: the current one). Blocks on files. Raises Unusable."""
    return _Reading(Path(path).expanduser()).target(context)


class _Reading:
    """One reading of a kubeconfig; remembers which files it used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = [path]

    def target(self, context: str) -> Target:
        document = self._document()
        name = context or str(document.get("current-context") or "")
        if not name:
            raise self._bad("no context is named and none is current; name one")
        chosen = self._named(document, "contexts", "context", name)
        cluster = self._named(document, "clusters", "cluster", str(chosen.get("cluster")))
        user: Mapping[str, Any] = {}
        if chosen.get("user"):
            user = self._named(document, "users", "user", str(chosen["user"]))
        self._refuse(cluster, user)
        server = self._server(str(cluster.get("server") or ""))
        certificate = self._content(user, "client-certificate")
        key = self._content(user, "client-key")
        if bool(certificate) != bool(key):
            raise self._bad("a client certificate and its key are needed together")
        return Target(
            server=server,
            ca=self._content(cluster, "certificate-authority").decode("ascii", "replace"),
            server_name=str(cluster.get("tls-server-name") or ""),
            proxy=self._proxy(cluster),
            certificate=certificate,
            key=key,
            token=self._token(user),
            plugin=self._plugin(user),
            headers=_impersonation(user),
            files=tuple(self._files),
        )

    def _document(self) -> Mapping[str, Any]:
        try:
            document = yaml.safe_load(self._read(self._path))
        except (yaml.YAMLError, RecursionError):
            raise self._bad("expected YAML as kubectl writes it") from None
        if not isinstance(document, dict):
            raise self._bad("expected a document of kind Config")
        return document

    def _named(self, document: Mapping[str, Any], part: str, inner: str, name: str) -> Any:
        entries = document.get(part)
        known = []
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and isinstance(entry.get(inner), dict):
                if entry.get("name") == name:
                    return entry[inner]
                known.append(str(entry.get("name")))
        there = ", ".join(known[:10]) or "none"
        raise self._bad(f"{part} has no {name!r}; there is: {there}")

    def _refuse(self, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> None:
        if cluster.get("insecure-skip-tls-verify"):
            raise self._bad(
                "insecure-skip-tls-verify is set; Frota always checks certificates: "
                "remove it and give certificate-authority-data"
            )
        if user.get("username") or user.get("password"):
            raise self._bad("passwords are not supported by Kubernetes since 1.19; use a token")
        if user.get("auth-provider"):
            raise self._bad(
                "auth-provider was removed from Kubernetes; use exec "
                "(kubelogin convert-kubeconfig does it for Azure)"
            )
        if user.get("as-user-extra"):
            raise self._bad("as-user-extra is not supported; use as, as-uid and as-groups")

    def _server(self, server: str) -> str:
        parts = urlsplit(server)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise self._bad("server: expected https://HOST[:PORT][/PATH] and no more")
        if parts.scheme == "https" and parts.hostname:
            return server.rstrip("/")
        if parts.scheme == "http" and _loopback(parts.hostname or ""):
            return server.rstrip("/")
        raise self._bad("server: expected an https:// URL (http:// only for a loopback address)")

    def _proxy(self, cluster: Mapping[str, Any]) -> str:
        proxy = str(cluster.get("proxy-url") or "")
        if proxy and urlsplit(proxy).scheme not in ("http", "https"):
            raise self._bad("proxy-url: expected an http:// or https:// URL")
        return proxy

    def _token(self, user: Mapping[str, Any]) -> str:
        if user.get("tokenFile"):
            text = self._read(self._beside(str(user["tokenFile"]))).decode("utf-8", "replace")
        else:
            text = str(user.get("token") or "")
        token = text.strip()
        if not token.isascii() or any(not letter.isprintable() for letter in token):
            raise self._bad("token: expected printable ASCII characters on one line")
        return token

    def _plugin(self, user: Mapping[str, Any]) -> Plugin | None:
        spec = user.get("exec")
        if not isinstance(spec, dict):
            return None
        version = str(spec.get("apiVersion") or "")
        group, _, number = version.partition("/")
        if group != "client.authentication.k8s.io" or number not in ("v1", "v1beta1"):
            raise self._bad("exec.apiVersion: expected client.authentication.k8s.io/v1 or /v1beta1")
        if spec.get("interactiveMode") == "Always":
            raise self._bad("exec.interactiveMode is Always, but there is nobody to ask")
        command = str(spec.get("command") or "")
        if not command:
            raise self._bad("exec.command is empty")
        if "/" in command:
            command = str(self._beside(command))
        return Plugin(
            command=command,
            args=tuple(str(argument) for argument in _list(spec.get("args"))),
            env=tuple(
                (str(pair.get("name")), str(pair.get("value")))
                for pair in _list(spec.get("env"))
                if isinstance(pair, dict)
            ),
            version=version,
            cluster_info=bool(spec.get("provideClusterInfo")),
        )

    def _content(self, entry: Mapping[str, Any], name: str) -> bytes:
        """Data within the kubeconfig goes before a file, as in kubectl."""
        data = entry.get(f"{name}-data")
        if data:
            try:
                return base64.b64decode(str(data), validate=True)
            except (binascii.Error, ValueError):
                raise self._bad(f"{name}-data: expected base64") from None
        return self._read(self._beside(str(entry[name]))) if entry.get(name) else b""

    def _beside(self, name: str) -> Path:
        return self._path.parent / Path(name).expanduser()

    def _read(self, path: Path) -> bytes:
        if path not in self._files:
            self._files.append(path)
        try:
            with path.open("rb") as handle:
                content = handle.read(_FILE_MOST + 1)
        except OSError as error:
            raise Unusable(f"{path}: {error.strerror or 'cannot be read'}") from None
        if len(content) > _FILE_MOST:
            raise Unusable(f"{path}: more than {_FILE_MOST} bytes")
        return content

    def _bad(self, what: str) -> Unusable:
        return Unusable(f"{self._path}: {what}")


def _impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Headers for ``as``: left out, Frota would act with more rights than was written."""
    headers = []
    if user.get("as"):
        headers.append(("Impersonate-User", str(user["as"])))
    if user.get("as-uid"):
        headers.append(("Impersonate-Uid", str(user["as-uid"])))
    headers += [("Impersonate-Group", str(group)) for group in _list(user.get("as-groups"))]
    return tuple(headers)


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
