"""A container of Azure Blob Storage, by ``obstore``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import obstore
from obstore import exceptions
from obstore.store import AzureStore

from frota.drivers.objects.fault import checked, faulted
from frota.ports.blobs import Blob, BlobDenied, BlobError, BlobInfo, BlobTooLarge

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import AzureConfig

_SAS_MOST = 4096  # bytes
_CHUNK = 1024 * 1024
_RETRY_S = 20.0


@dataclass(frozen=True, slots=True)
class Account:
    """Where a container is: ``endpoint`` up to the container's name, which follows it."""

    name: str
    endpoint: str
    container: str


class AzureBlobs:
    """See ``ports.blobs``. ``sas`` is a file with a shared access signature, read anew for
    every call, so that it can be replaced at any time; None: the workload identity that
    the environment names (AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE).
    Plain HTTP is for tests on this machine only.
    """

    def __init__(self, account: Account, sas: Path | None, *, retry_s: float = _RETRY_S) -> None:
        self._account = account
        self._sas = sas
        self._retry = timedelta(seconds=retry_s)
        self._lock = Lock()
        self._opened: tuple[str, AzureStore] | None = None

    def get(self, key: str, most: int, *, unless: str = "") -> Blob | None:
        """See the port."""
        options: GetOptions = {"if_none_match": unless} if unless else {}
        with self._worded(key):
            try:
                found = obstore.get(self._store(), checked(key), options=options)
            except exceptions.NotModifiedError:
                return None
            data = bytearray()
            if found.meta["size"] <= most:
                for chunk in found.stream(min_chunk_size=_CHUNK):
                    data += chunk
                    if len(data) > most:
                        break
                else:
                    return Blob(key, bytes(data), found.meta["e_tag"] or "")
        raise BlobTooLarge(f"{self._place(key)}: more than {most} bytes")

    def add(self, key: str, data: bytes) -> str:
        """See the port."""
        with self._worded(key):
            return obstore.put(self._store(), checked(key), data, mode="create")["e_tag"] or ""

    def put(self, key: str, data: bytes, *, expected: str = "") -> str:
        """See the port."""
        with self._worded(key):
            if expected:
                made = obstore.put(self._store(), checked(key), data, mode={"e_tag": expected})
            else:
                made = obstore.put(self._store(), checked(key), data)
            return made["e_tag"] or ""

    def list(self, folder: str, most: int) -> Sequence[BlobInfo]:
        """See the port."""
        with self._worded(folder):
            pages = obstore.list(self._store(), checked(folder), chunk_size=min(most, 1000))
            lines = (line for page in pages for line in page)
            return [
                BlobInfo(line["path"], line["size"], line["last_modified"].timestamp())
                for line in islice(lines, most)
            ]

    def delete(self, key: str) -> None:
        """See the port."""
        with self._worded(key):
            try:
                obstore.delete(self._store(), checked(key))
            except FileNotFoundError:
                return

    def _place(self, key: str) -> str:
        return f"{self._account.container}/{key}"

    def _store(self) -> AzureStore:
        """The way in, made anew when the signature was replaced. Raises BlobError."""
        signature = _signature(self._sas) if self._sas else ""
        with self._lock:
            if self._opened is None or self._opened[0] != signature:
                self._opened = signature, self._open(signature)
            return self._opened[1]

    def _open(self, signature: str) -> AzureStore:
        account = self._account
        config: AzureConfig = {"account_name": account.name, "endpoint": account.endpoint}
        if signature:
            config["sas_key"] = signature
            config["credential_type"] = "sas_token"
        else:
            config["credential_type"] = "workload_identity"
        return AzureStore(
            account.container,
            config=config,
            client_options={
                "allow_http": account.endpoint.startswith("http://127.0.0.1:"),
                "connect_timeout": "5s",
                "read_timeout": "15s",
                "timeout": "120s",
            },
            retry_config={"max_retries": 3, "retry_timeout": self._retry},
        )

    @contextmanager
    def _worded(self, key: str) -> Iterator[None]:
        try:
            yield
        except (exceptions.BaseError, FileNotFoundError) as error:
            raise faulted(self._place(key), error) from None


def _signature(sas: Path) -> str:
    """The content of the file. Raises BlobDenied, BlobError; never with a part of it."""
    try:
        with sas.open("rb") as handle:
            content = handle.read(_SAS_MOST + 1)
        text = content.decode("ascii").strip().removeprefix("?")
    except OSError as error:
        raise BlobError(f"{sas}: {error.strerror}; expected a shared access signature") from None
    except UnicodeDecodeError:
        text = ""
    if len(content) > _SAS_MOST or "sig=" not in text or any(not c.isprintable() for c in text):
        raise BlobDenied(f"{sas}: expected a shared access signature on one line, with sig=")
    return text
