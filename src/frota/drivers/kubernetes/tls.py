"""TLS for one cluster: its own CA and nothing else, certificates and names always checked."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from frota.drivers.kubernetes.fault import Unusable


def tls_context(ca: str, certificate: bytes, key: bytes) -> ssl.SSLContext:
    """A client's context. ``ca`` in PEM; empty: the machine's own roots. Raises Unusable.

    A bare context costs 2 ms and little memory; one with the machine's roots 45 ms, so those
    are loaded only where no CA is given.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if ca:
            context.load_verify_locations(cadata=ca)
        else:
            context.load_default_certs()
    except (ssl.SSLError, ValueError):
        raise Unusable("certificate-authority: expected certificates in PEM") from None
    if certificate:
        try:
            with _file(certificate + b"\n" + key) as path:
                context.load_cert_chain(path, password=_no_password)
        except (ssl.SSLError, ValueError):
            raise Unusable(
                "client certificate: expected a certificate and its own key, in PEM without "
                "a password"
            ) from None
    return context


def _no_password() -> str:
    """Without this OpenSSL would ask on the terminal."""
    raise ValueError("keys with a password are not supported")


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    """OpenSSL reads keys from files only; where the system can, one in memory."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("frota-key", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as handle:
                handle.write(content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
