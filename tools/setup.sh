#!/usr/bin/env bash
# Make .venv ready from uv.lock; bring uv itself into .uv when it is not there.
#
#   tools/setup.sh run|dev [EXTRA...]
#
# `run` installs what Frota needs to run, `dev` also the tools that test and check it.
# Nothing outside this directory is touched, uv's download cache apart; but root on a
# Debian-like machine whose python3 can make no virtual environment gets python3-venv, and
# is told so.
set -euo pipefail
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9
UV=.uv/bin/uv

# Settings that people have for other work and that would lead this elsewhere.
unset PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV PIP_REQUIRE_HASHES \
    PIP_CONSTRAINT PIP_PYTHON PIP_DRY_RUN PYTHONHOME PYTHONPATH VIRTUAL_ENV CONDA_PREFIX \
    UV_PROJECT UV_PROJECT_ENVIRONMENT UV_WORKING_DIR UV_SYSTEM_PYTHON UV_NO_SYNC UV_LOCKED \
    UV_NO_DEV UV_NO_EDITABLE UV_ISOLATED UV_CONSTRAINT UV_OVERRIDE UV_PYTHON
# Should no Python here be new enough, uv fetches one: into this directory, too.
export UV_PYTHON_INSTALL_DIR="${UV_PYTHON_INSTALL_DIR:-$PWD/.uv/python}"

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
    say "$@"
    exit 1
}

# The first command that really is a Python of at least this version (3.11 -> 0x030b).
# Names may be there and not run: version managers put stubs on the path.
python_of_at_least() {
    local name
    for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
        if "$name" -c "import sys; sys.exit(sys.hexversion < $1 << 16)" >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
    return 1
}

bring_uv() {
    if [ "$("$UV" --version 2>/dev/null | cut -d' ' -f2)" = "$UV_VERSION" ]; then
        return
    fi
    local python
    python=$(python_of_at_least 0x0308) ||
        fail "no Python found. Expected python3 (3.8 or later) on the path; install it and run this again"
    say "bringing uv $UV_VERSION into .uv (with $python)"
    rm -rf .uv/bin .uv/lib .uv/lib64 .uv/include .uv/share .uv/pyvenv.cfg
    if uv_by_venv "$python" || uv_by_pip "$python"; then
        return
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "this python3 can make no virtual environment: installing python3-venv with apt-get"
        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
            --no-install-recommends python3-venv; } >>.uv/log 2>&1 ||
            fail "apt-get could not install python3-venv: see .uv/log"
        # The package serves the distribution's own Python, not another one on the path.
        for python in "$python" /usr/bin/python3; do
            if uv_by_venv "$python"; then return; fi
        done
    fi
    tail -n 5 .uv/log >&2
    fail "uv could not be brought in (above, whole log: .uv/log). On Debian and Ubuntu install" \
        "python3-venv; without a way to the Python package index set PIP_INDEX_URL to one you reach"
}

uv_by_venv() {
    mkdir -p .uv
    { "$1" -m venv --clear .uv/venv && .uv/venv/bin/python -m pip install -q "uv==$UV_VERSION"; } \
        >.uv/log 2>&1 || return 1
    mkdir -p .uv/bin
    ln -sf ../venv/bin/uv "$UV"
}

uv_by_pip() {
    { "$1" -m pip install -q --upgrade --target .uv/pip "uv==$UV_VERSION"; } >>.uv/log 2>&1 || return 1
    mkdir -p .uv/bin
    ln -sf ../pip/bin/uv "$UV"
}

sync() {
    local group=$1 python options=(--frozen --inexact --quiet)
    shift
    [ "$group" = dev ] || options+=(--no-dev)
    while [ $# -gt 0 ]; do
        options+=(--extra "$1")
        shift
    done
    # An environment that is there keeps its Python.
    if ! .venv/bin/python -c pass >/dev/null 2>&1; then
        rm -rf .venv
        if python=$(python_of_at_least 0x030b); then
            options+=(--python "$python")
        else
            say "no Python 3.11 or later found here: uv fetches one into .uv/python"
        fi
        say "installing the packages of uv.lock into .venv (some 300 MB with the solver; once)"
    fi
    "$UV" sync "${options[@]}"
    # Done here so that commands start as fast where PYTHONDONTWRITEBYTECODE is set.
    .venv/bin/python -m compileall -q src >/dev/null || true
}

case "${1:-}" in
run | dev) ;;
*) fail "expected: tools/setup.sh run|dev [EXTRA...]" ;;
esac
bring_uv
sync "$@"
