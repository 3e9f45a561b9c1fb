#!/usr/bin/env bash
# Make the programs of the test fleet ready: real Kubernetes API servers with what belongs to them.
#
#   tools/kube/setup.sh [--check] [PROGRAM...]
#
# For every program the first of these that works, and each is said:
#   1. $KUBEBUILDER_ASSETS, where the program is there;
#   2. the cache, $FROTA_KUBE_CACHE or else ~/.cache/frota/kube, one directory for each version;
#   3. built from the Go modules beside this script (go.mod and go.sum pin every dependency),
#      when there is a Go toolchain; the first time about 9 minutes on two cores, and 5 GB in
#      Go's own caches;
#   4. the official release for Linux, checked against the checksum published with it.
# Nothing but the cache is written. Run again it does nothing; killed half-way it leaves
# nothing that a later run would take for finished. `--check` only says what is missing
# (exit 1). FROTA_KUBE_MIRROR=URL stands in for https:/ in front of dl.k8s.io, github.com and
# api.github.com. Versions are those in the go.mod files.
set -euo pipefail
cd "$(dirname "$0")"

CACHE=${FROTA_KUBE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/frota/kube}
MIRROR=${FROTA_KUBE_MIRROR:-https:/}
KNOWN=(kube-apiserver kube-controller-manager kube-scheduler kubectl etcd etcdctl kwok)

say() { printf 'kube: %s\n' "$*" >&2; }
fail() {
    say "$@"
    exit 1
}

module_of() {
    case $1 in
    kube-apiserver | kube-controller-manager | kube-scheduler | kubectl) echo kubernetes ;;
    etcd | etcdctl) echo etcd ;;
    kwok) echo kwok ;;
    *) fail "no program $1. Expected: ${KNOWN[*]}" ;;
    esac
}

package_of() {
    case $1 in
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    etcdctl) echo go.etcd.io/etcd/etcdctl/v3 ;;
    kwok) echo sigs.k8s.io/kwok/cmd/kwok ;;
    *) echo "k8s.io/kubernetes/cmd/$1" ;;
    esac
}

# The version of kubernetes, etcd or kwok that go.mod asks for.
version_of() {
    local path
    case $1 in
    kubernetes) path=k8s.io/kubernetes ;;
    etcd) path=go.etcd.io/etcd/server/v3 ;;
    kwok) path=sigs.k8s.io/kwok ;;
    esac
    awk -v path="$path" '{ sub(/^require /, ""); sub(/^\t/, "") } $1 == path && $2 ~ /^v/ { print $2; exit }' \
        "$1/go.mod"
}

directory_of() { echo "$CACHE/$1-$(version_of "$1")"; }

# kwok does nothing without stages; they come with it.
parts_of() { if [ "$1" = kwok ]; then echo kwok kwok-stages.yaml; else echo "$1"; fi; }

is_ready() {
    local part
    if [ "$1" != kwok ] && [ -x "${KUBEBUILDER_ASSETS:-/nowhere}/$1" ]; then return; fi
    for part in $(parts_of "$1"); do
        [ -s "$(directory_of "$(module_of "$1")")/$part" ] || return 1
    done
}

machine() {
    case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) uname -m ;;
    esac
}

# --- built here -------------------------------------------------------------------------

build() {
    local program=$1 module=$2 to=$3 flags="-s -w"
    if [ "$module" = kubernetes ]; then
        # Without it the server says v0.0.0, and clients misbehave.
        flags+=" -X k8s.io/component-base/version.gitVersion=$(version_of kubernetes)"
    fi
    say "building $program $(version_of "$module") with $(go env GOVERSION)"
    # GOFLAGS stays the caller's (-p=1 builds gently), but the pinned modules are not changed.
    (cd "$module" && CGO_ENABLED=0 GOWORK=off go build -mod=readonly -trimpath -ldflags "$flags" \
        -o "$to/$program" "$(package_of "$program")" 9>&-) || return 1
    if [ "$program" = kwok ]; then stages_of_module >"$to/kwok-stages.yaml" || return 1; fi
}

stages_of_module() {
    local place file
    place=$(cd kwok && GOWORK=off go list -mod=readonly -m -f '{{.Dir}}' sigs.k8s.io/kwok) || return 1
    for file in "$place"/kustomize/stage/{node/fast,node/heartbeat-with-lease,pod/fast}/*.yaml; do
        [ "${file##*/}" != kustomization.yaml ] || continue
        printf -- '---\n'
        cat "$file"
    done
}

# --- or the official release ------------------------------------------------------------

fetch() {
    curl -fsSL --retry 3 --max-time 900 -o "$2" "$MIRROR/$1" || fail "could not be fetched: $MIRROR/$1"
}

