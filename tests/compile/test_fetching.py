"""The program that fetches models, run as a pod would run it."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from frota.compile.kubernetes.fetching import PROGRAM
from frota.compile.kubernetes.sources import Endpoint, address, claim, endpoint

_WEIGHTS = b"weights" * 1000


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name above
        pass


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """A place that models are fetched from, on the loopback address."""
    (tmp_path / "model.bin").write_bytes(_WEIGHTS)
    with tarfile.open(tmp_path / "model.tar", "w") as archive:
        member = tarfile.TarInfo("config.json")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"{}"))
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("../escaped"), io.BytesIO(b""))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def _digest(file: Path) -> str:
    return "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()


def _fetch(source: str, digest: str, target: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", PROGRAM, source, digest, str(target)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_a_model_comes_whole_and_once(store: str, tmp_path: Path) -> None:
    target, digest = tmp_path / "out", _digest(tmp_path / "model.bin")
    done = _fetch(f"{store}/model.bin", digest, target)
    assert (done.returncode, done.stderr) == (0, "")
    assert target.read_bytes() == _WEIGHTS
    again = _fetch(f"{store}/gone", digest, target)  # the container was started again
    assert again.returncode == 0


def test_another_model_is_not_taken(store: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    done = _fetch(f"{store}/model.bin", "sha256:" + "0" * 64, target)
    assert done.returncode == 1
    assert "expected sha256:000" in done.stderr
    assert not target.exists()
    assert not (tmp_path / "out.part").exists()


def test_an_archive_is_unpacked_and_may_not_reach_out(store: str, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    target.parent.mkdir()
    done = _fetch(f"{store}/model.tar", _digest(tmp_path / "model.tar"), target)
    assert (done.returncode, done.stderr) == (0, "")
    assert (target / "config.json").read_text() == "{}"
    evil = tmp_path / "deep" / "evil"
    assert _fetch(f"{store}/evil.tar", _digest(tmp_path / "evil.tar"), evil).returncode != 0
    assert not evil.exists()
    assert not (tmp_path / "deep" / "escaped").exists()


def test_a_form_that_cannot_be_fetched_is_named(tmp_path: Path) -> None:
    done = _fetch("oci://registry.example/model", "sha256:" + "0" * 64, tmp_path / "out")
    assert done.returncode != 0
    assert "oci" in done.stderr


@pytest.mark.parametrize(
    ("source", "expected", "where"),
    [
        ("https://a.example/m?v=1", "https://a.example/m?v=1", Endpoint("a.example", 443)),
        ("http://10.1.2.3:9000/m", "http://10.1.2.3:9000/m", Endpoint("10.1.2.3", 9000)),
        ("https://[fd00::1]/m", "https://[fd00::1]/m", Endpoint("fd00::1", 443)),
        (
            "az://acme/models/a.tar",
            "https://acme.blob.core.windows.net/models/a.tar",
            Endpoint("acme.blob.core.windows.net", 443),
        ),
        (
            "abfss://models@acme.dfs.core.windows.net/a/b",
            "https://acme.blob.core.windows.net/models/a/b",
            Endpoint("acme.blob.core.windows.net", 443),
        ),
        (
            "s3://bucket/key",
            "https://bucket.s3.amazonaws.com/key",
            Endpoint("bucket.s3.amazonaws.com", 443),
        ),
        (
            "gs://bucket/key",
            "https://storage.googleapis.com/bucket/key",
            Endpoint("storage.googleapis.com", 443),
        ),
        (
            "hf://owner/repo/model.gguf",
            "https://huggingface.co/owner/repo/resolve/main/model.gguf",
            Endpoint("huggingface.co", 443),
        ),
        ("pvc://weights/a/b", "file:///store/a/b", None),
        ("oci://registry.example/m", "oci://registry.example/m", None),
    ],
)
def test_sources_are_plain_addresses(source: str, expected: str, where: Endpoint | None) -> None:
    assert address(source) == expected
    assert endpoint(source) == where
    assert claim(source) == ("weights" if source.startswith("pvc:") else "")
