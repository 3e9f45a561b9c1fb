from __future__ import annotations

import pytest

from tools.tidy import ROOT, inspect, main

CORE = "src/frota/planners/x.py"
TEST = "tests/planners/test_x.py"


def messages(path: str, source: str) -> list[str]:
    return [fault.message for fault in inspect(path, source)]


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        (CORE, "import time\ntime.sleep(1)\n", "time.sleep: the queue owns waiting"),
        (CORE, "import time as t\nt.time()\n", "time.time: time comes from ports.clock"),
        (CORE, "from time import time\ntime()\n", "time.time: time comes from ports.clock"),
        (CORE, "import datetime\ndatetime.datetime.now()\n", "datetime.datetime.now: time"),
        (CORE, "from datetime import datetime\ndatetime.now()\n", "datetime.datetime.now: time"),
        (CORE, "import random\nrandom.choice([1])\n", "random.choice: draw from a random.Random"),
        (CORE, "from random import shuffle\nshuffle([1])\n", "random.shuffle: draw from"),
        (CORE, "print(1)\n", "print: only frota.cli"),
        (TEST, "import time\ntime.sleep(1)\n", "time.sleep: the queue owns waiting"),
        (CORE, "class HostManager: ...\n", "'HostManager' says nothing"),
        ("src/frota/store/base.py", "", "'base' says nothing"),
        ("src/frota/store/sql_utils.py", "", "'sql_utils' says nothing"),
        (CORE, "x = 1  # noqa: S608\n", "a check is silenced; say why"),
        (CORE, "x = 1  # type: ignore[attr-defined]\n", "a check is silenced; say why"),
        (CORE, "def f(a, b, c, d, e, *, g, h): ...\n", "f takes 7 parameters"),
        (CORE, "def f():\n" + "    x = 1\n" * 70, "f has 71 lines"),
        (CORE, "x = 1\n" * 501, "501 lines; split a module at 500"),
        (TEST, "x = 1\n" * 801, "801 lines; split a module at 800"),
    ],
)
def test_a_breach_is_found(path: str, source: str, expected: str) -> None:
    (message,) = messages(path, source)
    assert message.startswith(expected)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("src/frota/runtime/clock.py", "import time\ntime.time()\n"),
        ("src/frota/drivers/libvirt/x.py", "import time\ntime.sleep(1)\n"),
        ("tests/real/test_x.py", "import time\ntime.sleep(1)\n"),
        ("src/frota/cli/main.py", "print(1)\n"),
        (CORE, "import random\nrandom.Random(1).random()\n"),
        (CORE, "def f(random):\n    return random.choice([1])\n"),
        (CORE, "def f(clock):\n    return clock.time()\n"),
        (CORE, "import time\ntime.perf_counter()\n"),
        (CORE, "x = 1  # noqa: BLE001 - one fault must not stop the others\n"),
        (CORE, "x = 1  # type: ignore[arg-type]  # passed through\n"),
        (CORE, "class C:\n    def f(self, a, b, c, d, e, g): ...\n"),
        (CORE, "def f(  # noqa: PLR0913 - every port by name\n    a, b, c, d, e, g, h): ...\n"),
        (CORE, "def f():\n" + "    x = 1\n" * 69),
        ("src/frota/store/database.py", "class Database: ...\n"),
    ],
)
def test_what_is_in_order_passes(path: str, source: str) -> None:
    assert messages(path, source) == []


def test_the_place_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert str(inspect(CORE, "x = 1\nprint(x)\n")[0]).startswith(f"{CORE}:2: print")
    assert main([str(ROOT / "tools" / "tidy.py")]) == 0
    assert capsys.readouterr().out == "tidy: 1 files, 0 faults\n"
