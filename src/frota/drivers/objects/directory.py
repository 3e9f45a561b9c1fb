"""A container that is a directory of this machine, or of a file server.

Whoever may write a directory may put a link or a pipe where an object should be; reading
follows none and waits for none. Objects are complete on storage before they have their
name.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import ELOOP
from pathlib import Path

from frota.drivers.objects.fault import checked
from frota.ports.blobs import (
    Blob,
    BlobDenied,
    BlobError,
    BlobInfo,
    BlobMissing,
    BlobTaken,
    BlobTooLarge,
)

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
# Writers take turns, so one such name is enough, and what a killed one left is used again.
_UNFINISHED = ".unfinished"
_FILE_MODE, _FOLDER_MODE = 0o640, 0o750


class DirectoryBlobs:
    """See ``ports.blobs``. The directory is made, open to its owner alone, when there is
    none; let whoever should read it make it beforehand (docs/pull.md)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, key: str, most: int, *, unless: str = "") -> Blob | None:
        """See the port."""
        path = self._root / checked(key)
        with _worded(path):
            descriptor = os.open(path, _READ)
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                os.close(descriptor)
                raise BlobError(f"{path}: expected a plain file")
            with os.fdopen(descriptor, "rb") as file:
                if about.st_size > most:
                    raise BlobTooLarge(f"{path}: more than {most} bytes")
                if _etag(about) == unless:
                    return None
                data = file.read(most + 1)
        if len(data) > most:
            raise BlobTooLarge(f"{path}: more than {most} bytes")
        return Blob(key, data, _etag(about))

    def add(self, key: str, data: bytes) -> str:
        """See the port."""
        path = self._root / checked(key)
        with _worded(path), self._turn():
            unfinished = self._written(path, data)
            try:
                os.link(unfinished, path)
            finally:
                unfinished.unlink()
            return self._settled(path)

    def put(self, key: str, data: bytes, *, expected: str = "") -> str:
        """See the port."""
        path = self._root / checked(key)
        with _worded(path), self._turn():
            if expected and _etag(path.stat(follow_symlinks=False)) != expected:
                raise BlobTaken(f"{path}: somebody else wrote it")
            self._written(path, data).rename(path)
            return self._settled(path)

    def list(self, folder: str, most: int) -> Sequence[BlobInfo]:
        """See the port."""
        path = self._root / checked(folder)
        found: list[BlobInfo] = []
        with _worded(path), suppress(FileNotFoundError), os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.is_file(follow_symlinks=False):
                    continue
                if len(found) == most:
                    break
                about = entry.stat(follow_symlinks=False)
                found.append(BlobInfo(f"{folder}/{entry.name}", about.st_size, about.st_mtime))
        return found

    def delete(self, key: str) -> None:
        """See the port."""
        path = self._root / checked(key)
        with _worded(path):
            path.unlink(missing_ok=True)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One writer at a time, among all processes."""
        if not self._root.is_dir():
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _written(self, path: Path, data: bytes) -> Path:
        """The data in a file beside ``path``, on storage."""
        folder = path.parent
        if not folder.is_dir():
            # Never chmod: it would take from the folder that its files get its group.
            folder.mkdir(mode=_FOLDER_MODE)
        unfinished = folder / _UNFINISHED
        with os.fdopen(os.open(unfinished, _WRITE, _FILE_MODE), "wb") as file:
            os.fchmod(file.fileno(), _FILE_MODE)  # whatever the umask is
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return unfinished

    def _settled(self, path: Path) -> str:
        """The etag, once the name is on storage too."""
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return _etag(path.stat(follow_symlinks=False))


def _etag(about: os.stat_result) -> str:
    return f"{about.st_ino:x}-{about.st_mtime_ns:x}-{about.st_size:x}"


@contextmanager
def _worded(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise BlobMissing(f"{path}: it is not there") from None
    except FileExistsError:
        raise BlobTaken(f"{path}: it is there already") from None
    except PermissionError:
        raise BlobDenied(f"{path}: this user may not do that") from None
    except OSError as error:
        why = "it is a link" if error.errno == ELOOP else error.strerror
        raise BlobError(f"{path}: {why}") from None
