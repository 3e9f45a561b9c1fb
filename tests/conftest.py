"""For all tests: what was left out is said loudly, and with CI=true it is an error."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings

# Why a test is skipped for the lack of data that lies beside the project and not in it.
NOT_PART_OF_IT = "not part of the project: definitions"
CI = os.environ.get("CI") == "true"

# On a build machine the outcome depends on the commit alone; elsewhere every run tries new
# examples, and keeps those that failed.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if CI else "desk")


def left_out(config: pytest.Config) -> list[tuple[str, str]]:
    """What did not run, and why: skipped tests, and those on real hosts that were deselected."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return []
    found: Counter[tuple[str, str]] = Counter()
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        found[report.nodeid.split("::")[0], str(reason).removeprefix("Skipped: ")] += 1
    why = os.environ.get("FROTA_LEFT_OUT", "deselected")
    for item in reporter.stats.get("deselected", []):
        if item.get_closest_marker("real"):
            found[item.nodeid.split("::")[0], why] += 1
    return [(f"{count:4} in {file}", why) for (file, why), count in sorted(found.items())]


def missed(config: pytest.Config) -> bool:
    """Whether something of the project itself did not run."""
    return any(not why.startswith(NOT_PART_OF_IT) for _, why in left_out(config))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = left_out(config)
    if not rows:
        return
    terminalreporter.section("LEFT OUT", red=CI, yellow=not CI, bold=True)
    for tests, why in rows:
        terminalreporter.write_line(f"{tests}: {why}")
    if CI and missed(config):
        terminalreporter.write_line("With CI=true nothing may be left out: this run failed.")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if CI and missed(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
