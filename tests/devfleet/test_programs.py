"""Where programs are looked for, and what the set-up script takes from an official release."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from frota.drivers.devfleet.programs import (
    ETCD,
    KUBERNETES,
    KWOK,
    STAGES,
    cache_directory,
    find,
    located,
    missing,
)

KUBE = Path(__file__).parents[2] / "tools/kube"
# Programs the script itself needs; no Go toolchain is among them.
TOOLS = (
    "awk", "bash", "cat", "chmod", "curl", "cut", "dirname", "env", "flock", "mkdir", "mktemp",
    "mv", "rm", "sha256sum", "tac", "tar", "gzip", "tr", "uname",
)  # fmt: skip


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("module", "path", "version"),
    [
        ("kubernetes", "k8s.io/kubernetes", KUBERNETES),
        ("etcd", "go.etcd.io/etcd/server/v3", ETCD),
        ("etcd", "go.etcd.io/etcd/etcdctl/v3", ETCD),
        ("kwok", "sigs.k8s.io/kwok", KWOK),
    ],
)
def test_versions_are_those_of_the_go_modules(module: str, path: str, version: str) -> None:
    text = (KUBE / module / "go.mod").read_text(encoding="utf-8")
    assert re.search(rf"^\s*(?:require )?{re.escape(path)} {re.escape(version)}\b", text, re.M)


def test_every_staging_module_has_the_version_of_its_kubernetes() -> None:
    text = (KUBE / "kubernetes/go.mod").read_text(encoding="utf-8")
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (k8s\.io/\S+) (\S+)$", text, re.M)
    assert len(replaced) == 33
    assert {version for _, _, version in replaced} == {KUBERNETES.replace("v1.", "v0.")}
    assert all(old == new for old, new, _ in replaced)


def test_a_program_is_taken_from_the_assets_before_the_cache(tmp_path: Path) -> None:
    environ = {"KUBEBUILDER_ASSETS": str(tmp_path / "assets"), "FROTA_KUBE_CACHE": str(tmp_path)}
    assert find("etcd", environ) is None
    cached = program(tmp_path / f"etcd-{ETCD}/etcd")
    assert find("etcd", environ) == cached
    own = program(tmp_path / "assets/etcd")
    assert find("etcd", environ) == own
    own.chmod(0o644)
    assert find("etcd", environ) == cached


def test_kwok_comes_with_the_stages_beside_it(tmp_path: Path) -> None:
    environ = {"KUBEBUILDER_ASSETS": str(tmp_path / "assets"), "FROTA_KUBE_CACHE": str(tmp_path)}
    program(tmp_path / "assets/kwok")
    assert find("kwok", environ) is None
    assert find(STAGES, environ) is None


def test_the_cache_is_the_users(tmp_path: Path) -> None:
    assert cache_directory({"HOME": "/home/a"}) == Path("/home/a/.cache/frota/kube")
    assert cache_directory({"XDG_CACHE_HOME": "/c", "HOME": "/h"}) == Path("/c/frota/kube")
    assert cache_directory({"FROTA_KUBE_CACHE": str(tmp_path)}) == tmp_path


class Mirror:
    """What dl.k8s.io, github.com and api.github.com would serve, as files."""

    def __init__(self, home: Path) -> None:
        self.home = home
        machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
        self.scheduler = self._write(
            f"dl.k8s.io/{KUBERNETES}/bin/linux/{machine}/kube-scheduler", b"the scheduler"
        )
        self._write(self.scheduler + ".sha256", _sum(b"the scheduler").encode())
        name = f"etcd-{ETCD}-linux-{machine}"
        archive = _archive(f"{name}/etcd", b"the store")
        place = f"github.com/etcd-io/etcd/releases/download/{ETCD}"
        self._write(f"{place}/{name}.tar.gz", archive)
        self._write(f"{place}/SHA256SUMS", f"{_sum(archive)}  {name}.tar.gz\n".encode())
        place = "github.com/kubernetes-sigs/kwok/releases/download"
        assets = []
        for asset, body in ((f"kwok-linux-{machine}", b"kwok"), ("stage-fast.yaml", b"stages")):
            self._write(f"{place}/{KWOK}/{asset}", body)
            assets.append({"name": asset, "digest": f"sha256:{_sum(body)}"})
        listing = json.dumps({"assets": assets}).encode()
        self._write(f"api.github.com/repos/kubernetes-sigs/kwok/releases/tags/{KWOK}", listing)

    def _write(self, place: str, body: bytes) -> str:
        path = self.home / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return place


def _sum(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _archive(name: str, body: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(body)
        archive.addfile(member, io.BytesIO(body))
    return made.getvalue()


class Machine:
    """A machine without a Go toolchain, with a mirror and an empty cache."""

    def __init__(self, home: Path) -> None:
        self.mirror = Mirror(home / "mirror")
        self.cache = home / "cache"
        tools = home / "bin"
        tools.mkdir()
        for name in TOOLS:
            found = shutil.which(name)
            if found is not None:
                (tools / name).symlink_to(found)
        (tools / "python3").symlink_to(os.path.realpath(sys.executable))
        self._environ = {
            "PATH": str(tools),
            "HOME": str(home),
            "FROTA_KUBE_CACHE": str(self.cache),
            "FROTA_KUBE_MIRROR": f"file://{self.mirror.home}",
        }

    def setup(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(KUBE / "setup.sh"), *words],
            env=self._environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_go_the_official_release_is_taken(machine: Machine) -> None:
    done = machine.setup("kube-scheduler", "etcd", "kwok")
    assert done.returncode == 0, done.stderr
    assert "fetching the official release of kwok" in done.stderr
    environ = {"FROTA_KUBE_CACHE": str(machine.cache)}
    for name, body in (
        ("kube-scheduler", b"the scheduler"),
        ("etcd", b"the store"),
        ("kwok", b"kwok"),
    ):
        path = find(name, environ)
        assert path is not None
        assert path.read_bytes() == body
        assert os.access(path, os.X_OK)
    stages = find(STAGES, environ)
    assert stages is not None
    assert stages.read_bytes() == b"stages"


def test_run_again_it_does_nothing(machine: Machine) -> None:
    assert machine.setup("--check", "etcd").returncode == 1
    assert machine.setup("etcd").returncode == 0
    again = machine.setup("etcd")
    assert (again.returncode, again.stderr) == (0, "")
    assert machine.setup("--check", "etcd").returncode == 0


def test_what_does_not_have_its_checksum_is_not_used(machine: Machine) -> None:
    (machine.mirror.home / machine.mirror.scheduler).write_bytes(b"something else")
    done = machine.setup("kube-scheduler")
    assert done.returncode == 1
    assert "kube-scheduler is damaged or was changed: sha256" in done.stderr
    assert not [
        path for path in machine.cache.rglob("*") if path.is_file() and path.name != ".lock"
    ]


def test_what_has_no_checksum_is_not_used(machine: Machine) -> None:
    listing = (
        machine.mirror.home / f"api.github.com/repos/kubernetes-sigs/kwok/releases/tags/{KWOK}"
    )
    listing.write_text('{"assets": []}', encoding="utf-8")
    done = machine.setup("kwok")
    assert done.returncode == 1
    assert "no checksum was published for kwok" in done.stderr
    assert find("kwok", {"FROTA_KUBE_CACHE": str(machine.cache)}) is None


def test_what_a_killed_run_left_is_not_taken_for_finished(machine: Machine) -> None:
    left = machine.cache / f"etcd-{ETCD}/.making.abc123/etcd"
    program(left, "half of it")
    assert machine.setup("--check", "etcd").returncode == 1
    assert machine.setup("etcd").returncode == 0
    assert not left.exists()


def test_the_assets_are_enough(machine: Machine, tmp_path: Path) -> None:
    program(tmp_path / "assets/etcd")
    done = machine.setup("--check", "etcd", KUBEBUILDER_ASSETS=str(tmp_path / "assets"))
    assert done.returncode == 0


def test_an_unknown_program_is_refused(machine: Machine) -> None:
    done = machine.setup("kube-proxi")
    assert done.returncode == 1
    assert "no program kube-proxi. Expected: kube-apiserver" in done.stderr


def test_programs_that_are_missing_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROTA_KUBE_CACHE", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    assert missing(["etcd", "kwok"]) == ["etcd", "kwok"]
    there = program(tmp_path / f"etcd-{ETCD}/etcd")
    assert located("etcd") == str(there)
    assert missing(["etcd", "kwok"]) == ["kwok"]