verify() {
    local found
    found=$(sha256sum "$1" | cut -d' ' -f1)
    [ "${#2}" = 64 ] || fail "no checksum was published for ${1##*/}: it is not used"
    [ "$found" = "$2" ] || fail "${1##*/} is damaged or was changed: sha256 $found, expected $2"
}

release() {
    local program=$1 module=$2 to=$3 version
    version=$(version_of "$module")
    say "fetching the official release of $program $version"
    case $module in
    kubernetes) release_kubernetes ;;
    etcd) release_etcd ;;
    kwok)
        release_kwok "kwok-linux-$(machine)" kwok
        release_kwok stage-fast.yaml kwok-stages.yaml
        ;;
    esac
    if [ -e "$to/$program" ]; then chmod 0755 "$to/$program"; fi
}

release_kubernetes() {
    local place=dl.k8s.io/$version/bin/linux/$(machine)/$program
    fetch "$place" "$to/$program"
    fetch "$place.sha256" "$to/sum"
    verify "$to/$program" "$(cut -d' ' -f1 "$to/sum")"
}

release_etcd() {
    local place=github.com/etcd-io/etcd/releases/download/$version
    local name=etcd-$version-linux-$(machine)
    fetch "$place/$name.tar.gz" "$to/archive"
    fetch "$place/SHA256SUMS" "$to/sum"
    verify "$to/archive" "$(awk -v name="$name.tar.gz" '$2 == name { print $1 }' "$to/sum")"
    tar -xzf "$to/archive" -C "$to" --strip-components=1 --no-same-owner "$name/$program"
}

# kwok publishes no list of checksums; the forge states one for each file.
release_kwok() {
    local asset=$1 as=$2 sum
    fetch "github.com/kubernetes-sigs/kwok/releases/download/$version/$asset" "$to/$as"
    fetch "api.github.com/repos/kubernetes-sigs/kwok/releases/tags/$version" "$to/listing"
    sum=$(python3 -c 'import json, sys
for asset in json.load(open(sys.argv[1]))["assets"]:
    if asset["name"] == sys.argv[2]:
        print(str(asset.get("digest")).removeprefix("sha256:"))' "$to/listing" "$asset") ||
        fail "the listing of kwok $version cannot be read (with python3): $to/listing"
    verify "$to/$as" "$sum"
}

# ----------------------------------------------------------------------------------------

# Made in a directory of its own; only what is finished gets its name.
make_ready() {
    local program=$1 module directory part
    module=$(module_of "$program")
    directory=$(directory_of "$module")
    mkdir -p "$directory"
    TEMPORARY=$(mktemp -d "$directory/.making.XXXXXX")
    if command -v go >/dev/null && build "$program" "$module" "$TEMPORARY"; then
        say "built $program"
    elif [ "$(uname -s)" = Linux ] && command -v curl >/dev/null; then
        release "$program" "$module" "$TEMPORARY"
    else
        fail "$program could not be made. Expected one of: a Go toolchain on the path that can build it;" \
            "curl on Linux; KUBEBUILDER_ASSETS, a directory that has the program"
    fi
    # The program last: when it is there, what belongs to it is there.
    for part in $(parts_of "$program" | tr ' ' '\n' | tac); do mv -f "$TEMPORARY/$part" "$directory/$part"; done
    rm -rf "$TEMPORARY"
}

CHECK=
if [ "${1:-}" = --check ]; then
    CHECK=yes
    shift
fi
PROGRAMS=("$@")
[ $# -gt 0 ] || PROGRAMS=("${KNOWN[@]}")

missing=()
for program in "${PROGRAMS[@]}"; do
    module_of "$program" >/dev/null
    is_ready "$program" || missing+=("$program")
done
if [ ${#missing[@]} = 0 ]; then exit 0; fi
if [ -n "$CHECK" ]; then
    say "missing: ${missing[*]}; tools/kube/setup.sh makes them ready"
    exit 1
fi

TEMPORARY=
trap '[ -z "$TEMPORARY" ] || rm -rf "$TEMPORARY"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$CACHE"
# One at a time: two builds at once would only take longer. Without flock both work, too.
exec 9>"$CACHE/.lock"
if command -v flock >/dev/null && ! flock -n 9; then
    say "waiting for another run of this script"
    flock 9
fi
say "${missing[*]} into $CACHE; the first time this takes minutes"
# What a run that was killed left behind; nobody else is at work now.
if command -v flock >/dev/null; then rm -rf "$CACHE"/*/.making.*; fi
for program in "${missing[@]}"; do
    is_ready "$program" || make_ready "$program"
done
say "ready"
