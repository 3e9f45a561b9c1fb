"""How clients reach a test cluster: kubeconfig files and service account tokens."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from frota.drivers.devfleet.addresses import LOOPBACK
from frota.drivers.devfleet.authority import KeyPair

ISSUER = "https://kubernetes.default.svc"
# API servers forgive clocks that differ: they take a token for a minute after its end.
_LEEWAY_S = 60


def kubeconfig(name: str, port: int, authority: bytes, user: KeyPair | str) -> bytes:
    """A kubeconfig file with everything in it, as JSON (which is YAML): one cluster, one
    user (by certificate, or by token), one context, all called ``name``."""
    credential: dict[str, str]
    if isinstance(user, str):
        credential = {"token": user}
    else:
        credential = {
            "client-certificate-data": _text(user.certificate),
            "client-key-data": _text(user.key),
        }
    cluster = {
        "server": f"https://{LOOPBACK}:{port}",
        "certificate-authority-data": _text(authority),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": credential}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def service_account_token(key: bytes, account: dict[str, Any], lifetime_s: float) -> str:
    """A token of a ServiceAccount as its API server would make it, signed with the server's
    own key (ES256, RFC 7518 3.4). A lifetime below zero makes one that has expired. A server
    may remember for 10 s that a token was good."""
    now = time.time()
    meta = account["metadata"]
    claims = {
        "iss": ISSUER,
        "aud": [ISSUER],
        "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        "iat": int(now - 3600),
        "nbf": int(now - 3600),
        "exp": int(now + lifetime_s - _LEEWAY_S),
        "kubernetes.io": {
            "namespace": meta["namespace"],
            "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
        },
    }
    signed = b".".join(_url(json.dumps(part).encode()) for part in ({"alg": "ES256"}, claims))
    private = load_pem_private_key(key, None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError(f"expected a key on an elliptic curve, found {type(private).__name__}")
    r, s = decode_dss_signature(private.sign(signed, ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return (signed + b"." + _url(signature)).decode("ascii")


def _url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
