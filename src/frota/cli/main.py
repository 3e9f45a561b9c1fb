"""The entry point: finds the command, loads its module alone, turns errors into codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from frota import __version__
from frota.cli.outcome import MEANINGS, Exit, Failure


class _Command(NamedTuple):
    """``place`` is ``module:function`` below ``frota.cli``; the function adds the command's
    arguments to a parser and returns what is to be run."""

    name: str
    place: str
    line: str


_GROUPS: tuple[tuple[str, tuple[_Command, ...]], ...] = (
    (
        "Declare",
        (
            _Command("init", "init:init", "write an example fleet to begin with"),
            _Command("validate", "validate:validate", "check files, report every error at once"),
            _Command("plan", "plan:plan", "show what files would change, and what would follow"),
            _Command("apply", "apply:apply", "store what files declare"),
            _Command("render", "render:render", "the Kubernetes objects of each cluster, as YAML"),
            _Command(
                "delete", "delete:delete", "delete a Cluster, a HostGroup, or a part of a fleet"
            ),
            _Command("import", "imports:import_", "write a HostGroup from hosts that are there"),
        ),
    ),
    (
        "Run",
        (
            _Command("up", "up:up", "run the controllers, and show what they do"),
            _Command("agent", "agent:agent", "in a cluster: apply the bundles signed for it"),
            _Command("host-agent", "host_agent:host_agent", "on a host: fence it by its lease"),
        ),
    ),
    (
        "Look",
        (
            _Command("get", "get:get", "list hosts, VMs, sets, clusters, rollouts, decisions, …"),
            _Command("describe", "describe:describe", "all about one of them"),
            _Command("explain", "explain:explain", "why it is so: cause, decision, action, end"),
            _Command("events", "events:events", "the journal; with --follow as it is written"),
            _Command("drift", "delivery.drift:drift", "what others changed in member clusters"),
        ),
    ),
    (
        "Operate",
        (
            _Command("drain", "intents:drain", "move all VMs off a host and keep it empty"),
            _Command("resume", "intents:resume", "take a drained host back into service"),
            _Command("host", "host:host", "add, remove, declare-dead or clear a host"),
            _Command("redeploy", "members:redeploy", "replace a set and its VMs, one by one"),
            _Command("halt", "members:halt", "stop a VM by agreement; it keeps its place"),
            _Command("unhalt", "members:unhalt", "let a halted VM run again"),
            _Command("rollout", "delivery.rollout:rollout", "a change on its way through a fleet"),
            _Command("take-over", "delivery.takeover:take_over", "give Frota another's object"),
            _Command("bundle", "bundle:bundle", "the keys that bundles are signed with"),
            _Command("approve", "approve:approve", "let a plan go that the brake holds"),
        ),
    ),
    (
        "Try out",
        (
            _Command("what-if", "whatif:what_if", "what would happen if hosts or racks died"),
            _Command("snapshot", "snapshots:snapshot", "the state of a host group as one file"),
            _Command("simulate", "simulate:simulate", "run scenarios in virtual time"),
            _Command("dev", "dev:dev", "Kubernetes clusters on this machine, to try things on"),
            _Command("demo", "demo:demo", "a host dies, a fleet has a bad day: told in a minute"),
        ),
    ),
)
_COMMANDS = {command.name: command for _, group in _GROUPS for command in group}
_TAKE_VALUE = ("--store", "--output")
_STAND_ALONE = ("--no-color",)


def command_names() -> tuple[str, ...]:
    """All commands."""
    return tuple(_COMMANDS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Never raises for what a user can cause."""
    words = list(sys.argv[1:] if argv is None else argv)
    before, name, after = _split(words)
    if name in ("-h", "--help", "help"):
        return _help(after)
    if name in ("-V", "--version"):
        sys.stdout.write(f"frota {__version__}\n")
        return Exit.DONE
    if not name:
        sys.stderr.write(_overview())
        return Exit.BAD_INPUT
    command = _COMMANDS.get(name)
    if command is None:
        return _unknown(name)
    return _guarded(lambda: _run(command, [*before, *after]))


