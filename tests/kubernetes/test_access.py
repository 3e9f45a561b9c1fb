"""Who Frota is to a cluster: certificates, tokens and plugins, good, bad and changing."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from frota.drivers.kubernetes.access import Access
from frota.drivers.kubernetes.fault import Silent, Unusable
from frota.drivers.kubernetes.kubeconfig import read_target
from frota.drivers.kubernetes.link import Link
from frota.drivers.kubernetes.plugin import run_plugin
from frota.drivers.kubernetes.tls import tls_context
from frota.ports.clusters import ClusterAddress
from tests.kubernetes.apiserver import ApiServer, Twist, status
from tests.kubernetes.conftest import Fleet
from tests.waiting import until

SECRET = "s3cret-token-of-the-test"  # noqa: S105 - it opens nothing


def only(token: list[str], code: int = 401, reason: str = "Unauthorized") -> Twist:
    """Who does not bring the (last) token is not let in."""

    async def twist(request: web.Request) -> web.StreamResponse | None:
        if request.headers.get("Authorization") == f"Bearer {token[-1]}":
            return None
        return status(code, reason, f"echo {request.headers.get('Authorization')}")

    return twist


def plugin(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return f"./{path.name}"


def execute(command: str, **more: Any) -> dict[str, Any]:
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": command, "args": [SECRET], **more}}


def credential(given: dict[str, str]) -> str:
    document = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}
    return f"echo '{json.dumps({**document, 'status': given})}'"


def test_a_token_file_is_read_again(server: ApiServer, fleet: Fleet) -> None:
    tokens = ["one-one-one"]
    server.twist = only(tokens)
    file = server.home / "token"
    file.write_text("one-one-one\n")
    fleet.attach(server, kubeconfig=server.kubeconfig({"tokenFile": "token"}))
    fleet.until(lambda: fleet.view.complete)
    tokens.append("two-two-two")
    server.kill()
    server.start()
    fleet.until(lambda: "Unauthorized" in fleet.view.error)
    assert fleet.view.answers, "it refuses, and so it is there"
    file.write_text("two-two-two\n")
    fleet.until(lambda: fleet.view.complete)


def test_credentials_that_end_are_noticed_while_watches_go_on(
    server: ApiServer, fleet: Fleet
) -> None:
    tokens = ["one-one-one"]
    server.twist = only(tokens)
    fleet.attach(server, kubeconfig=server.kubeconfig({"token": tokens[0]}))
    fleet.until(lambda: fleet.view.complete)
    tokens.append("two-two-two")
    fleet.until(lambda: "renew those of the kubeconfig" in fleet.view.error)
    assert fleet.view.answers
    assert not fleet.view.complete
    tokens.append("one-one-one")
    fleet.until(lambda: fleet.view.complete)


def test_a_plugin_is_asked_again_after_a_401(server: ApiServer, fleet: Fleet) -> None:
    tokens = ["issued-1"]
    server.twist = only(tokens)
    script = "n=$(cat count 2>/dev/null || echo 0); n=$((n+1)); echo $n > count\n"
    script = f"cd {server.home}; {script}" + credential({"token": "issued-N"}).replace("N", "'$n'")
    command = plugin(server.home / "login", script)
    fleet.attach(server, kubeconfig=server.kubeconfig(execute(command)))
    fleet.until(lambda: fleet.view.complete)
    assert (server.home / "count").read_text() == "1\n"
    tokens.append("issued-2")
    server.kill()
    server.start()
    fleet.until(lambda: fleet.view.complete and server.requests[-1][0] == "GET")
    fleet.until(lambda: (server.home / "count").read_text() == "2\n")


def test_a_plugin_may_issue_a_certificate(
    server: ApiServer, fleet: Fleet, authority: trustme.CA
) -> None:
    names: list[object] = []

    async def twist(request: web.Request) -> web.StreamResponse | None:
        assert request.transport is not None
        names.append(request.transport.get_extra_info("peercert"))
        return None

    server.twist = twist
    issued = authority.issue_cert("frota@example.org")
    given = {
        "clientCertificateData": issued.cert_chain_pems[0].bytes().decode(),
        "clientKeyData": issued.private_key_pem.bytes().decode(),
    }
    command = plugin(server.home / "login", credential(given).replace("\\n", "\\\\n"))
    fleet.attach(server, kubeconfig=server.kubeconfig(execute(command)))
    fleet.until(lambda: fleet.view.complete)
    assert all(names)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "exit status 3"),
        ("echo nonsense", "expected an ExecCredential"),
        (credential({"token": ""}), "neither token nor certificate"),
        ("yes | head -c 3000000", "bytes of output"),
        (
            credential({"token": "t", "expirationTimestamp": "tomorrow"}),
            "expected an ExecCredential",
        ),
    ],
)
def test_a_bad_plugin_is_named_and_its_words_are_not_repeated(
    server: ApiServer, fleet: Fleet, script: str, said: str
) -> None:
    command = plugin(server.home / "login", f"echo {SECRET} >&2\n{script}")
    fleet.attach(server, kubeconfig=server.kubeconfig(execute(command)))
    fleet.until(lambda: said in fleet.view.error)
    assert "login" in fleet.view.error
    assert SECRET not in fleet.view.error


def test_a_plugin_that_hangs_is_ended_with_all_that_it_began(server: ApiServer) -> None:
    pid = server.home / "pid"
    command = plugin(server.home / "login", f"sleep 600 & echo $! > {pid}; wait")
    target = read_target(server.kubeconfig(execute(command)))
    assert target.plugin is not None
    with pytest.raises(Unusable, match="no answer in"):
        asyncio.run(run_plugin(target.plugin, target, 0.5))
    child = int(pid.read_text())
    until(lambda: not _lives(child), f"process {child} to end", 5)


def test_credentials_are_renewed_before_they_end_and_without_waiting(server: ApiServer) -> None:
    given = {"token": "a-good-token", "expirationTimestamp": "2026-01-01T00:10:00Z"}
    command = plugin(server.home / "login", f"echo x >> {server.home}/runs\n{credential(given)}")
    end = datetime(2026, 1, 1, 0, 10, tzinfo=UTC).timestamp()
    now = end - 600

    def runs() -> int:
        return len((server.home / "runs").read_text().split())

    async def story() -> None:
        nonlocal now
        address = ClusterAddress("c", server.kubeconfig(execute(command)))
        access = Access(address, lambda: now)
        first = await access.get()
        assert await access.get() is first
        assert runs() == 1
        now = end - 30
        assert await access.get() is first, "nobody waits while it is still good"
        # To its end: a loop that ends while a process begins waits for it for ever (CPython 3.11).
        renewal = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(renewal, timeout=5)
        assert runs() == 2

    asyncio.run(story())


def _lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_missing_plugin_is_named(server: ApiServer, fleet: Fleet) -> None:
    fleet.attach(server, kubeconfig=server.kubeconfig(execute("frota-no-such-plugin")))
    fleet.until(lambda: "frota-no-such-plugin: No such file" in fleet.view.error)


def test_a_server_that_echoes_the_token_reveals_nothing(server: ApiServer, fleet: Fleet) -> None:
    server.twist = only(["another one"], 403, "Forbidden")
    fleet.attach(server, kubeconfig=server.kubeconfig({"token": SECRET}))
    fleet.until(lambda: "echo Bearer [secret]" in fleet.view.error)
    assert SECRET not in repr(fleet.view)


def test_a_certificate_that_is_not_trusted_is_refused(
    server: ApiServer, fleet: Fleet, tmp_path: Path
) -> None:
    kubeconfig = server.kubeconfig()
    (server.home / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    fleet.attach(server, kubeconfig=kubeconfig)
    fleet.until(lambda: "the server's certificate" in fleet.view.error)
    assert not fleet.view.answers
    assert not server.requests
    # The right CA put in its place is found.
    (server.home / "ca.pem").write_bytes(server.authority.cert_pem.bytes())
    fleet.until(lambda: fleet.view.complete)


def test_a_certificate_of_another_name_is_refused(server: ApiServer, fleet: Fleet) -> None:
    name: dict[str, Any] = {"tls-server-name": "other.example"}
    fleet.attach(server, kubeconfig=server.kubeconfig(**name))
    fleet.until(lambda: "the server's certificate" in fleet.view.error)
    assert not server.requests
    name["tls-server-name"] = "localhost"
    server.kubeconfig(**name)
    fleet.until(lambda: fleet.view.complete)


def test_a_redirect_is_not_followed(server: ApiServer, fleet: Fleet) -> None:
    followed = []

    async def twist(request: web.Request) -> web.StreamResponse | None:
        if request.path == "/elsewhere":
            followed.append(request.headers.get("Authorization"))
            return None
        raise web.HTTPFound("/elsewhere")

    server.twist = twist
    fleet.attach(server)
    fleet.until(lambda: "Found" in fleet.view.error)
    assert not followed


@pytest.mark.parametrize(
    ("user", "cluster", "said"),
    [
        ({"username": "u", "password": SECRET}, {}, "passwords are not supported"),
        ({"auth-provider": {"name": "azure"}}, {}, "kubelogin convert-kubeconfig"),
        ({"token": "a\nb"}, {}, "on one line"),
        ({"tokenFile": "nowhere"}, {}, "nowhere: No such file"),
        ({"client-certificate-data": "eA=="}, {}, "needed together"),
        ({"client-certificate-data": "?", "client-key-data": "?"}, {}, "expected base64"),
        ({"exec": {"apiVersion": "v1", "command": "x"}}, {}, "exec.apiVersion: expected"),
        (execute("x", interactiveMode="Always"), {}, "nobody to ask"),
        (execute(""), {}, "exec.command is empty"),
        ({}, {"insecure-skip-tls-verify": True}, "always checks certificates"),
        ({}, {"server": "http://10.0.0.1"}, "expected an https:// URL"),
        ({}, {"server": f"https://u:{SECRET}@10.0.0.1"}, "expected https://HOST"),
        ({}, {"proxy-url": "socks5://10.0.0.1"}, "proxy-url: expected"),
    ],
)
def test_what_would_be_less_safe_than_it_looks_is_refused(
    server: ApiServer, user: dict[str, Any], cluster: dict[str, Any], said: str
) -> None:
    path = server.kubeconfig(user or {"token": "t"}, **cluster)
    with pytest.raises(Unusable, match=re.escape(said)) as caught:
        read_target(path)
    assert SECRET not in str(caught.value)


def test_contexts_are_chosen_by_name(server: ApiServer) -> None:
    path = server.kubeconfig({"token": SECRET, "as": "ci", "as-groups": ["a", "b"]})
    target = read_target(path, "c")
    assert target.headers[1:] == (("Impersonate-Group", "a"), ("Impersonate-Group", "b"))
    assert SECRET not in repr(target)
    with pytest.raises(Unusable, match="contexts has no 'x'; there is: c"):
        read_target(path, "x")
    with pytest.raises(Unusable, match="No such file"):
        read_target(str(server.home / "missing"))


def test_tls_is_checked_by_every_context(authority: trustme.CA) -> None:
    context = tls_context(authority.cert_pem.bytes().decode(), b"", b"")
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    with pytest.raises(Unusable, match="expected certificates in PEM"):
        tls_context("nonsense", b"", b"")
    with pytest.raises(Unusable, match="client certificate"):
        tls_context("", b"nonsense", b"nonsense")


def test_who_has_let_go_makes_no_new_connections(server: ApiServer) -> None:
    async def late() -> None:
        access = Access(ClusterAddress("c", server.kubeconfig({"token": SECRET})), lambda: 0.0)
        link = Link(access, lambda: None)
        await link.get("/version")
        await link.close()
        with pytest.raises(Silent, match="let go"):
            await link.get("/version")
        access.close()

    asyncio.run(late())
