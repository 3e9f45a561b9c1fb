"""Secrets: read at the moment of use, and taken out of everything that is shown."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SIZE_MOST = 4096  # bytes
HIDDEN = "[secret]"


class SecretError(Exception):
    """A secret cannot be read. The message names the place, never the content."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is kept: exactly one of a file and an environment variable."""

    file: str = ""
    env: str = ""

    def read(self, environment: Mapping[str, str] | None = None) -> str:
        """The secret, without the newline at its end. Raises SecretError."""
        value = self._from_file() if self.file else self._from_environment(environment)
        if not value:
            raise SecretError(f"{self}: it is empty")
        if any(ord(letter) < 32 for letter in value):
            raise SecretError(f"{self}: expected a single line without control characters")
        return value

    def __str__(self) -> str:
        return f"file {self.file}" if self.file else f"environment variable {self.env}"

    def _from_file(self) -> str:
        try:
            with Path(self.file).open("rb") as handle:
                content = handle.read(SIZE_MOST + 1)
            text = content.decode()
        except OSError as error:
            raise SecretError(f"{self}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SecretError(f"{self}: expected text in UTF-8") from None
        if len(content) > SIZE_MOST:
            raise SecretError(f"{self}: more than {SIZE_MOST} bytes, expected one line")
        return text.removesuffix("\n").removesuffix("\r")

    def _from_environment(self, environment: Mapping[str, str] | None) -> str:
        value = (os.environ if environment is None else environment).get(self.env)
        if value is None:
            raise SecretError(f"{self}: it is not set where Frota runs")
        return value


def scrub(text: str, secrets: Iterable[str]) -> str:
    """``text`` without any of the secrets, also where a shell or Python quoted them."""
    for secret in sorted(secrets, key=len, reverse=True):
        for form in (secret, shlex.quote(secret)[1:-1], repr(secret)[1:-1]):
            if form:
                text = text.replace(form, HIDDEN)
    return text
