"""A real Prometheus with TLS, and something for it to scrape."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

from frota.drivers.devfleet.addresses import LOOPBACK, free_ports
from tests.real.lab.hosts import CACHE

BIN = CACHE / "prometheus/usr/bin"


class Exporter:
    """Serves whatever text of metrics it is given."""

    def __init__(self) -> None:
        exporter = self
        self.text = ""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = exporter.text.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Prometheus:
    """Scrapes an exporter, and evaluates rules, once a second."""

    def __init__(self, home: Path, exporter: Exporter, rules: Iterable[Path] = ()) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert(LOOPBACK)
        self.ca = home / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        certificate.cert_chain_pems[0].write_to_path(home / "cert.pem")
        certificate.private_key_pem.write_to_path(home / "key.pem")
        tls = {"cert_file": str(home / "cert.pem"), "key_file": str(home / "key.pem")}
        (home / "web.json").write_text(json.dumps({"tls_server_config": tls}))
        target = {"targets": [exporter.address]}
        job = {"job_name": "test", "honor_labels": True, "static_configs": [target]}
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [job],
            "rule_files": [str(file) for file in rules],
        }
        (home / "prometheus.json").write_text(json.dumps(config))
        (port,) = free_ports(1)
        self.url = f"https://{LOOPBACK}:{port}"
        with (home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    BIN / "prometheus",
                    f"--config.file={home / 'prometheus.json'}",
                    f"--web.config.file={home / 'web.json'}",
                    f"--storage.tsdb.path={home / 'data'}",
                    f"--web.listen-address={LOOPBACK}:{port}",
                ],
                stdout=log,
                stderr=log,
            )

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
