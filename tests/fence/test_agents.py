"""Fence agents, run for real: small programs that behave as agents do, or do not."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from frota.drivers.fence.agents import AgentDevice, Device, DeviceError
from frota.drivers.fence.metadata import Metadata
from frota.drivers.fence.secret import Secret

METADATA = """\
<?xml version="1.0" ?>
<resource-agent name="fence_toy" shortdesc="A toy">
<parameters>
    <parameter name="action" unique="0" required="1"><content type="string"/></parameter>
    <parameter name="ip" unique="0" required="0" obsoletes="ipaddr"/>
    <parameter name="password" unique="0" required="0"/>
    <parameter name="lanplus" unique="0" required="0"/>
    <parameter name="power_timeout" unique="0" required="0"/>
</parameters>
<actions>
    <action name="on" automatic="0"/>
    <action name="off" />
    <action name="status" />
    <action name="metadata" />
</actions>
</resource-agent>
"""

# Keeps its power in a file; writes down what it was asked, and how.
AGENT = """\
#!/bin/sh
cd {home}
if [ "$1" = -o ]; then cat metadata; exit 0; fi
cat > input
tr '\\0' ' ' < /proc/$$/cmdline > command
env > environment
action=$(sed -n 's/^action=//p' input)
{body}
"""

HONEST = """\
case $action in
status) case $(cat power) in on) echo "Status: ON"; exit 0;; *) echo "Status: OFF"; exit 2;; esac;;
off) echo off > power; echo "Success: Powered OFF"; exit 0;;
esac
"""

Make = Callable[..., AgentDevice]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a device behind an agent with this body."""

    def device(
        body: str = HONEST, *, metadata: str = METADATA, timeout: float = 20.0, **options: str
    ) -> AgentDevice:
        program = tmp_path / "fence_toy"
        program.write_text(AGENT.format(home=tmp_path, body=textwrap.dedent(body)))
        program.chmod(0o755)
        (tmp_path / "metadata").write_text(metadata)
        (tmp_path / "power").write_text("on")
        (tmp_path / "password").write_text("hunter2\n")
        secrets = {"password": Secret(file=str(tmp_path / "password"))}
        declared = Device("fence_toy", options or {"ip": "10.0.0.1"}, secrets)
        return AgentDevice(declared, path=str(tmp_path), timeout=timeout)

    return device


def test_it_reads_the_power_and_switches_it_off(make: Make, tmp_path: Path) -> None:
    device = make()
    assert not device.is_off()
    device.switch_off()
    assert device.is_off()
    (tmp_path / "power").write_text("on")
    assert not device.is_off()


def test_options_go_by_standard_input_and_secrets_nowhere_else(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMETHING", "hunter2")
    make(ip="10.0.0.1", lanplus="1").is_off()
    lines = (tmp_path / "input").read_text().splitlines()
    assert sorted(lines) == ["action=status", "ip=10.0.0.1", "lanplus=1", "password=hunter2"]
    assert "hunter2" not in (tmp_path / "command").read_text()
    assert "hunter2" not in (tmp_path / "environment").read_text()


def test_secrets_are_read_anew_each_time(make: Make, tmp_path: Path) -> None:
    device = make()
    device.is_off()
    (tmp_path / "password").write_text("changed")
    device.is_off()
    assert "password=changed" in (tmp_path / "input").read_text()


@pytest.mark.parametrize(
    ("value", "line"),
    [(" padded ", '" padded "'), ('"quoted"', '""quoted""'), ("a#b=c$'", "a#b=c$'")],
)
def test_values_that_agents_would_strip_are_quoted(
    make: Make, tmp_path: Path, value: str, line: str
) -> None:
    make(ip=value).is_off()
    assert f"ip={line}\n" in (tmp_path / "input").read_text()


@pytest.mark.parametrize(
    "body",
    [
        "exit 2",  # also what Python says for bad usage
        "echo 'Status: OFF'; exit 0",
        "echo 'Status: ON'; exit 2",
        "echo 'Status: UNKNOWN'; exit 0",
        "echo 'Status: OFF'; exit 1",
        "kill -9 $$",
    ],
)
def test_an_answer_that_is_not_clear_proves_nothing(make: Make, body: str) -> None:
    with pytest.raises(DeviceError, match="status failed"):
        make(body).is_off()


def test_off_is_believed_only_when_the_power_is_seen_off(make: Make) -> None:
    liar = 'case $action in status) echo "Status: ON"; exit 0;; off) exit 0;; esac'
    with pytest.raises(DeviceError, match="off was reported, but the power is on"):
        make(liar).switch_off()


def test_what_failed_is_said_without_the_secret(make: Make) -> None:
    chatty = "echo \"ERROR: login with 'hunter2' failed\" >&2; exit 1"
    with pytest.raises(DeviceError, match=r"exit code 1.*login with") as failed:
        make(chatty).switch_off()
    assert "hunter2" not in str(failed.value)
    assert "[secret]" in str(failed.value)


def test_what_failed_is_said_in_one_short_line(make: Make) -> None:
    with pytest.raises(DeviceError) as failed:
        make("yes 'a long story' | head -n 10000; exit 1").is_off()
    assert len(str(failed.value)) < 400
    assert "\n" not in str(failed.value)


def test_one_that_hangs_is_ended(make: Make) -> None:
    with pytest.raises(DeviceError, match=r"no answer within 0.5 s"):
        make("sleep 60", timeout=0.5).is_off()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"ipp": "10.0.0.1"}, r"unknown option 'ipp'; did you mean 'ip'\?"),
        ({"lan-pluss": "1"}, r"unknown option 'lan-pluss'; did you mean 'lanplus'\?"),
        ({"zzzzzzzz": "1"}, "unknown option 'zzzzzzzz'; it knows ip, lanplus, password"),
        ({"action": "on"}, "option 'action' is not for you to set"),
        ({"debug-file": "/x"}, "option 'debug-file' is not for you to set"),
        ({"password": "x"}, "option 'password' is given twice, once as a secret"),
    ],
)
def test_options_are_checked_against_what_the_agent_says_of_itself(
    make: Make, options: dict[str, str], complaint: str
) -> None:
    with pytest.raises(DeviceError, match=complaint):
        make(**options).check()


