#!/bin/sh
# First process of one lab host, in its own process, mount, network and host-name
# namespaces. Killing it is pulling the host's power cable.
set -eu
dir=$1
name=$2
read -r stat </proc/self/stat
me=$(set -- $stat && echo "$1 ${22}") # number and start time
hostname "$name"
mount --bind "$dir/../../names" /etc/hosts
mount --bind "$dir/run" /run
for path in /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /etc/libvirt; do
    mount --bind "$dir$path" "$path"
done

# A /dev without kvm: the accelerator is always software here (and probing is halved).
mount -t tmpfs -o mode=755,size=64k dev "$dir/dev"
mkdir "$dir/dev/pts" "$dir/dev/shm" "$dir/dev/net"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$dir/dev/pts"
mount -t tmpfs -o mode=1777 shm "$dir/dev/shm"
for node in null zero full random urandom tty net/tun; do
    : >"$dir/dev/$node"
    mount --bind "/dev/$node" "$dir/dev/$node"
done
ln -s pts/ptmx "$dir/dev/ptmx"
ln -s /proc/self/fd "$dir/dev/fd"
mount --rbind "$dir/dev" /dev

mount -t proc proc /proc
mount --bind "$dir/boot-id" /proc/sys/kernel/random/boot_id
mount -t sysfs -o ro sysfs /sys # the one of the new network namespace
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null || true
echo "$me" >"$dir/init.pid.new"
mv "$dir/init.pid.new" "$dir/init.pid"
# The shell reaps every orphan (QEMU is one) while it waits.
sleep infinity &
wait
