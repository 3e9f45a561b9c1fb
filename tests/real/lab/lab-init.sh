#!/bin/sh
# First process of a lab: owns the process namespace that every host lives in and the
# network namespace of the switch. It ends, and everything with it, when its standard
# input does.
set -eu
root=$1
address=$2
# /proc is still the machine's here, so this is the number the machine knows us by.
read -r stat </proc/self/stat
me=$(set -- $stat && echo "$1 ${22}") # number and start time
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null || true
ip -batch - <<LINKS
link add sw0 address 52:54:01:00:00:01 type bridge mcast_snooping 0
link set lo up
address add $address/16 dev sw0
link set sw0 up
LINKS
# (The bridge has an address of its own: else it changes with the cables plugged in.)
# Something that answers as long as the switch works: a witness.
mkdir -p "$root/witness"
busybox httpd -p "$address:80" -h "$root/witness"
echo "$me" >"$root/init.pid.new"
mv "$root/init.pid.new" "$root/init.pid"
# The shell reaps every orphan while it waits for the one that watches the input.
exec 3<&0 # a background job would get no input of its own
cat <&3 >/dev/null &
wait $!
