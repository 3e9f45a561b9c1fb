"""``frota bundle key new | show``: the keys with which bundles are signed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from frota.cli.arguments import Parser, Run, add_common, describe
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal

_NEW = (
    "Make an Ed25519 private key in a new file that only its owner may read, and print the "
    "public key, which agents trust."
)
_SHOW = (
    "Print the public key of a private key, for `frota agent manifests --trust`. The private "
    "key is never printed."
)


def bundle(parser: ArgumentParser) -> Run:
    """The arguments of ``frota bundle``."""
    describe(
        parser,
        "The keys with which the control plane signs what clusters with delivery pull fetch "
        "(docs/pull.md).",
        "frota bundle key new /etc/frota/bundles.key",
    )
    things = parser.add_subparsers(metavar="THING", required=True, parser_class=Parser)
    key: Parser = things.add_parser("key", help="a signing key")
    describe(key, "A signing key.", "frota bundle key new /etc/frota/bundles.key")
    acts = key.add_subparsers(metavar="ACT", required=True, parser_class=Parser, title="acts")
    for name, line, run, text in (
        ("new", "make one", _new, _NEW),
        ("show", "print its public key", _show, _SHOW),
    ):
        one: Parser = acts.add_parser(name, help=line)
        add_common(one, nested=True)
        describe(one, text, f"frota bundle key {name} /etc/frota/bundles.key")
        one.add_argument("file", metavar="FILE", type=Path, help="the private key")
        one.set_defaults(run=run)
    return lambda args, terminal: int(args.run(args, terminal))


def _new(args: Namespace, terminal: Terminal) -> int:
    return _done(args.file, terminal, new=True)


def _show(args: Namespace, terminal: Terminal) -> int:
    return _done(args.file, terminal, new=False)


def _done(file: Path, terminal: Terminal, *, new: bool) -> int:
    try:
        from frota.drivers.objects.keys import KeyUnusable, new_signer, public_text, read_signer
    except ModuleNotFoundError as error:
        raise Failure(
            Exit.OUTSIDE, f"the Python package {error.name} is missing: install frota[pull]"
        ) from None
    try:
        public = (new_signer(file) if new else read_signer(file)).public
    except KeyUnusable as error:
        raise Failure(Exit.BAD_INPUT, str(error)) from None
    text = public_text(public)
    if terminal.output != "table":
        terminal.data({"id": public.id, "file": str(file), "publicKey": text})
        return Exit.DONE
    terminal.out.write(text)
    if new:
        terminal.note(f"{file}: the private key {public.id}; keep it secret, and keep a copy")
    return Exit.DONE
