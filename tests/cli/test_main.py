"""The frame of all commands: help, names, codes, the form of the output."""

from __future__ import annotations

import io
import re
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from frota.cli.main import _code_of, command_names, main
from frota.cli.outcome import MEANINGS
from frota.cli.terminal import Cell, Terminal, printable, wants_color
from frota.ports.store import Conflict, StoreError, StoreFull
from frota.store.guard import Guard
from tests.cli.conftest import EXAMPLE, ROOT, Frota

HEAVY = ("pydantic", "rich", "msgspec", "ortools", "numpy", "libvirt", "yaml", "asyncio")


def test_help_lists_every_command_and_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in command_names():
        assert re.search(rf"^  {name} +\S", text, re.MULTILINE), name
    for code, meaning in MEANINGS:
        assert f"  {code.value:<4} {meaning}" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", command_names())
def test_every_command_has_help_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"usage: frota {name}" in text
    assert re.search(rf"examples:\n  frota {name}\b", text)
    assert main(["help", name]) == 0
    assert capsys.readouterr().out == text


def test_the_page_names_every_command_and_code() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name in command_names():
        assert f"frota {name}" in page, name
    for code, meaning in MEANINGS:
        assert f"| {code.value} | {meaning} |" in page


def test_no_command_shows_help_and_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: frota" in capsys.readouterr().err
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("frota 0.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gte"], "there is no command gte; did you mean get?"),
        (["get"], "frota get: the following arguments are required: KIND"),
        (["get", "hosts", "--colour"], "unrecognized arguments: --colour"),
        (["get", "hosts", "--output", "xml"], "argument --output: invalid choice: 'xml'"),
        (["get", "hots"], "expected a kind, one of hosts, vms, sets, hostgroups, clusters"),
        (["explain", "a"], "expected KIND/NAME, such as vm/east-cp-1; found a"),
        (["up", "--speed", "fast"], "expected a number from 0.1 to 1000; found fast"),
        (["plan"], "plan needs FILEs, or --snapshot FILE, or --now-what"),
        (["simulate"], "simulate needs scenario FILEs, or --fuzz N"),
        (["simulate", "--fuzz", "0"], "--fuzz: expected at least 1; found 0"),
        (["host", "add", "g"], "frota host add: the following arguments are required: NAME"),
    ],
)
def test_bad_usage_says_what_was_wrong(words: list[str], said: str, empty: Frota) -> None:
    ended = empty(*words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_common_options_may_stand_before_and_after(frota: Frota) -> None:
    after = frota("get", "hosts", "--output=json")
    assert after.code == 0
    assert frota("--output", "json", "get", "hosts") == after
    assert frota("--output=json", "--no-color", "get", "hosts") == after


def test_the_store_is_found_in_the_environment(
    frota: Frota, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FROTA_STORE", str(frota.store))
    assert main(["get", "hostgroups"]) == 0
    assert "plant-east" in capsys.readouterr().out


def test_without_a_store_looking_ends_with_not_found(empty: Frota) -> None:
    ended = empty("get", "hosts")
    assert ended.code == 4
    assert "there is no store yet" in ended.err
    assert not empty.store.exists()


def test_a_file_that_is_no_store_is_refused(empty: Frota) -> None:
    empty.store.write_text("no database at all, but long enough to be one" * 40)
    ended = empty("get", "hosts")
    assert ended.code == 5
    assert str(empty.store) in ended.err


def test_a_held_store_says_by_whom(frota: Frota, tmp_path: Path) -> None:
    more = tmp_path / "more.yaml"
    more.write_text(EXAMPLE.read_text(encoding="utf-8").replace("count: 3", "count: 5", 1))
    with Guard(frota.store, "frota up", 1_000_000.0):
        ended = frota("up", str(more), "--plain")
    assert ended.code == 3
    assert "another Frota works on this store: process" in ended.err
    assert frota.entry("Cluster", "east").value["spec"]["controlPlane"]["count"] == 3


@pytest.mark.parametrize(
    ("error", "cause", "code"),
    [
        (Conflict("written meanwhile"), None, 3),
        (StoreFull("the disk is full"), None, 5),
        (StoreError("locked for 10 s"), "SQLITE_BUSY", 3),
        (StoreError("damaged"), "SQLITE_CORRUPT", 5),
    ],
)
def test_troubles_of_the_store_have_their_codes(
    error: StoreError, cause: str | None, code: int
) -> None:
    if cause is not None:
        error.__cause__ = sqlite3.OperationalError()
        error.__cause__.sqlite_errorname = cause
    assert _code_of(error) == code


def test_a_store_that_cannot_be_made_is_named(tmp_path: Path, empty: Frota) -> None:
    (tmp_path / "file").write_text("")
    below = Frota(tmp_path / "file" / "frota.db", empty._capsys)
    for words in (("up", "--plain"), ("apply", str(EXAMPLE))):
        ended = below(*words)
        assert ended.code == 5, words
        assert "cannot be made" in ended.err


def test_a_terminal_without_unicode_is_no_failure(frota: Frota) -> None:
    frota.change("Host", "plant-east/a", lambda host: replace(host, reason="█"))
    command = [sys.executable, "-m", "frota", "--store", str(frota.store), "get", "hosts"]
    done = subprocess.run(
        command, capture_output=True, check=False, env={"PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.splitlines()[1].endswith(b"?")


def _modules_after(words: list[str]) -> set[str]:
    script = (
        "import sys\nfrom frota.cli.main import main\n"
        f"code = main({words!r})\n"
        "sys.stderr.write(' '.join(sys.modules))\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    "words",
    [["--help"], ["get", "hosts"], ["get", "sets", "--output", "json"], ["get", "vms"],
     ["describe", "vm", "east-cp-1", "--output", "json"], ["explain", "host/a"], ["events"]],
)  # fmt: skip
def test_short_commands_import_nothing_heavy(words: list[str], frota: Frota) -> None:
    loaded = _modules_after(["--store", str(frota.store), *words])
    assert loaded.isdisjoint(HEAVY), loaded.intersection(HEAVY)


def test_help_imports_no_store_and_no_parser() -> None:
    assert _modules_after(["--help"]).isdisjoint({*HEAVY, "argparse", "sqlite3", "json"})


def test_a_closed_pipe_is_no_error(frota: Frota) -> None:
    command = [sys.executable, "-m", "frota", "--store", str(frota.store), "get", "decisions"]
    with subprocess.Popen(
        [*command, "--last", "1000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as reader:
        assert reader.stdout is not None
        assert reader.stderr is not None
        reader.stdout.close()
        assert reader.wait() == 141
        assert reader.stderr.read() == b""


def test_colours_only_on_a_terminal_that_wants_them() -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert wants_color(Screen(), {})
    assert not wants_color(Screen(), {"NO_COLOR": "1"})
    assert not wants_color(Screen(), {"TERM": "dumb"})
    assert not wants_color(io.StringIO(), {})
    out = Screen()
    Terminal(Path("x"), color=True, out=out).table(("A",), [(Cell("Up", "green"),)])
    assert "\x1b[32mUp\x1b[0m" in out.getvalue()


def test_what_is_shown_cannot_command_the_terminal() -> None:
    assert printable("a\x1b[31mb\nc\td") == "a?[31mb c d"
    out = io.StringIO()
    Terminal(Path("x"), out=out).table(("A",), [("x\x07y",)])
    assert "\x07" not in out.getvalue()