def _split(words: list[str]) -> tuple[list[str], str, list[str]]:
    """The common options before the command, the command, and what follows it."""
    place = 0
    while place < len(words):
        word = words[place]
        if word in _TAKE_VALUE:
            place += 2
        elif word in _STAND_ALONE or word.startswith(tuple(f"{o}=" for o in _TAKE_VALUE)):
            place += 1
        else:
            return words[:place], word, words[place + 1 :]
    return words, "", []


def _run(command: _Command, words: list[str]) -> int:
    from importlib import import_module
    from io import TextIOWrapper

    from frota.cli.arguments import Parser, Run, add_common, store_path
    from frota.cli.terminal import Terminal, wants_color

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that knows no Unicode gets "?"
            stream.reconfigure(errors="replace")
    module, _, function = command.place.partition(":")
    parser = Parser(f"frota {command.name}")
    add_common(parser)
    prepare: Callable[[Parser], Run] = getattr(import_module(f"frota.cli.{module}"), function)
    run = prepare(parser)
    args = parser.parse_args(words)
    terminal = Terminal(
        store=store_path(args.store),
        output=args.output,
        color=not args.no_color and wants_color(sys.stdout),
        out=sys.stdout,
        err=sys.stderr,
    )
    code = run(args, terminal)
    sys.stdout.flush()
    return code


def _guarded(run: Callable[[], int]) -> int:
    """Every way in which a command can end, as an exit code and a line."""
    try:
        return run()
    except SystemExit as end:  # argparse: help was shown, or the usage was bad
        return end.code if isinstance(end.code, int) else Exit.BAD_INPUT
    except Failure as failure:
        return _fail(failure.code, failure.message)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except Exception as error:
        from frota.ports.store import StoreError

        if not isinstance(error, StoreError):
            raise
        return _fail(_code_of(error), str(error))


def _code_of(error: Exception) -> Exit:
    """The exit code of a StoreError."""
    from frota.ports.store import Conflict
    from frota.store.guard import Guarded

    cause = getattr(error.__cause__, "sqlite_errorname", "")
    if isinstance(error, Conflict | Guarded) or cause.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Exit.BUSY
    return Exit.OUTSIDE


def _fail(code: Exit, message: str) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"frota: {message}\n")
    return code


def _pipe_closed() -> int:
    """The reader went away (``| head``): nothing more can be said to it."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.PIPE_CLOSED


def _unknown(name: str) -> int:
    from frota.resources.errors import nearest

    near = nearest(name, command_names())
    hint = f"; did you mean {near}?" if near else ""
    return _fail(Exit.BAD_INPUT, f"there is no command {name}{hint} See: frota --help")


def _help(words: list[str]) -> int:
    """``frota --help`` and ``frota help COMMAND``."""
    if words and words[0] in _COMMANDS:
        return main([words[0], "--help"])
    sys.stdout.write(_overview())
    return Exit.DONE


def _overview() -> str:
    lines = [
        "Frota keeps VMs spread over hosts and racks, and brings them back when hosts fail.",
        "",
        "usage: frota [--store PATH] [--output table|json|yaml] [--no-color] COMMAND ...",
        "       frota COMMAND --help",
    ]
    for title, commands in _GROUPS:
        lines += ["", f"{title}:"]
        lines += [f"  {command.name:<11} {command.line}" for command in commands]
    lines += [
        "",
        "Common options, before or after the command:",
        "  --store PATH              the store (default: $FROTA_STORE, else .frota/frota.db)",
        "  --output table|json|yaml  the form of the result (default: table)",
        "  --no-color                no colours (as does the variable NO_COLOR)",
        "",
        "Exit codes:",
        *(f"  {code.value:<4} {meaning}" for code, meaning in MEANINGS),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
