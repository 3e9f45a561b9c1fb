"""The program that fetches a model when a pod starts, in the image of its runtime.

It is Python of the standard library alone, since a runtime that serves models has Python
and nothing else can be counted on. It trusts the digest, not the store: what does not come
to it is never moved to where the server looks.
"""

from __future__ import annotations

from frota.compile.kubernetes.labels import Manifest
from frota.compile.kubernetes.site import ModelRef
from frota.compile.kubernetes.sources import address

DIRECTORY = "/models"  # a model is at /models/NAME: a file, or what was in it if it was a tar
# Two mebibytes at a time: memory stays small whatever the model weighs.
PROGRAM = '''\
import hashlib, json, os, shutil, sys, tarfile, urllib.parse, urllib.request

def token():
    """A token of the workload's identity, for blobs; none where there is no identity."""
    proof = os.environ.get("AZURE_FEDERATED_TOKEN_FILE")
    if not proof:
        return ""
    form = {
        "client_id": os.environ["AZURE_CLIENT_ID"],
        "grant_type": "client_credentials",
        "scope": "https://storage.azure.com/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": open(proof).read(),
    }
    host, tenant = os.environ["AZURE_AUTHORITY_HOST"], os.environ["AZURE_TENANT_ID"]
    url = urllib.parse.urljoin(host, tenant + "/oauth2/v2.0/token")
    data = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(url, data, timeout=30) as answer:
        return json.load(answer)["access_token"]

def fetch(source, wanted, target):
    """Fetch, check and unpack; what is at its place already was checked when it came."""
    if os.path.exists(target):
        return
    request = urllib.request.Request(source)
    if (urllib.parse.urlsplit(source).hostname or "").endswith(".blob.core.windows.net"):
        request.add_header("x-ms-version", "2023-11-03")
        bearer = token()
        if bearer:
            request.add_header("Authorization", "Bearer " + bearer)
    digest, part = hashlib.sha256(), target + ".part"
    with urllib.request.urlopen(request, timeout=60) as answer, open(part, "wb") as file:
        while chunk := answer.read(2 << 20):
            digest.update(chunk)
            file.write(chunk)
    found = "sha256:" + digest.hexdigest()
    if found != wanted:
        os.remove(part)
        sys.exit(f"the model is {found}, expected {wanted}: nothing is served from it")
    if tarfile.is_tarfile(part):
        opened = target + ".opened"
        shutil.rmtree(opened, ignore_errors=True)
        with tarfile.open(part) as archive:
            archive.extractall(opened, filter="data")
        os.remove(part)
        part = opened
    os.rename(part, target)

fetch(*sys.argv[1:4])
'''


def command(model: ModelRef) -> Manifest:
    """Command and arguments of the init container that fetches a model."""
    return {
        "command": ["python3", "-c", PROGRAM],
        "args": [address(model.source), model.digest, f"{DIRECTORY}/{model.name}"],
    }
