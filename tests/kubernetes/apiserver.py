"""A small API server over TLS for tests of the driver: lists in pages, watches with
bookmarks, applies and deletes. What it does wrong is chosen by the test (``twist``).

It knows nothing of fields and their managers; the contract test runs against real servers.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import trustme
import yaml
from aiohttp import web

MEMBER = {"applyset.kubernetes.io/part-of": "applyset-x-v1"}
Twist = Callable[[web.Request], Awaitable[web.StreamResponse | None]]

RESOURCES = {
    "/api/v1": [
        ("configmaps", "ConfigMap", True),
        ("namespaces", "Namespace", False),
        ("persistentvolumeclaims", "PersistentVolumeClaim", True),
    ],
    "/apis/apps/v1": [("deployments", "Deployment", True)],
}


def status(code: int, reason: str, message: str = "", **details: Any) -> web.Response:
    """An answer without success, as API servers give it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    body |= {"reason": reason, "message": message or reason, "details": details}
    return web.json_response(body, status=code)


class ApiServer:
    """One server; the methods may be called from the thread of the test."""

    def __init__(self, home: Path, authority: trustme.CA) -> None:
        self.home = home
        self.authority = authority
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.log: list[tuple[int, str, str, dict[str, Any]]] = []
        self.revision = 100
        self.oldest = 0  # versions before it are compacted
        self.uid = "cluster-1"
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._times: dict[str, list[float]] = {}
        self.absent: set[str] = set()  # plurals
        self.twist: Twist | None = None
        self.bookmark_s = 0.2
        self.certificate = authority.issue_cert("127.0.0.1", "localhost")
        self.port = 0
        self._news = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # -- life ---------------------------------------------------------------------------

    def start(self) -> None:
        self._do(self._start())

    def kill(self) -> None:
        """Every connection is cut."""
        self._do(self._stop())

    def close(self) -> None:
        self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._leave())
        self._loop.close()

    async def _leave(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports say goodbye

    async def _start(self) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certificate.configure_cert(tls)
        self.authority.configure_trust(tls)
        tls.verify_mode = ssl.CERT_OPTIONAL
        site = web.TCPSite(
            self._runner, "127.0.0.1", self.port, ssl_context=tls, reuse_address=True
        )
        await site.start()
        server: Any = site._server
        self.port = server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def kubeconfig(self, user: dict[str, Any] | None = None, **cluster: Any) -> str:
        path = self.home / f"kubeconfig-{self.port}"
        document = {
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [
                {
                    "name": "c",
                    "cluster": {
                        "server": f"https://127.0.0.1:{self.port}",
                        "certificate-authority": "ca.pem",
                        **cluster,
                    },
                }
            ],
            "users": [{"name": "u", "user": user or {"token": "right-token-1"}}],
        }
        (self.home / "ca.pem").write_bytes(self.authority.cert_pem.bytes())
        path.write_text(yaml.safe_dump(document))
        return str(path)

    def paced(self, method: str) -> list[float]:
        """Seconds between the requests of a method; the first counts as zero."""
        times = self._times.get(method, [])
        return [after - before for before, after in zip(times[:1] + times, times, strict=False)]

    # -- state --------------------------------------------------------------------------

    def put(
        self, plural: str, namespace: str, name: str, managed: Sequence[Any] = (), **more: Any
    ) -> dict[str, Any]:
        """Write an object, as another client would."""
        kind = next(kind for rows in RESOURCES.values() for row, kind, _ in rows if row == plural)
        version = "apps/v1" if plural == "deployments" else "v1"
        item = {"apiVersion": version, "kind": kind, **more}
        item["metadata"] = {"name": name, "namespace": namespace, "labels": MEMBER}
        if managed:
            item["metadata"]["managedFields"] = managed
        written: dict[str, Any] = self._do(self._call(lambda: self._write(plural, item)))
        return written

    def remove(self, plural: str, namespace: str, name: str) -> None:
        self._do(self._call(lambda: self._remove((plural, namespace, name))))

    def compact(self) -> None:
        """Nothing but the present is known any longer."""
        self._do(self._call(self._compact))

    def wipe(self) -> None:
        """An empty database under the same address."""
        self.objects.clear()
        self.log.clear()
        self.revision, self.oldest, self.uid = 5, 0, "cluster-2"

    async def _call(self, work: Callable[[], Any]) -> Any:
        return work()

    def _compact(self) -> None:
        self.log.clear()
        self.revision += 1
        self.oldest = self.revision

    def _write(self, plural: str, item: dict[str, Any]) -> dict[str, Any]:
        metadata = item["metadata"]
        key = (plural, metadata.get("namespace", ""), metadata["name"])
        old = self.objects.get(key)
        self.revision += 1
        uid = old["metadata"]["uid"] if old else f"uid-{self.revision}"
        item = {**item, "metadata": {**metadata, "uid": uid}}
        if old is not None:
            stripped = {**old, "metadata": {**old["metadata"]}}
            del stripped["metadata"]["resourceVersion"]
            if stripped == item:
                self.revision -= 1
                return old
        item["metadata"]["resourceVersion"] = str(self.revision)
        self.objects[key] = item
        self._tell("MODIFIED" if old else "ADDED", plural, item)
        return item

    def _remove(self, key: tuple[str, str, str]) -> dict[str, Any]:
        item = self.objects.pop(key)
        self.revision += 1
        item = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.revision)}}
        self._tell("DELETED", key[0], item)
        return item

    def _tell(self, sort: str, plural: str, item: dict[str, Any]) -> None:
        self.log.append((self.revision, sort, plural, item))
        self._news.set()
        self._news = asyncio.Event()

    # -- answers ------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path, dict(request.query)))
        self._times.setdefault(request.method, []).append(self._loop.time())
        try:
            return await self._answer(request)
        except ConnectionError:  # the other side went away in the middle
            return web.Response()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.twist is not None:
            twisted = await self.twist(request)
            if twisted is not None:
                return twisted
        if request.path == "/readyz":
            return web.Response(text="ok")
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.36.3"})
        if request.path == "/api/v1/namespaces/kube-system":
            return web.json_response({"kind": "Namespace", "metadata": {"uid": self.uid}})
        return await self._objects(request)

    async def _objects(self, request: web.Request) -> web.StreamResponse:
        for root, rows in RESOURCES.items():
            if request.path == root:
                return web.json_response(
                    {
                        "kind": "APIResourceList",
                        "resources": [
                            {"name": plural, "kind": kind, "namespaced": namespaced}
                            for plural, kind, namespaced in rows
                            if plural not in self.absent
                        ],
                    }
                )
            if request.path.startswith(root + "/"):
                parts = request.path[len(root) + 1 :].split("/")
                namespace = ""
                if parts[0] == "namespaces" and len(parts) > 2:
                    namespace, parts = parts[1], parts[2:]
                if parts[0] in self.absent or parts[0] not in {row[0] for row in rows}:
                    break
                if len(parts) == 2:
                    return await self._object(request, (parts[0], namespace, parts[1]))
                if request.query.get("watch"):
                    return await self._watch(request, parts[0])
                return self._list(request, parts[0])
        return web.Response(status=404, text="404 page not found\n")

    def _list(self, request: web.Request, plural: str) -> web.Response:
        items = [item for key, item in sorted(self.objects.items()) if key[0] == plural]
        limit, begin = int(request.query["limit"]), int(request.query.get("continue") or 0)
        end = begin + limit
        metadata = {"resourceVersion": str(self.revision)}
        if end < len(items):
            metadata["continue"] = str(end)
        return web.json_response({"metadata": metadata, "items": items[begin:end]})

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        answer = web.StreamResponse()
        await answer.prepare(request)

        async def send(sort: str, item: dict[str, Any]) -> None:
            await answer.write(json.dumps({"type": sort, "object": item}).encode() + b"\n")

        if since < self.oldest:
            await send("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})
            return answer
        while True:
            news = self._news
            for revision, sort, of, item in list(self.log):
                if of == plural and revision > since:
                    since = revision
                    await send(sort, item)
            try:
                await asyncio.wait_for(news.wait(), self.bookmark_s)
            except TimeoutError:
                await send("BOOKMARK", {"metadata": {"resourceVersion": str(self.revision)}})

    async def _object(self, request: web.Request, key: tuple[str, str, str]) -> web.StreamResponse:
        old = self.objects.get(key)
        if request.method == "GET":
            return web.json_response(old) if old else status(404, "NotFound")
        body = json.loads(await request.read())
        dry = bool(request.query.get("dryRun") or body.get("dryRun"))
        if request.method == "DELETE":
            if old is None:
                return status(404, "NotFound")
            uid = body.get("preconditions", {}).get("uid", old["metadata"]["uid"])
            if uid != old["metadata"]["uid"]:
                return status(409, "Conflict", "the UID in the precondition is another one")
            return web.json_response(old if dry else self._remove(key))
        if dry:
            return web.json_response(body, status=200 if old else 201)
        return web.json_response(self._write(key[0], body), status=200 if old else 201)
