"""The Containerfile and the manifests of the agent agree, and both give away nothing."""

from __future__ import annotations

import re

from frota.compile.agent.deployment import agent_manifests
from tests.compile.fleets import of_kind
from tests.compile.test_agent import pod
from tests.real.containerfile import FILE, entrypoint, lines, only


def test_the_pod_runs_what_the_image_has_as_the_user_that_it_has() -> None:
    deployment = of_kind(agent_manifests(pod(), ()), "Deployment")["frota-agent/frota-agent"]
    spec = deployment["spec"]["template"]["spec"]
    security, (container,) = spec["securityContext"], spec["containers"]
    assert only("USER", 1) == f"{security['runAsUser']}:{security['runAsGroup']}"
    assert security["runAsNonRoot"]
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "command" not in container, "the entry point of the image is run"
    assert container["args"][:2] == ["agent", "run"]
    assert entrypoint()[-2:] == ["-m", "frota"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {"memory", "cpu"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]


def test_the_image_is_built_from_one_base_that_can_be_named_by_its_digest() -> None:
    bases = [line.rest.partition(" ")[0] for line in lines() if line.word == "FROM"]
    assert bases == ["${BASE}", "${BASE}"]
    assert {line.word for line in lines() if line.stage == 1} == {
        "FROM", "COPY", "USER", "WORKDIR", "ENTRYPOINT",
    }  # fmt: skip
    assert only("COPY", 1).startswith("--from=build ")
    assert not re.search(r"\bADD\b|curl|:latest", FILE.read_text("utf-8"))


def test_what_is_copied_is_let_into_the_context() -> None:
    let_in = FILE.with_name(".containerignore").read_text("utf-8").split()
    copied = [line.rest.split() for line in lines() if (line.word, line.stage) == ("COPY", 0)]
    assert sorted(f"!{name}" for words in copied for name in words[:-1]) == sorted(let_in[1:])
    assert let_in[0] == "*"
