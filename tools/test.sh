#!/usr/bin/env bash
# `make test`: every test that this machine can run, and a loud list of what was left out.
#
# Root on a Debian-like machine also gets the tests on real libvirt hosts; the packages they
# need are installed first. Real API servers need no root: their programs are made ready first,
# which takes minutes the first time. With CI=true nothing may be left out: then what is
# missing is an error. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'test: %s\n' "$*" >&2; }

why_not_real() {
    if [ "$(id -u)" != 0 ]; then
        echo "they need root (virtual machines, namespaces): sudo make test"
    elif ! command -v apt-get >/dev/null; then
        echo "what they need can be installed only on a Debian-like machine"
    elif [ "$(uname -m)" != x86_64 ]; then
        echo "their guest is for x86_64, this machine is $(uname -m)"
    else
        say "root on a Debian-like machine: installing what the tests on real hosts need (tests/real/install.sh)"
        if ! tests/real/install.sh >&2; then
            echo "tests/real/install.sh failed (above)"
        fi
    fi
}

if ! tools/kube/setup.sh >&2; then
    if [ "${CI:-}" = true ]; then
        say "with CI=true nothing may be left out, but there are no real API servers (above)"
        exit 1
    fi
    say "without the tests on real API servers: tools/kube/setup.sh failed (above)"
fi

reason=$(why_not_real)
if [ -z "$reason" ]; then
    tools/setup.sh dev libvirt
    exec .venv/bin/python -m pytest "$@"
fi
if [ "${CI:-}" = true ]; then
    say "with CI=true nothing may be left out, but the tests on real hosts cannot run: $reason"
    exit 1
fi
say "without the tests on real libvirt hosts: $reason"
tools/setup.sh dev
FROTA_LEFT_OUT="$reason" exec .venv/bin/python -m pytest -m "not real" "$@"
