"""Certificates, keys and kubeconfigs of a test cluster."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from frota.drivers.devfleet.authority import (
    issue,
    new_authority,
    new_key,
    public_key,
    write_private,
)
from frota.drivers.devfleet.credentials import kubeconfig, service_account_token

ACCOUNT = {"metadata": {"name": "reader", "namespace": "team", "uid": "1234"}}


def contexts(home: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server and a client that trust the same authority and show certificates of it."""
    authority = new_authority("the authority")
    for name in ("server", "client"):
        pair = issue(authority, name)
        write_private(home / f"{name}.crt", pair.certificate)
        write_private(home / f"{name}.key", pair.key)
    ca = authority.certificate.decode()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=ca)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(home / "server.crt", home / "server.key")
    client = ssl.create_default_context(cadata=ca)
    client.load_cert_chain(home / "client.crt", home / "client.key")
    return server, client


def test_client_and_server_prove_themselves(tmp_path: Path) -> None:
    serving, calling = contexts(tmp_path)
    seen: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with serving.wrap_socket(line, server_side=True) as end:
                seen.append(end.getpeercert())
                end.sendall(b"well met")

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            socket.create_connection(listener.getsockname()) as line,
            calling.wrap_socket(line, server_hostname="127.0.0.1") as end,
        ):
            assert end.recv(100) == b"well met"
        thread.join()
    assert "client" in str(seen)


def test_a_certificate_names_user_and_groups() -> None:
    pair = issue(new_authority("the authority"), "ada", ("team:a", "system:masters"))
    subject = x509.load_pem_x509_certificate(pair.certificate).subject
    assert [part.value for part in subject] == ["team:a", "system:masters", "ada"]


def test_private_files_are_for_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, b"first")
    path.chmod(0o644)
    write_private(path, b"second")
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("by_token", [False, True])
def test_a_kubeconfig_has_everything_in_it(*, by_token: bool) -> None:
    authority = new_authority("the authority")
    pair = issue(authority, "ada")
    user = "a-token" if by_token else pair
    document = json.loads(kubeconfig("east", 6443, authority.certificate, user))
    assert document["current-context"] == "east"
    (cluster,), (entry,) = document["clusters"], document["users"]
    assert cluster["cluster"]["server"] == "https://127.0.0.1:6443"
    trusted = base64.b64decode(cluster["cluster"]["certificate-authority-data"])
    assert trusted == authority.certificate
    if by_token:
        assert entry["user"] == {"token": "a-token"}
    else:
        assert base64.b64decode(entry["user"]["client-key-data"]) == pair.key


def test_a_token_is_signed_with_the_key_of_the_server() -> None:
    key = new_key()
    signed, _, signature = service_account_token(key, ACCOUNT, 600).rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    public = load_pem_public_key(public_key(key))
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
    payload = signed.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == "system:serviceaccount:team:reader"
    assert claims["kubernetes.io"]["serviceaccount"]["uid"] == "1234"
