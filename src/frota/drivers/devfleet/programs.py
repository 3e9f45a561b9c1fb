"""Where the programs of a test fleet are: $KUBEBUILDER_ASSETS, else the cache.

``tools/kube/setup.sh`` fills the cache; its go.mod files state the same versions as here
(a test compares them).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

KUBERNETES, ETCD, KWOK = "v1.36.3", "v3.7.3", "v0.8.0"
STAGES = "kwok-stages.yaml"
_DIRECTORIES = {
    "etcd": f"etcd-{ETCD}",
    "etcdctl": f"etcd-{ETCD}",
    "kwok": f"kwok-{KWOK}",
    STAGES: f"kwok-{KWOK}",
}
_SETUP = Path(__file__).parents[4] / "tools/kube/setup.sh"


class ProgramMissing(Exception):
    """A program of the test fleet is not on this machine, and could not be made."""


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where ``tools/kube/setup.sh`` keeps what it made."""
    if environ.get("FROTA_KUBE_CACHE"):
        return Path(environ["FROTA_KUBE_CACHE"])
    home = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/")) / ".cache"
    return Path(home) / "frota/kube"


def find(program: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The program, or a file that belongs to one; None when it is not there."""
    assets = environ.get("KUBEBUILDER_ASSETS", "")
    own = Path(assets) / program
    # kwok and its stages belong together: both from one place.
    if assets and program not in ("kwok", STAGES) and os.access(own, os.X_OK):
        return own
    place = _DIRECTORIES.get(program, f"kubernetes-{KUBERNETES}")
    cached = cache_directory(environ) / place / program
    return cached if cached.is_file() else None


def missing(programs: Sequence[str]) -> list[str]:
    """Those that are not there."""
    return [program for program in programs if find(program) is None]


def make_ready(programs: Sequence[str]) -> None:
    """Have what is missing made by the set-up script of Frota's source tree; what it says
    goes to standard error. The first time takes minutes. Raises ProgramMissing."""
    lacking = missing(programs)
    if not lacking:
        return
    words = ", ".join(lacking)
    if not _SETUP.exists():
        raise ProgramMissing(
            f"not on this machine: {words}. Set KUBEBUILDER_ASSETS to a directory that has "
            "them, or run tools/kube/setup.sh of Frota's source tree"
        )
    done = subprocess.run([str(_SETUP), *lacking], stdout=sys.stderr, check=False)  # noqa: S603 - our own script
    if done.returncode or missing(programs):
        raise ProgramMissing(f"{_SETUP} could not make ready: {words} (its words are above)")


def located(program: str) -> str:
    """The path of a program that must be there. Raises ProgramMissing."""
    path = find(program)
    if path is None:
        raise ProgramMissing(f"{program} is not on this machine; run {_SETUP}")
    return str(path)
