"""What people are told of a host that does not do what was asked."""

from __future__ import annotations

import pytest

from frota.drivers.libvirt.fault import Fault, Kind, fault_of, holds_password, redact
from frota.drivers.libvirt.session import open_session


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('Failed to get "write" lock\nIs another process using the image?', "open already"),
        ("authentication failed: authentication failed", "refused the login"),
        ("Cannot recv data: Permission denied (publickey).", "a key that the host accepts"),
        ("Cannot recv data: Host key verification failed.", "known_hosts"),
        ("Cannot read CA certificate '/etc/pki/CA/cacert.pem': No such file", "TLS failed"),
        ("The certificate hasn't got a known issuer", "TLS failed"),
        ("unable to connect to server at 'a:16509': Connection refused", "nothing listens"),
        ("unable to connect to server at 'a:16509': No route to host", "does not reach"),
        ("unable to connect to server at 'a:1': Connection timed out", "in time"),
        ("could not find capabilities for domaintype=kvm ", "no KVM"),
    ],
)
def test_causes_in_plain_words(text: str, words: str) -> None:
    fault = fault_of(38, text)
    assert words in str(fault)
    assert text.strip() in str(fault), "and libvirt's own words"


def test_login_refusals_are_known_by_their_code() -> None:
    assert "refused the login" in str(fault_of(45, "access denied by policy"))


@pytest.mark.parametrize(
    ("code", "lost", "kind"),
    [
        (42, False, Kind.MISSING),
        (50, False, Kind.MISSING),
        (90, False, Kind.EXISTS),
        (81, False, Kind.UNSAFE),
        (3, False, Kind.UNSUPPORTED),
        (1, False, Kind.OTHER),
        (42, True, Kind.LOST),
    ],
)
def test_kinds(code: int, lost: bool, kind: Kind) -> None:
    assert fault_of(code, "words", lost=lost).kind is kind


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("qemu+tcp://me:s3cret@a/system", "qemu+tcp://me:***@a/system"),
        ("no x+y://:s3cret@a here", "no x+y://:***@a here"),
        ("qemu+tls://a.example:16514/system", "qemu+tls://a.example:16514/system"),
        ("qemu+ssh://root@a/system?keyfile=/k", "qemu+ssh://root@a/system?keyfile=/k"),
    ],
)
def test_passwords_are_never_shown(uri: str, shown: str) -> None:
    assert redact(uri) == shown
    assert holds_password(uri) == (uri != shown)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("::::", "not a libvirt URI"),
        ("qemu+unix:///system?socket=/nowhere", "no libvirt daemon answers"),
        ("qemu+tcp://me:s3cret@127.0.0.1:1/system", "nothing listens there"),
        ("qemu+tls://127.0.0.1:1/system?pkipath=/nowhere", "TLS failed"),
        ("qemu+ssh://nobody@127.0.0.1:1/system", "recv data"),
    ],
)
def test_real_refusals(uri: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Fault) as caught:
        open_session(uri)
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert capfd.readouterr().err == "", "libvirt itself keeps quiet"
