#!/bin/sh
# Install what the tests on real libvirt hosts need, on a Debian-like machine.
#
#   tests/real/install.sh [--check]
#
# No system service is started or left enabled by it: the lab (tests/real/lab) runs its
# own daemons in its own namespaces. Running it again does nothing. `--check` only says
# what is missing (exit 1). FROTA_LAB_CACHE is where the guest kernel is unpacked
# (default /var/cache/frota-lab), and Prometheus; neither package itself is installed, so no
# boot loader or initramfs of this machine is touched, and no service of it is made.
set -eu

CACHE=${FROTA_LAB_CACHE:-/var/cache/frota-lab}
POLICY=/usr/sbin/policy-rc.d
APT="apt-get -qq -o DPkg::Lock::Timeout=300"
export DEBIAN_FRONTEND=noninteractive

say() { printf 'install: %s\n' "$*"; }
fail() {
    printf 'install: %s\n' "$*" >&2
    exit 1
}

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
available() { apt-cache show "$1" 2>/dev/null | grep -q '^Package:'; }

# The first name that is installed already, or else that this release has.
pick() {
    for name in "$@"; do installed "$name" && printf '%s\n' "$name" && return; done
    for name in "$@"; do available "$name" && printf '%s\n' "$name" && return; done
    printf '%s\n' "$1"
}

wanted() {
    # libvirt-daemon without libvirt-daemon-system: the daemon, but no service of it.
    printf '%s\n' libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 \
        qemu-utils openipmi ipmitool busybox-static genisoimage iproute2 iputils-ping \
        util-linux libvirt-dev pkg-config gcc libc6-dev python3-dev
    # Later releases split these off.
    for part in network nodedev nwfilter secret storage; do
        name=libvirt-daemon-driver-$part
        if available "$name"; then printf '%s\n' "$name"; fi
    done
    pick fence-agents-ipmilan fence-agents
}

missing() {
    for name in $(wanted); do installed "$name" || printf '%s\n' "$name"; done
}

quietly() {
    "$@" >>"$LOG" 2>&1 || {
        tail -n 20 "$LOG" >&2
        fail "failed: $* (whole log: $LOG)"
    }
}

# While packages are unpacked, their services must not start: 101 means "not allowed".
hold_services() {
    if [ -e "$POLICY" ]; then return; fi
    trap 'rm -f "$POLICY"' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
}

# Packages that came in now may have enabled services for the next boot.
disable_services() {
    for name in "$@"; do
        dpkg -L "$name" 2>/dev/null | sed -n \
            -e 's,^.*/systemd/system/\([^/@]*\.\(service\|socket\|timer\)\)$,systemctl --quiet disable \1,p' \
            -e 's,^/etc/init\.d/\(.*\)$,update-rc.d \1 disable,p'
    done | while read -r command; do
        # Either tool may not be here, and then nothing is enabled by it.
        $command >>"$LOG" 2>&1 </dev/null || true
    done
}

# A bare machine has no lists of packages yet.
lists() {
    if ! find /var/lib/apt/lists -name '*_Packages*' 2>/dev/null | grep -q .; then
        say "fetching the lists of packages"
        # shellcheck disable=SC2086
        quietly $APT update
    fi
}

packages() {
    lacking=$(missing)
    if [ -z "$lacking" ]; then
        say "all packages are there"
        return
    fi
    lists
    lacking=$(missing) # names differ between releases, which the lists tell
    say "installing $(echo $lacking)"
    before=$(mktemp)
    dpkg-query -W -f '${Package}\n' | sort >"$before"
    hold_services
    # shellcheck disable=SC2086
    $APT install -y --no-install-recommends $lacking >>"$LOG" 2>&1 || {
        # shellcheck disable=SC2086
        quietly $APT update # the list of packages was too old
        # shellcheck disable=SC2086
        quietly $APT install -y --no-install-recommends $lacking
    }
    came=$(dpkg-query -W -f '${Package}\n' | sort | comm -13 "$before" -)
    rm -f "$before"
    # shellcheck disable=SC2086
    disable_services $came
}

# A package's files, aside: unpack PACKAGE DIRECTORY.
unpack() {
    say "unpacking $1 into $2"
    work=$(mktemp -d "${TMPDIR:-/tmp}/frota-unpack.XXXXXX")
    chmod 755 "$work"
    (cd "$work" && quietly $APT -o APT::Sandbox::User=root download "$1")
    quietly dpkg-deb -x "$work"/*.deb "$work/tree"
    mkdir -p "$CACHE"
    rm -rf "$2"
    mv "$work/tree" "$2"
    rm -rf "$work"
}

prometheus() {
    if [ -x "$CACHE/prometheus/usr/bin/prometheus" ]; then
        say "Prometheus is there: $CACHE/prometheus"
        return
    fi
    lists
    unpack prometheus "$CACHE/prometheus"
}

# The newest cloud kernel's package.
kernel() {
    if [ -n "$(find "$CACHE/kernel" -path '*/boot/vmlinuz-*' 2>/dev/null)" ]; then
        say "guest kernel is there: $CACHE/kernel"
        return
    fi
    lists
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [ -n "$package" ] || fail "no linux-image-cloud-amd64 in apt's lists; a Debian release for amd64 has it"
    unpack "$package" "$CACHE/kernel"
}

[ "$(uname -m)" = x86_64 ] || fail "the lab runs on x86_64 only; this machine is $(uname -m)"
command -v apt-get >/dev/null || fail "apt-get is not here: this needs Debian or a release made from it"
if [ "${1:-}" = --check ]; then
    lacking=$(missing)
    [ -z "$lacking" ] || fail "missing: $(echo $lacking); run tests/real/install.sh as root"
    [ -d "$CACHE/kernel/boot" ] || fail "missing: the guest kernel in $CACHE/kernel; run tests/real/install.sh as root"
    [ -d "$CACHE/prometheus" ] || fail "missing: Prometheus in $CACHE/prometheus; run tests/real/install.sh as root"
    say "nothing is missing"
    exit 0
fi
[ "$(id -u)" = 0 ] || fail "must run as root (it installs packages): sudo tests/real/install.sh"
LOG=$(mktemp "${TMPDIR:-/tmp}/frota-install.XXXXXX")
packages
kernel
prometheus
rm -f "$LOG"
say "done"
