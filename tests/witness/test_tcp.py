"""The TCP witness, on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from frota.drivers.witness.absent import NoWitness
from frota.drivers.witness.tcp import TcpWitness, reached

DEADLINE_S = 20.0


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_it_sees_what_accepts_a_connection(server: socket.socket) -> None:
    changed = threading.Event()
    witness = TcpWitness(f"127.0.0.1:{server.getsockname()[1]}", changed.set, period=0.05)
    assert changed.wait(DEADLINE_S)
    assert witness.sees() is True
    witness.close()


def test_a_refusal_is_an_answer(server: socket.socket) -> None:
    port = server.getsockname()[1]
    server.close()
    assert reached(("127.0.0.1", port), 1.0)


def test_what_does_not_answer_is_not_seen() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        place = full.getsockname()
        for _ in range(4):  # more than the queue holds: who comes now gets no answer
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(place)
        assert not reached(place, 0.2)
        witness = TcpWitness(f"127.0.0.1:{place[1]}", lambda: None, period=0.05, timeout=0.1)
        assert witness.sees() is False
        witness.close()


def test_a_name_that_nobody_has_is_not_seen() -> None:
    assert not reached(("no-such-host.invalid", 53), 0.5)
    assert not reached(("a" * 70 + ".invalid", 53), 0.5)


def test_one_lost_packet_is_no_loss_of_sight(server: socket.socket) -> None:
    port = server.getsockname()[1]
    seen, lost = threading.Event(), threading.Event()

    def changed() -> None:
        (lost if seen.is_set() else seen).set()

    witness = TcpWitness(f"127.0.0.1:{port}", changed, period=60)
    assert seen.wait(DEADLINE_S)
    witness._note(False)
    assert witness.sees() is True
    witness._note(False)
    assert witness.sees() is False
    assert lost.is_set()
    witness.close()


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    witness = TcpWitness("[::1]:9", lambda: None, period=60, timeout=0.1)
    assert witness._place == ("::1", 9)
    witness.close()


def test_no_witness_says_so() -> None:
    assert NoWitness().sees() is None
