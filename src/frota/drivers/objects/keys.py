"""Keys for bundles, in files: private ones as PKCS #8, public ones as PEM.

A private key is read at the moment it is needed and shown nowhere: not in errors, status,
logs or ``repr``.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from frota.planners.bundles import Signer, TrustedKey

_FILE_MOST = 64 * 1024
_KEYS_MOST = 20
_BEGIN, _END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
_OTHERS = 0o077
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class KeyUnusable(Exception):
    """A key file cannot be used. The message says which and why, never its content."""


def new_signer(path: Path) -> Signer:
    """Make a private key in a new file that only its owner may read. Raises KeyUnusable,
    also when there is something already."""
    signer = Signer(Ed25519PrivateKey.generate())
    text = signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(path, _MAKE, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise KeyUnusable(f"{path}: it is there already; keys are never written over") from None
    except OSError as error:
        raise KeyUnusable(f"{path}: {error.strerror}") from None
    return signer


def read_signer(path: Path) -> Signer:
    """A private key. Raises KeyUnusable, also when others may read the file."""
    content = _content(path, private=True)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(
            f"{path}: expected an Ed25519 private key without a password, as `frota bundle key "
            "new` makes it"
        )
    return Signer(key)


def read_trusted(path: Path) -> tuple[TrustedKey, ...]:
    """All public keys in a file, one after the other. Raises KeyUnusable."""
    text = _content(path, private=False).decode("ascii", "replace")
    blocks = [f"{_BEGIN}{part.partition(_END)[0]}{_END}\n" for part in text.split(_BEGIN)[1:]]
    if not 0 < len(blocks) <= _KEYS_MOST:
        raise KeyUnusable(
            f"{path}: expected 1 to {_KEYS_MOST} public keys, as `frota bundle key show` prints "
            f"them; found {len(blocks)}"
        )
    return tuple(_trusted(path, block) for block in blocks)


def public_text(key: TrustedKey) -> str:
    """A public key as it is put into files of trusted keys, with its id above it."""
    public = Ed25519PublicKey.from_public_bytes(key.raw)
    text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return f"# frota bundle key {key.id}\n{text}"


def _trusted(path: Path, block: str) -> TrustedKey:
    try:
        key = load_pem_public_key(block.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnusable(f"{path}: expected public keys of Ed25519 only")
    return TrustedKey(key.public_bytes_raw())


def _content(path: Path, *, private: bool) -> bytes:
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            content = file.read(_FILE_MOST + 1)
    except OSError as error:
        raise KeyUnusable(f"{path}: {error.strerror}") from None
    if not stat.S_ISREG(about.st_mode) or len(content) > _FILE_MOST:
        raise KeyUnusable(f"{path}: expected a plain file of at most {_FILE_MOST} bytes")
    if private and about.st_mode & _OTHERS:
        raise KeyUnusable(f"{path}: others may read this private key; run: chmod 600 {path}")
    return content
