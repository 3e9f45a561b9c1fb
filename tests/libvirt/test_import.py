"""Frota without libvirt-python."""

from __future__ import annotations

import subprocess
import sys

_WITHOUT = """
import sys
sys.modules["libvirt"] = None
import frota.drivers.libvirt
import frota.drivers.libvirt.domain
import frota.ports.hypervisor
try:
    import frota.drivers.libvirt.hypervisor
except ImportError as error:
    print(error)
"""


def test_only_the_driver_needs_it_and_says_how_to_get_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install 'frota[libvirt]'" in done.stdout
