"""Play with real libvirt hosts on this machine: `python -m tests.real.lab up`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.real.lab import group, guest
from tests.real.lab.hosts import ROOT, Lab
from tests.real.lab.initramfs import GuestError
from tests.real.lab.namespaces import LabError, run


def _up(args: argparse.Namespace) -> None:
    lab = Lab(args.root.name, hosts=args.hosts, detached=True)
    try:
        lab.start()
    except BaseException:
        lab.destroy()
        raise
    _status(args)


def _down(args: argparse.Namespace) -> None:
    Lab.attach(args.root).destroy()


def _status(args: argparse.Namespace) -> None:
    lab = Lab.attach(args.root)
    for host in lab.names:
        place = lab.place(host)
        power = f"on   boot {lab.boot_id(host)}" if lab.is_on(host) else "off"
        sys.stdout.write(f"{host}  {place.uri}  bmc {place.bmc}  {power}\n")


def _yaml(args: argparse.Namespace) -> None:
    yaml.safe_dump(group.host_group(Lab.attach(args.root)), sys.stdout, sort_keys=False)


def _template(args: argparse.Namespace) -> None:
    yaml.safe_dump(group.template(Lab.attach(args.root)), sys.stdout, sort_keys=False)


def _add(args: argparse.Namespace) -> None:
    sys.stdout.write(f"{Lab.attach(args.root).add_host()}\n")


def _guest(args: argparse.Namespace) -> None:
    lab = Lab.attach(args.root)
    files = guest.prepare(lab.site, lab.cache)
    mac = guest.mac_of(args.name)
    described = lab.site.root / f"{args.name}.xml"
    disk = lab.site.disks / f"{args.name}.qcow2"
    if not disk.exists():
        guest.make_disk(lab.site, args.name)
    described.write_text(guest.domain_xml(files, args.name, mac, disk))
    run(["virsh", "-c", lab.place(args.host).socket_uri, "create", str(described)])
    sys.stdout.write(f"http://{guest.address_of(lab.site, mac)}/cgi-bin/state\n")


def _exec(args: argparse.Namespace) -> None:
    argv = Lab.attach(args.root).within(args.host, args.argv)
    os.execvp(argv[0], argv)  # noqa: S606 - the words are the user's own command


_ON_HOST: dict[str, tuple[str, Callable[[Lab, argparse.Namespace], object]]] = {
    "crash": ("pull the power cable", lambda lab, args: lab.crash(args.host)),
    "boot": ("power on", lambda lab, args: lab.boot(args.host)),
    "hang": (
        "stop libvirtd, or everything",
        lambda lab, args: lab.hang(args.host, everything=args.everything),
    ),
    "resume": ("end a hang", lambda lab, args: lab.resume(args.host)),
    "cut": (
        "unplug the network",
        lambda lab, args: lab.cut(args.host, storage=args.storage, control=args.control),
    ),
    "heal": ("plug everything in", lambda lab, args: lab.heal(args.host)),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.real.lab", description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=ROOT / "play", help="the lab's directory (default %(default)s)"
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    up = verbs.add_parser("up", help="start a lab that goes on until `down`")
    up.add_argument("--hosts", type=int, default=3)
    up.set_defaults(act=_up)
    plain: dict[str, tuple[str, Callable[[argparse.Namespace], None]]] = {
        "down": ("end it and remove its files", _down),
        "status": ("show the hosts", _status),
        "yaml": ("print the HostGroup of the lab", _yaml),
        "template": ("print a Cluster's template for lab guests", _template),
        "add": ("one more host", _add),
    }
    for name, (said, act) in plain.items():
        verbs.add_parser(name, help=said).set_defaults(act=act)
    start = verbs.add_parser("guest", help="start a guest on a host and print its address")
    start.add_argument("host")
    start.add_argument("name")
    start.set_defaults(act=_guest)
    inside = verbs.add_parser("exec", help="run a command inside a host")
    inside.add_argument("host")
    inside.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND")
    inside.set_defaults(act=_exec)
    for name, (said, _) in _ON_HOST.items():
        verb = verbs.add_parser(name, help=said)
        verb.add_argument("host")
        verb.set_defaults(fault=name)
        if name == "hang":
            verb.add_argument("--everything", action="store_true", help="the guests too")
        if name == "cut":
            verb.add_argument("--storage", action="store_true", help="the leases too")
            verb.add_argument("--control", action="store_true", help="its BMC too")
    return parser


def _on_host(args: argparse.Namespace) -> None:
    lab = Lab.attach(args.root)
    # A host is known from the moment it is put in, before the lab counts it.
    if not lab.place(args.host).dir.is_dir():
        raise LabError(f"no host {args.host} in {args.root}; there are {', '.join(lab.names)}")
    _ON_HOST[args.fault][1](lab, args)


def main() -> int:
    """Exit 0 when done, 1 with a message when it could not be done."""
    args = _parser().parse_args()
    try:
        if "fault" in args:
            _on_host(args)
        else:
            args.act(args)
    except (LabError, GuestError) as error:
        sys.stderr.write(f"lab: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
