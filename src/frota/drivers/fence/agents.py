"""Fence agents: the programs ``fence_*`` that switch a host off from outside.

They are run as cluster stacks do: options on standard input, one ``name=value`` a line,
so that no secret stands on a command line of ours; the answer is the exit code together
with the words on standard output.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from frota.drivers.fence.metadata import Metadata
from frota.drivers.fence.program import Ended, TimedOut, run
from frota.drivers.fence.secret import Secret, SecretError, scrub

TIMEOUT = 60.0  # seconds; agents give up by themselves after about 45
_PLACES = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin:/usr/local/bin"
_AGENT = re.compile(r"fence_[a-z0-9_]{1,60}")
_STATUS = re.compile(r"^\s*status:\s*(on|off)\s*$", re.IGNORECASE | re.MULTILINE)
_ON, _OFF = 0, 2  # exit codes of the action status
_SAID_MOST = 300


class DeviceError(Exception):
    """A device could not be asked or did not obey; the message holds no secret."""


class PowerDevice(Protocol):
    """Something that switches one host off. Both methods may take a minute, and raise
    DeviceError when they cannot tell."""

    @property
    def name(self) -> str:
        """What to call it in a verdict."""
        ...

    def is_off(self) -> bool:
        """Whether the host has no power."""
        ...

    def switch_off(self) -> None:
        """Switch the host off; it was seen to be off when this returns."""
        ...


@dataclass(frozen=True, slots=True)
class Device:
    """One fence agent with its options, as declared for one host."""

    agent: str
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)


class AgentDevice:
    """A device behind a fence agent. Safe to use from several threads."""

    def __init__(self, device: Device, path: str = _PLACES, timeout: float = TIMEOUT) -> None:
        self._device = device
        self._path = path
        self._timeout = timeout
        self._lock = threading.Lock()
        self._sound = False

    @property
    def name(self) -> str:
        """The agent's name."""
        return self._device.agent

    def check(self) -> None:
        """Raise DeviceError, with every fault, unless the declaration can work here."""
        with self._lock:
            if not self._sound:
                self._compare()
                self._sound = True

    def is_off(self) -> bool:
        """See ``PowerDevice``."""
        self.check()
        ended = self._act("status")
        said = _STATUS.findall(ended.output)
        answer = said[-1].lower() if said else ""
        if (ended.code, answer) == (_OFF, "off"):
            return True
        if (ended.code, answer) == (_ON, "on"):
            return False
        raise self._failure("status", ended)

    def switch_off(self) -> None:
        """See ``PowerDevice``. The agent's own word for it is not enough."""
        self.check()
        ended = self._act("off")
        if ended.code != 0:
            raise self._failure("off", ended)
        if not self.is_off():
            raise DeviceError(f"{self.name}: off was reported, but the power is on")

    def _program(self) -> str:
        if not _AGENT.fullmatch(self.name):
            raise DeviceError(f"{self.name!r}: expected a fence agent such as fence_ipmilan")
        program = shutil.which(self.name, path=self._path)
        if program is None:
            package = f"fence-agents-{self.name.removeprefix('fence_').replace('_', '-')}"
            raise DeviceError(
                f"{self.name} is not installed where Frota runs: install it "
                f"(package fence-agents, or {package})"
            )
        return program

    def _compare(self) -> None:
        ended = self._run([self._program(), "-o", "metadata"], "")
        try:
            metadata = Metadata.parse(ended.output)
        except ValueError as error:
            raise DeviceError(f"{self.name} does not describe itself: {error}") from None
        device = self._device
        faults = metadata.faults([*device.options, *device.secrets])
        faults += [
            f"option {name!r} is given twice, once as a secret"
            for name in device.options
            if name in device.secrets
        ]
        if faults:
            raise DeviceError(f"{self.name}: {'; '.join(faults)}")

    def _act(self, action: str) -> Ended:
        """Run one action; the secrets are gone from what it said."""
        program = self._program()
        try:
            secrets = {name: secret.read() for name, secret in self._device.secrets.items()}
        except SecretError as error:
            raise DeviceError(f"{self.name}: {error}") from None
        options = {**self._device.options, **secrets, "action": action}
        lines = [self._line(name, value) for name, value in options.items()]
        ended = self._run([program], "".join(lines))
        return Ended(ended.code, scrub(ended.output, secrets.values()))

    def _run(self, argv: list[str], text: str) -> Ended:
        try:
            return run(argv, text, self._timeout)
        except TimedOut:
            raise DeviceError(
                f"{self.name}: no answer within {self._timeout:g} s; it was ended"
            ) from None
        except OSError as error:
            raise DeviceError(f"{self.name} cannot be run: {error.strerror}") from None

    def _line(self, name: str, value: str) -> str:
        """One option. Agents strip a line's blanks, and one pair of double quotes."""
        if any(ord(letter) < 32 for letter in name + value) or "=" in name:
            raise DeviceError(f"{self.name}: option {name!r} holds a control character or '='")
        if value != value.strip() or (value.startswith('"') and value.endswith('"')):
            value = f'"{value}"'
        return f"{name}={value}\n"

    def _failure(self, action: str, ended: Ended) -> DeviceError:
        words = " ".join(ended.output.split())[-_SAID_MOST:] or "nothing was said"
        return DeviceError(f"{self.name}: {action} failed (exit code {ended.code}): {words}")
