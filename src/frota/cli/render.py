"""``frota render``: the objects of each cluster, for review or for a GitOps repository."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from frota.cli.arguments import Run, describe
from frota.cli.files import loaded
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.cli.words import plural
from frota.model.objects import Object

_MARK = "# Written by frota render; the next one replaces it.\n"
_OF_CLUSTER = "_cluster"  # no namespace is called so


def render(parser: ArgumentParser) -> Run:
    """The arguments of ``frota render``."""
    describe(
        parser,
        "Show the Kubernetes objects that every cluster of a fleet gets, in the order in which "
        "they are delivered. Nothing is contacted and nothing stored. With -o, one folder for "
        "each cluster with one file for each namespace; files of an earlier render that are no "
        "longer wanted are removed, all others are left alone.",
        "frota render examples/by-function",
        "frota render fleet/ --cluster east-prod",
        "frota render fleet/ -o ../gitops/clusters",
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="YAML or JSON; a directory; - for standard input"
    )
    parser.add_argument("--cluster", metavar="NAME", help="this cluster alone")
    parser.add_argument("-o", "--directory", metavar="DIR", type=Path, help="write files here")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    from frota.compile.kubernetes import compile_fleet

    known = loaded(args.files, (), terminal)
    compiled = compile_fleet(resource.document for resource in known.resources)
    if not compiled:
        raise Failure(Exit.BAD_INPUT, "no cluster is a member of a fleet: give it spec.fleet")
    if args.cluster is not None:
        compiled = _only(compiled, args.cluster)
    if args.directory is not None:
        return _write(compiled, args.directory, terminal)
    _show(compiled, terminal)
    return Exit.DONE


def _only(
    compiled: Mapping[str, tuple[Object, ...]], cluster: str
) -> dict[str, tuple[Object, ...]]:
    if cluster not in compiled:
        from frota.resources.errors import nearest

        near = nearest(cluster, tuple(compiled))
        hint = f"; did you mean {near}?" if near else f"; there are: {', '.join(compiled)}"
        raise Failure(Exit.BAD_INPUT, f"no cluster {cluster} is a member of a fleet{hint}")
    return {cluster: compiled[cluster]}


def _show(compiled: Mapping[str, tuple[Object, ...]], terminal: Terminal) -> None:
    from frota.cli.manifests import as_yaml

    if terminal.output == "json":
        terminal.data({cluster: list(objects) for cluster, objects in compiled.items()})
        return
    for cluster, objects in compiled.items():
        terminal.say(f"# cluster {cluster}: {plural(len(objects), 'object')}")
        terminal.out.write(as_yaml(objects))


def _write(compiled: Mapping[str, tuple[Object, ...]], directory: Path, terminal: Terminal) -> int:
    try:
        written = {
            cluster: _folder(directory / cluster, objects) for cluster, objects in compiled.items()
        }
    except OSError as error:
        said = f"{error.filename}: {error.strerror}"
        raise Failure(Exit.OUTSIDE, f"the files could not be written: {said}") from None
    if terminal.output != "table":
        terminal.data(
            [
                {"cluster": cluster, "directory": str(directory / cluster), "files": names}
                for cluster, names in written.items()
            ]
        )
        return Exit.DONE
    for cluster, names in written.items():
        count = plural(len(compiled[cluster]), "object")
        terminal.say(f"{directory / cluster}: {count} in {plural(len(names), 'file')}")
    return Exit.DONE


def _folder(folder: Path, objects: Sequence[Object]) -> list[str]:
    """Write the files of one cluster; returns their names. Raises OSError."""
    from frota.cli.manifests import as_yaml

    parts: dict[str, list[Object]] = {}
    for item in objects:
        parts.setdefault(item["metadata"].get("namespace", _OF_CLUSTER), []).append(item)
    wanted = {f"{name}.yaml": _MARK + as_yaml(items) for name, items in sorted(parts.items())}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        if (folder / name).exists() and not _ours(folder / name):
            raise FileExistsError(0, "is there, and was not written by frota render", name)
        (folder / name).write_text(text, encoding="utf-8")
    for old in folder.glob("*.yaml"):
        if old.name not in wanted and _ours(old):
            old.unlink()
    return list(wanted)


def _ours(file: Path) -> bool:
    with file.open(encoding="utf-8", errors="replace") as text:
        return text.readline() == _MARK