def test_every_fault_is_told_at_once(make: Make) -> None:
    with pytest.raises(DeviceError, match=r"'ipp'.*'lanpluss'"):
        make(ipp="10.0.0.1", lanpluss="1").check()


def test_either_form_of_a_name_will_do(make: Make) -> None:
    make(**{"power-timeout": "5"}).check()


def test_a_line_break_cannot_smuggle_an_option(make: Make) -> None:
    with pytest.raises(DeviceError, match="control character"):
        make(ip="10.0.0.1\naction=on").is_off()


def test_an_agent_that_only_cuts_a_host_off_is_refused(make: Make) -> None:
    fabric = METADATA.replace('automatic="0"', 'automatic="1"')
    with pytest.raises(DeviceError, match="leaves it running"):
        make(metadata=fabric).check()


def test_an_agent_that_cannot_tell_is_refused(make: Make) -> None:
    mute = METADATA.replace('<action name="status" />', "")
    with pytest.raises(DeviceError, match="no action 'status'"):
        make(metadata=mute).check()


def test_an_agent_that_does_not_describe_itself_is_refused(make: Make) -> None:
    with pytest.raises(DeviceError, match="does not describe itself"):
        make(metadata="nothing").check()


def test_one_that_is_not_installed_is_named_with_its_package(tmp_path: Path) -> None:
    device = AgentDevice(Device("fence_ipmilan"), path=str(tmp_path))
    with pytest.raises(DeviceError, match=r"not installed.*fence-agents-ipmilan"):
        device.is_off()


@pytest.mark.parametrize("agent", ["sh", "fence_x/../sh", "fence_", "Fence_x", "fence_x y"])
def test_only_fence_agents_are_run(agent: str) -> None:
    with pytest.raises(DeviceError, match="expected a fence agent"):
        AgentDevice(Device(agent)).is_off()


def test_a_secret_that_is_missing_is_told(make: Make, tmp_path: Path) -> None:
    device = make()
    (tmp_path / "password").unlink()
    with pytest.raises(DeviceError, match=r"fence_toy: file .*password: No such file"):
        device.is_off()


def test_a_file_that_is_no_program_is_told(make: Make, tmp_path: Path) -> None:
    device = make()
    (tmp_path / "fence_toy").write_text("not a program")
    with pytest.raises(DeviceError, match="cannot be run"):
        device.is_off()


def test_metadata_names_options_and_actions() -> None:
    metadata = Metadata.parse(METADATA)
    assert metadata.options == {"action", "ip", "password", "lanplus", "power_timeout"}
    assert metadata.actions == {"on", "off", "status", "metadata"}
    assert not metadata.cuts
