"""Azurite on this machine: an object store with containers and shared access signatures."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    generate_container_sas,
)

from tests.real.needs import demanded

SCRIPT = Path(__file__).with_name("azurite.sh")
# Azurite's own well-known account; it opens nothing but an emulator.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_INSTALL_S, _START_S = 300.0, 30.0


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running one."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    def container(self, name: str) -> ContainerClient:
        """A new container, opened with the account's key, by Microsoft's own client."""
        with BlobServiceClient(self.endpoint, credential=KEY) as service:
            return service.create_container(name)

    def opened_with(self, name: str, sas: str) -> ContainerClient:
        """A container, opened by Microsoft's own client with a signature and no key."""
        return ContainerClient(self.endpoint, name, credential=sas)

    def sas(self, container: str, permission: str, hours: float = 1.0) -> str:
        return generate_container_sas(
            ACCOUNT,
            container,
            account_key=KEY,
            permission=ContainerSasPermissions.from_string(permission),
            expiry=datetime.now(UTC) + timedelta(hours=hours),
        )


def require_azurite() -> Path:
    """The program; skips the calling test with the reason, or fails it where it must run."""
    where = subprocess.run(
        [SCRIPT, "--where"], capture_output=True, text=True, check=True, timeout=10
    )
    program = Path(where.stdout.strip())
    lacking = "" if shutil.which("node") and shutil.which("npm") else "node and npm are missing"
    if not (lacking or program.exists()):
        done = subprocess.run(
            [SCRIPT], capture_output=True, text=True, check=False, timeout=_INSTALL_S
        )
        lacking = "" if done.returncode == 0 else f"{SCRIPT.name} failed: {done.stderr[-500:]}"
    if lacking and demanded():
        pytest.fail(f"Azurite is demanded here (CI or FROTA_REAL), but: {lacking}")
    if lacking:
        pytest.skip(f"Azurite left out: {lacking}")
    return program


@contextmanager
def azurite_of_tests() -> Iterator[Azurite]:
    """One that keeps everything in memory and listens on this machine alone."""
    program = require_azurite()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--inMemoryPersistence", "--silent", "--disableTelemetry",
         "--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(process, port)
        yield Azurite(port)
    finally:
        process.kill()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("Azurite did not start")
