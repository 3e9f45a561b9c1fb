"""Reading the Containerfile, and doing what it says without a builder of images: its commands
run in a plain directory, and what comes of them runs as it would in a pod."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "Containerfile"
_BUILD_S = 600.0


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction: ``RUN``, and what is run. ``stage`` counts from 0."""

    stage: int
    word: str
    rest: str


def lines() -> list[Line]:
    """All instructions, comments left out and continued lines joined."""
    found: list[Line] = []
    stage = -1
    text = FILE.read_text("utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for line in kept.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            stage += word == "FROM"
            found.append(Line(stage, word, rest.strip()))
    return found


def only(word: str, stage: int) -> str:
    """The one instruction with this word in a stage."""
    (found,) = [line.rest for line in lines() if (line.word, line.stage) == (word, stage)]
    return found


def entrypoint() -> list[str]:
    """What an image runs, in the form without a shell."""
    words = json.loads(only("ENTRYPOINT", 1))
    assert isinstance(words, list)
    return [str(word) for word in words]


class Built:
    """The first stage, done in a directory: ``/opt`` and ``/src`` are in there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.chmod(0o755)
        # What the base image brings: a Python with pip, first on the path.
        subprocess.run([sys.executable, "-m", "venv", str(folder / "base")], check=True)
        self._env = {"PATH": f"{folder}/base/bin:/usr/bin:/bin", "HOME": str(folder)}
        for name in ("UV_CACHE_DIR", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_INDEX_URL",
                     "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy"):  # fmt: skip
            if name in os.environ:
                self._env[name] = os.environ[name]
        for line in lines():
            if line.stage == 0:
                self._do(line)

    def path(self, text: str) -> str:
        """A path of the image as one here."""
        return text.replace("/opt/", f"{self.folder}/opt/").replace("/src", f"{self.folder}/src")

    def _do(self, line: Line) -> None:
        words = shlex.split(line.rest)
        if line.word == "ENV":
            self._env |= dict(self.path(word).split("=", 1) for word in words)
        elif line.word == "WORKDIR":
            Path(self.path(line.rest)).mkdir(parents=True)
        elif line.word == "COPY":
            *sources, target = words
            for source in sources:
                self._copy(ROOT / source, Path(self.folder, target.lstrip("/")))
        elif line.word == "RUN":
            run = subprocess.run(
                ["/bin/sh", "-c", self.path(line.rest)], env=self._env, text=True, check=False,
                cwd=self._cwd(), capture_output=True, timeout=_BUILD_S,
            )  # fmt: skip
            assert run.returncode == 0, f"{line.rest}\n{run.stdout}{run.stderr}"

    def _cwd(self) -> Path:
        place = self.folder / "src"
        return place if place.is_dir() else self.folder

    def _copy(self, source: Path, target: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / source.name)

    def command(self, args: list[str], writable: Iterable[Path]) -> list[str]:
        """The entry point with arguments, as a pod runs it: as the user of the image, without
        capabilities, on a root that cannot be written but for some directories."""
        user, _, group = only("USER", 1).partition(":")
        drop = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
        drop += ["--no-new-privs", "--bounding-set=-all", "env", "-i"]
        words = [*drop, *(self.path(word) for word in entrypoint()), *args]
        mounts = [["mount", "--make-rprivate", "/"]]
        mounts += [["mount", "--bind", str(place), str(place)] for place in writable]
        mounts += [["mount", "-o", "remount,bind,ro", "/"]]
        script = " && ".join([*map(shlex.join, mounts), f"exec {shlex.join(words)}"])
        return ["unshare", "--mount", "/bin/sh", "-c", script]
