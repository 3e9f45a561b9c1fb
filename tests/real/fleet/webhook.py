"""An admission webhook that rejects what it is asked about."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from frota.drivers.devfleet.addresses import LOOPBACK
from frota.drivers.devfleet.authority import issue, write_private
from frota.drivers.devfleet.cluster import Cluster

_PATH = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
MESSAGE = "not on my watch"


class RejectingWebhook:
    """Registered with a cluster until the block is left. It rejects creations and updates
    of ``resources`` (plural names; ``groups`` are their API groups) in namespaces that have
    the label frota-test/rejects=true, so that nothing else is disturbed."""

    def __init__(
        self,
        cluster: Cluster,
        directory: Path,
        resources: tuple[str, ...] = ("configmaps",),
        groups: tuple[str, ...] = ("",),
    ) -> None:
        self._cluster = cluster
        self._rule = {
            "apiGroups": list(groups),
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE"],
            "resources": list(resources),
        }
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        pair = issue(cluster.authority(), "webhook")
        write_private(directory / "webhook.crt", pair.certificate)
        write_private(directory / "webhook.key", pair.key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(directory / "webhook.crt", directory / "webhook.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> RejectingWebhook:
        self._thread.start()
        self._cluster.api().apply(f"{_PATH}/frota-test", self._registration(), "tests").demand()
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.api().call("DELETE", f"{_PATH}/frota-test")
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5.0)

    def _registration(self) -> dict[str, Any]:
        authority = base64.b64encode(self._cluster.authority().certificate).decode("ascii")
        port = self._server.server_address[1]
        hook = {
            "name": "rejects.frota.test",
            "clientConfig": {"url": f"https://{LOOPBACK}:{port}/", "caBundle": authority},
            "rules": [self._rule],
            "namespaceSelector": {"matchLabels": {"frota-test/rejects": "true"}},
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 5,
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "frota-test"},
            "webhooks": [hook],
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                request = review["request"]
                asked.append(f"{request['operation']} {request.get('name', '')}")
                response = {
                    "uid": request["uid"],
                    "allowed": False,
                    "status": {"code": 403, "message": MESSAGE},
                }
                answer = json.dumps(
                    {
                        "apiVersion": review["apiVersion"],
                        "kind": review["kind"],
                        "response": response,
                    }
                ).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing: ``asked`` has it."""

        return Handler
