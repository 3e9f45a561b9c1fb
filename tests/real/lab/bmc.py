"""A management controller for each host: `ipmi_sim`, whose power button is the lab's.

It answers in the switch's network, so it works while its host is off or cut off. It
speaks IPMI 2.0 with cipher suite 3; clients must name the suite (``cipher=3`` of
fence_ipmilan), or they lose 40 seconds asking which there are.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.real.lab.layout import Place
from tests.real.lab.namespaces import inside

USER = "frota"
_PROJECT = Path(__file__).parents[3]
_AUTHS = "".join(
    f"  allowed_auths_{who} md5\n" for who in ("callback", "user", "operator", "admin")
)

_LAN = """\
name "{name}"
set_working_mc 0x20
startlan 1
  addr {address} 623
  priv_limit admin
{auths}  guid {guid}
endlan
chassis_control "{button}"
user 2 true "{user}" "{password}" admin 10 md5
"""

_MACHINE = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
"""

# Asked "get power"; told "set power 0", "set power 1", "set reset 1", "set shutdown 1".
# Off returns when nothing of the host lives any more; on returns at once.
_BUTTON = """\
#!/bin/sh
exec 2>>{dir}/bmc.log
cd {project}
case "$1 $2" in
"get power")
    power=0
    if read -r pid began <{dir}/init.pid && read -r stat <"/proc/$pid/stat"; then
        set -- $stat
        if [ "${{22}}" = "$began" ] && [ "$3" != Z ]; then power=1; fi
    fi
    echo "power:$power"
    ;;
"set power" | "set reset" | "set shutdown")
    if [ "$2 $3" != "power 1" ]; then {lab} crash {name} >&2; fi
    if [ "$2" = reset ] || [ "$2 $3" = "power 1" ]; then
        setsid {lab} boot {name} </dev/null >&2 &
    fi
    ;;
esac
"""


def start(place: Place, outer: int, password: str) -> None:
    """Start the controller of one host in the lab whose first process is ``outer``."""
    home = place.dir / "bmc"
    (home / "state").mkdir(parents=True, exist_ok=True)
    lab = [sys.executable, "-m", "tests.real.lab", "--root", str(place.site.root)]
    button = home / "button"
    button.write_text(
        _BUTTON.format(
            project=shlex.quote(str(_PROJECT)),
            dir=shlex.quote(str(place.dir)),
            name=place.name,
            lab=shlex.join(lab),
        )
    )
    button.chmod(0o700)
    lan = home / "lan.conf"
    lan.write_text(
        _LAN.format(
            name=place.name,
            address=place.bmc,
            auths=_AUTHS,
            guid=place.uuid.replace("-", ""),
            button=button,
            user=USER,
            password=password,
        )
    )
    machine = home / "machine.emu"
    machine.write_text(_MACHINE)
    argv = ["setsid", "--fork", "ipmi_sim", "-n", "-c", str(lan), "-f", str(machine)]
    with (home / "log").open("ab") as log:
        subprocess.run(
            inside(outer, "mnp", [*argv, "-s", str(home / "state")]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
            timeout=20,
        )


def fence_options(place: Place) -> Mapping[str, str]:
    """What fence_ipmilan needs to reach it, beside the password."""
    return {"ip": place.bmc, "username": USER, "lanplus": "1", "cipher": "3"}
