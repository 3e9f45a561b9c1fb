"""Credential plugins: a program of the user's that prints an ExecCredential.

The program gets no terminal and no shell, has bounded time and output, and what it printed
is never repeated: tokens stand there.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from frota.drivers.kubernetes.fault import Unusable
from frota.drivers.kubernetes.kubeconfig import Plugin, Target

_OUTPUT_MOST = 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Issued:
    """What a plugin issued. ``until`` is in seconds since 1970; infinity: it did not say."""

    token: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    until: float = float("inf")


async def run_plugin(plugin: Plugin, target: Target, seconds: float) -> Issued:
    """Run it and read its answer. Raises Unusable, also when it takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.args,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(plugin, target),
            start_new_session=True,
            limit=_OUTPUT_MOST,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it cannot be started"
        raise Unusable(f"exec plugin {plugin.command}: {why}; is it installed?") from None
    try:
        async with asyncio.timeout(seconds):
            output = await _output(process)
            status = 0 if len(output) > _OUTPUT_MOST else await process.wait()
    except TimeoutError:
        raise Unusable(f"exec plugin {plugin.command}: no answer in {seconds:g} s") from None
    finally:
        await _end(process)
    if len(output) > _OUTPUT_MOST:
        raise Unusable(f"exec plugin {plugin.command}: more than {_OUTPUT_MOST} bytes of output")
    if status != 0:
        raise Unusable(
            f"exec plugin {plugin.command}: exit status {status}; run it by hand to see why"
        )
    return _issued(plugin, output)


async def _output(process: asyncio.subprocess.Process) -> bytes:
    output = bytearray()
    while process.stdout is not None and len(output) <= _OUTPUT_MOST:
        chunk = await process.stdout.read(64 * 1024)
        if not chunk:
            break
        output += chunk
    return bytes(output)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it and all that it started: it is the leader of its own session."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _environment(plugin: Plugin, target: Target) -> dict[str, str]:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.cluster_info:
        spec["cluster"] = {"server": target.server}
        if target.ca:
            spec["cluster"]["certificate-authority-data"] = base64.b64encode(
                target.ca.encode()
            ).decode()
        if target.server_name:
            spec["cluster"]["tls-server-name"] = target.server_name
        if target.proxy:
            spec["cluster"]["proxy-url"] = target.proxy
    info = {"apiVersion": plugin.version, "kind": "ExecCredential", "spec": spec}
    return {**os.environ, **dict(plugin.env), "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _issued(plugin: Plugin, output: bytes) -> Issued:
    try:
        answer = msgspec.json.decode(output)
        status = answer["status"]
        issued = Issued(
            token=str(status.get("token") or "").strip(),
            certificate=str(status.get("clientCertificateData") or "").encode(),
            key=str(status.get("clientKeyData") or "").encode(),
            until=_until(status.get("expirationTimestamp")),
        )
        right = answer.get("kind") == "ExecCredential" and answer["apiVersion"] == plugin.version
    except (
        msgspec.MsgspecError,
        RecursionError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ):
        right = False
    if not right:
        raise Unusable(
            f"exec plugin {plugin.command}: expected an ExecCredential of {plugin.version} "
            "on its standard output"
        )
    if not issued.token and not issued.certificate:
        raise Unusable(f"exec plugin {plugin.command}: it issued neither token nor certificate")
    if bool(issued.certificate) != bool(issued.key):
        raise Unusable(f"exec plugin {plugin.command}: a certificate needs its key")
    return issued


def _until(stamp: object) -> float:
    """Seconds since 1970 of an RFC 3339 time."""
    if not stamp:
        return float("inf")
    moment = datetime.fromisoformat(str(stamp))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
