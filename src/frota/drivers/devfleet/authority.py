"""Certificate authorities and keys of a test cluster: P-256, a year long, in PEM.

Private keys are written where only their owner can read them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEAR = timedelta(days=365)
_EARLIER = timedelta(hours=1)  # for clocks that were set back
_SERVER_NAMES = ("localhost", "kubernetes.default.svc")
_LOOPBACK = IPv4Address("127.0.0.1")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


def write_private(path: Path, content: bytes) -> None:
    """A file of mode 0600 from its first moment on; complete, or not there."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)


def new_key() -> bytes:
    """A fresh private key."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def public_key(key: bytes) -> bytes:
    """The public half of a private key."""
    return (
        _private(key)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def new_authority(name: str) -> KeyPair:
    """A certificate authority that nothing else trusts. Nothing it issues may have its name:
    a certificate whose issuer has the name of its subject is taken for self-signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name, ())
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signed = (
        _blank(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identity, critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(signed.public_bytes(serialization.Encoding.PEM), _pem(key))


def issue(authority: KeyPair, name: str, groups: Sequence[str] = ()) -> KeyPair:
    """A certificate for a client that Kubernetes knows as ``name`` in ``groups``, and with
    which it can be a server on the loopback address, too."""
    issuer, issuer_key = x509.load_pem_x509_certificate(authority.certificate), authority.key
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(server) for server in _SERVER_NAMES]
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=False, crl_sign=False, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    signer = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    signed = (
        _blank(_name(name, groups), issuer.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer),
            critical=False,
        )
        .add_extension(
            x509.SubjectAlternativeName([*names, x509.IPAddress(_LOOPBACK)]), critical=False
        )
        .sign(_private(issuer_key), hashes.SHA256())
    )
    return KeyPair(signed.public_bytes(serialization.Encoding.PEM), _pem(key))


def _blank(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _YEAR)
    )


def _name(name: str, groups: Sequence[str]) -> x509.Name:
    """In Kubernetes the common name is the user, and each organisation a group."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _private(key: bytes) -> ec.EllipticCurvePrivateKey:
    loaded = serialization.load_pem_private_key(key, None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise TypeError(f"expected a key on an elliptic curve, found {type(loaded).__name__}")
    return loaded
