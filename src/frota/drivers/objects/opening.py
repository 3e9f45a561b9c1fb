"""From the description of a container to the driver for it."""

from __future__ import annotations

from pathlib import Path

from frota.drivers.objects.azure import Account, AzureBlobs
from frota.drivers.objects.directory import DirectoryBlobs
from frota.planners.bundlestore import Container
from frota.ports.blobs import Blobs


def open_container(container: Container, sas: Path | None = None) -> Blobs:
    """The container, whether or not it is there. ``sas``: see ``AzureBlobs``; a directory
    has no use for it. Raises ValueError when no such container can be."""
    if not container.account:
        return DirectoryBlobs(Path(container.name))
    account = Account(container.account, container.endpoint, container.name)
    return AzureBlobs(account, sas)
