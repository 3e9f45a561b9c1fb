"""``frota agent run | manifests``: the agent of a cluster with delivery pull."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frota.cli.arguments import Parser, Run, add_common, describe
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frota.compile.agent.deployment import AgentPod
    from frota.resources.documents import Resource

_RUN = "frota agent run --fleet acme --cluster east --bundles https://acme.blob.example/frota …"
_MANIFESTS = "frota agent manifests fleet/ --cluster east --image IMAGE@sha256:… --trust keys.pem"


def agent(parser: ArgumentParser) -> Run:
    """The arguments of ``frota agent``."""
    describe(
        parser,
        "The agent of a cluster whose delivery is pull (docs/pull.md): it fetches what the "
        "control plane signed for this cluster, verifies it, applies it and tells how it went.",
        _MANIFESTS,
    )
    acts = parser.add_subparsers(metavar="ACT", required=True, parser_class=Parser, title="acts")
    run: Parser = acts.add_parser("run", help="run in a cluster, until told to stop")
    add_common(run, nested=True)
    describe(
        run,
        "Run the agent of one cluster until SIGTERM. It goes on with the last good bundle "
        "whatever happens to the store.",
        _RUN,
    )
    _run_arguments(run)
    run.set_defaults(run=_run)
    manifests: Parser = acts.add_parser("manifests", help="what to apply to a cluster for it")
    add_common(manifests, nested=True)
    describe(
        manifests,
        "Print what an administrator applies to a cluster once, and again when namespaces, "
        "kinds or roles change: the agent, its rights over exactly what the cluster gets, and "
        "what the agent may not change itself. Apply it with: kubectl apply --server-side "
        "--field-manager=frota -f -",
        _MANIFESTS,
    )
    _manifests_arguments(manifests)
    manifests.set_defaults(run=_manifests)
    return lambda args, terminal: int(args.run(args, terminal))


def _run_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--fleet", required=True, metavar="NAME", help="the fleet")
    parser.add_argument("--cluster", required=True, metavar="NAME", help="this cluster")
    parser.add_argument(
        "--bundles", required=True, metavar="URL", help="the Fleet's spec.bundles.store"
    )
    parser.add_argument(
        "--trust", required=True, action="append", type=Path, metavar="FILE",
        help="public keys that may sign; may be repeated; read again whenever they are used",
    )  # fmt: skip
    parser.add_argument(
        "--state", required=True, type=Path, metavar="DIR", help="where the last bundle is kept"
    )
    parser.add_argument(
        "--kubeconfig", required=True, metavar="FILE", help="the way to this cluster's API server"
    )
    parser.add_argument("--context", default="", metavar="NAME", help="its context")
    parser.add_argument(
        "--bundles-sas", type=Path, metavar="FILE",
        help="a shared access signature that may read this cluster's bundles; left out: the "
        "workload identity of the environment",
    )  # fmt: skip
    parser.add_argument(
        "--status-sas", type=Path, metavar="FILE", help="one that may write its status"
    )


def _manifests_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="YAML or JSON; a directory; - for standard input"
    )
    parser.add_argument("--cluster", required=True, metavar="NAME", help="the cluster")
    parser.add_argument(
        "--image", required=True, metavar="IMAGE", help="the image of Frota, by its digest"
    )
    parser.add_argument(
        "--trust", required=True, action="append", type=Path, metavar="FILE",
        help="public keys that may sign (`frota bundle key show`); may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--client-id", default="", metavar="ID",
        help="the agent's own workload identity; left out: two shared access signatures, in the "
        "Secret frota-agent-store",
    )  # fmt: skip


def _run(args: Namespace, terminal: Terminal) -> int:
    from threading import Event

    from frota.ports.clusters import ClusterAddress
    from frota.runtime.loop import stopping_on_signals

    try:
        from frota.app.agent import (
            AgentSetup,
            AgentUnusable,
            build,
            member_anchor,
            member_delivery,
            serve,
        )
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    setup = AgentSetup(
        fleet=args.fleet,
        cluster=args.cluster,
        store=args.bundles,
        state=args.state,
        trust=tuple(args.trust),
        address=ClusterAddress(args.cluster, args.kubeconfig, args.context),
        bundles_sas=args.bundles_sas,
        status_sas=args.status_sas,
    )
    try:
        delivery = member_delivery(setup, terminal.note)
    except AgentUnusable as error:
        raise Failure(Exit.OUTSIDE, str(error)) from None
    stop = Event()
    try:
        built = build(setup, member_anchor(setup), delivery)
        with stopping_on_signals(stop.set):
            serve(built, stop, terminal.note)
    except ValueError as error:
        raise Failure(Exit.BAD_INPUT, f"--bundles: {error}") from None
    finally:
        delivery.close()
    return Exit.DONE


def _manifests(args: Namespace, terminal: Terminal) -> int:
    from frota.cli.files import loaded
    from frota.cli.manifests import as_yaml
    from frota.compile.agent.deployment import agent_manifests
    from frota.compile.kubernetes import compile_fleet, membership
    from frota.planners.delivery import prepare, stamped

    known = loaded(args.files, (), terminal)
    pod = _pod(args, known.resources)
    compiled = compile_fleet(resource.document for resource in known.resources)
    try:
        # As delivery writes them: what the administrator applied is then not written again.
        wanted = prepare(compiled[args.cluster], membership(pod.fleet))
        sent = [stamped(item, wanted.digests[key]) for key, item in wanted.objects.items()]
        objects = agent_manifests(pod, sent)
    except ValueError as error:
        raise Failure(Exit.REFUSED, str(error)) from None
    if terminal.output == "json":
        terminal.data([dict(item) for item in objects])
    else:
        terminal.out.write(as_yaml(objects))
    return Exit.DONE


def _pod(args: Namespace, resources: Sequence[Resource]) -> AgentPod:
    """The agent of the cluster that was named. Raises Failure."""
    from frota.compile.agent.deployment import AgentPod

    spec = _spec(resources, "Cluster", args.cluster)
    if spec.get("delivery") != "pull" or not spec.get("fleet"):
        raise Failure(
            Exit.BAD_INPUT,
            f"cluster {args.cluster} is not one with an agent: expected spec.fleet, and "
            "spec.delivery: pull",
        )
    store = (_spec(resources, "Fleet", spec["fleet"]).get("bundles") or {}).get("store", "")
    if not store.startswith(("https://", "az://")):
        raise Failure(
            Exit.BAD_INPUT,
            f"fleet {spec['fleet']}: an agent in a cluster needs an object store in "
            "spec.bundles.store, such as https://acme.blob.core.windows.net/frota",
        )
    if "@sha256:" not in args.image:
        raise Failure(Exit.BAD_INPUT, f"--image: expected IMAGE@sha256:…; found {args.image}")
    return AgentPod(
        fleet=spec["fleet"],
        cluster=args.cluster,
        store=store,
        image=args.image,
        keys=_keys(args.trust),
        client_id=args.client_id,
        dns_namespace=spec["dns"]["namespace"],
        dns_labels=spec["dns"]["labels"],
    )


def _spec(resources: Sequence[Resource], kind: str, name: str) -> dict[str, Any]:
    for resource in resources:
        document = resource.document
        if (document["kind"], document["metadata"]["name"]) == (kind, name):
            return dict(document["spec"])
    raise Failure(Exit.NOT_FOUND, f"there is no {kind} {name} in these files")


def _keys(files: list[Path]) -> str:
    try:
        from frota.drivers.objects.keys import KeyUnusable, public_text, read_trusted
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    try:
        return "".join(public_text(key) for file in files for key in read_trusted(file))
    except KeyUnusable as error:
        raise Failure(Exit.BAD_INPUT, f"--trust: {error}") from None


def _missing(error: ModuleNotFoundError) -> Failure:
    return Failure(Exit.OUTSIDE, f"the Python package {error.name} is missing: install frota[pull]")
