"""Whether tests on real hosts can run here; elsewhere they are skipped, loudly."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

import pytest

from tests.real.lab.hosts import CACHE

_PROGRAMS = ("unshare", "nsenter", "ip", "busybox", "libvirtd", "qemu-system-x86_64", "qemu-img")
_FENCE_PROGRAMS = ("ipmi_sim", "ipmitool", "fence_ipmilan")


def lacking() -> str:
    """What is missing for real hosts, in words; empty when nothing is."""
    if os.geteuid() != 0:
        return "not root"
    missing = [name for name in (*_PROGRAMS, *_FENCE_PROGRAMS) if not shutil.which(name)]
    if find_spec("libvirt") is None:
        missing.append("the Python module libvirt (uv sync --extra libvirt)")
    if not any((CACHE / "kernel/boot").glob("vmlinuz-*")):
        missing.append("the guest kernel")
    if not (CACHE / "prometheus/usr/bin/prometheus").exists():
        missing.append("Prometheus")
    return f"missing: {', '.join(missing)}; run tests/real/install.sh as root" if missing else ""


def demanded() -> bool:
    """Whether a real test that cannot run is a failure: in CI, or when asked for."""
    return os.environ.get("CI") == "true" or os.environ.get("FROTA_REAL") == "1"


def require() -> None:
    """Skip the calling test with the reason, or fail it where it must run."""
    reason = lacking()
    if reason and demanded():
        pytest.fail(f"real hosts are demanded here (CI or FROTA_REAL), but: {reason}")
    if reason:
        pytest.skip(f"real hosts left out: {reason}")
