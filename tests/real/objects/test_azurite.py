"""Azure Blob Storage as an object store, and what a lost agent can do with its credentials."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from frota.drivers.objects.azure import Account, AzureBlobs
from frota.drivers.objects.opening import open_container
from frota.planners.bundlestore import Container, Places, places
from frota.ports.blobs import BlobDenied, BlobError, BlobMissing, Blobs
from tests.contract.blobs import BlobsContract
from tests.real.objects.azurite import ACCOUNT, Azurite

_numbers = count()
ALL = "rcwdl"
AGENT_READS, AGENT_WRITES = "r", "cw"


class TestAzure(BlobsContract):
    @pytest.fixture
    def blobs(self, azurite: Azurite, tmp_path: Path) -> Blobs:
        name = f"contract-{next(_numbers)}"
        azurite.container(name).close()
        sas = tmp_path / "sas"
        sas.write_text(azurite.sas(name, ALL) + "\n")
        return AzureBlobs(Account(ACCOUNT, azurite.endpoint, name), sas)


@pytest.fixture
def opened(azurite: Azurite, tmp_path: Path) -> Callable[[Container, str, Container], Blobs]:
    """Open a container with a SAS for ``of`` (which may be another container)."""

    def open_(container: Container, rights: str, of: Container) -> Blobs:
        sas = tmp_path / f"{of.name}-{rights}.sas"
        sas.write_text(azurite.sas(of.name, rights))
        return open_container(container, sas)

    return open_


@pytest.fixture
def stores(azurite: Azurite) -> dict[str, Places]:
    """Two clusters with their two containers each."""
    number = next(_numbers)
    found = {
        cluster: places(f"{azurite.endpoint}/frota{number}", cluster)
        for cluster in ("east", "west")
    }
    for both in found.values():
        for container in both:
            azurite.container(container.name).close()
    return found


def test_a_lost_agent_reaches_nothing_of_another_cluster(
    azurite: Azurite,
    stores: dict[str, Places],
    opened: Callable[[Container, str, Container], Blobs],
) -> None:
    east, west = stores["east"], stores["west"]
    for both in (east, west):
        hub = opened(both.bundles, ALL, both.bundles)
        hub.put("head", b"h")
        hub.add("bundles/a", b"b")
    mine = opened(east.bundles, AGENT_READS, east.bundles)
    told = opened(east.status, AGENT_WRITES, east.status)
    assert mine.get("head", 10)
    assert mine.get("bundles/a", 10)
    told.put("status", b"s")
    told.put("status", b"t")
    found = opened(east.status, AGENT_READS, east.status).get("status", 10)
    assert found is not None
    assert found.data == b"t"

    # Each credential that the agent has, against every container that there is.
    for rights, of in ((AGENT_READS, east.bundles), (AGENT_WRITES, east.status)):
        for container in (*west, *east):
            blobs = opened(container, rights, of)
            allowed = rights if container == of else ""
            for right, attempt in _attempts(blobs):
                if right in allowed:
                    continue
                with pytest.raises(BlobDenied):
                    attempt()
    left = opened(west.bundles, ALL, west.bundles)
    assert {line.key for line in left.list("bundles", 10)} == {"bundles/a"}
    with pytest.raises(BlobMissing):
        opened(west.status, ALL, west.status).get("status", 10)


def test_neither_does_another_client_with_the_same_credentials(
    azurite: Azurite, stores: dict[str, Places]
) -> None:
    """It is the store that refuses, not Frota's driver."""
    east, west = stores["east"], stores["west"]
    for sas in (azurite.sas(east.bundles.name, "r"), azurite.sas(east.status.name, "cw")):
        for container in west:
            with azurite.opened_with(container.name, sas) as client:
                with pytest.raises((ClientAuthenticationError, HttpResponseError)):
                    client.download_blob("head").readall()
                with pytest.raises((ClientAuthenticationError, HttpResponseError)):
                    client.upload_blob("status", b"lie", overwrite=True)
                with pytest.raises((ClientAuthenticationError, HttpResponseError)):
                    list(client.list_blob_names())


def _attempts(blobs: Blobs) -> list[tuple[str, Callable[[], object]]]:
    """Every sort of call, with the right of a SAS that it needs."""
    return [
        ("r", lambda: blobs.get("head", 10)),
        ("w", lambda: blobs.put("head", b"lie")),
        ("c", lambda: blobs.add("bundles/z", b"lie")),
        ("d", lambda: blobs.delete("head")),
        ("l", lambda: blobs.list("bundles", 10)),
    ]


def test_no_error_holds_a_secret(
    azurite: Azurite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sas = tmp_path / "sas"
    name = f"secret-{next(_numbers)}"
    azurite.container(name).close()
    signatures = (
        azurite.sas(name, "r"),
        azurite.sas(name, "r", hours=-1),
        "sv=1&sig=sEcReT",
        "sEcReT",
    )
    words: list[str] = []
    for endpoint in (azurite.endpoint, f"http://127.0.0.1:1/{ACCOUNT}"):
        for signature in signatures:
            sas.write_text(signature)
            blobs = AzureBlobs(Account(ACCOUNT, endpoint, name), sas, retry_s=0.1)
            for _, act in _attempts(blobs):
                with pytest.raises(BlobError) as caught:
                    act()
                words += [str(caught.value), repr(caught.value), repr(blobs)]
    everything = "\n".join([*words, caplog.text])
    for signature in signatures:
        assert signature.rpartition("sig=")[2] not in everything


def test_a_signature_is_replaced_in_its_file(azurite: Azurite, tmp_path: Path) -> None:
    name = f"turned-{next(_numbers)}"
    azurite.container(name).close()
    sas = tmp_path / "sas"
    blobs = AzureBlobs(Account(ACCOUNT, azurite.endpoint, name), sas)
    with pytest.raises(BlobError, match="expected a shared access signature"):
        blobs.put("head", b"one")
    sas.write_text(azurite.sas(name, ALL, hours=-1))
    with pytest.raises(BlobDenied):
        blobs.put("head", b"one")
    sas.write_text(azurite.sas(name, ALL))
    blobs.put("head", b"one")
    sas.write_text(azurite.sas(name, "r"))
    with pytest.raises(BlobDenied):
        blobs.put("head", b"two")
