#!/bin/sh
# Bring Azurite, Microsoft's emulator of Azure Blob Storage, for the tests of object stores.
#
#   tests/real/objects/azurite.sh [--where]
#
# It comes from the npm registry (Node.js and npm must be there; on Debian: apt-get install
# nodejs npm) into FROTA_AZURITE, by default ~/.cache/frota/azurite-VERSION, about 190 MB,
# and nowhere else. `--where` only says which program that is. Running it again does nothing.
set -eu

VERSION=3.37.0
HOME_OF_IT=${FROTA_AZURITE:-${XDG_CACHE_HOME:-$HOME/.cache}/frota/azurite-$VERSION}
PROGRAM=$HOME_OF_IT/node_modules/.bin/azurite-blob

if [ "${1:-}" = --where ]; then
    printf '%s\n' "$PROGRAM"
    exit
fi
[ ! -x "$PROGRAM" ] || exit 0
command -v node >/dev/null && command -v npm >/dev/null || {
    echo "azurite: Node.js and npm are missing; on Debian: apt-get install nodejs npm" >&2
    exit 1
}
echo "azurite: bringing version $VERSION into $HOME_OF_IT (a minute, once)" >&2
mkdir -p "$(dirname "$HOME_OF_IT")"
# Made beside its place, so that what is there is whole.
fresh=$(mktemp -d "$HOME_OF_IT.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
npm install --silent --no-audit --no-fund --no-update-notifier --prefix "$fresh" "azurite@$VERSION" >&2
if [ ! -x "$PROGRAM" ]; then
    rm -rf "$HOME_OF_IT"
    mv "$fresh" "$HOME_OF_IT"
fi
