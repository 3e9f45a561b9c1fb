#!/bin/sh
# The whole user land of a lab guest: bring up the network, serve one page, and switch
# off when the power button is pressed.
#
# Kernel command line: frota.name=NAME (default: the host name that the cloud-init seed
# gives, or else the MAC address), and either frota.ip=ADDRESS or frota.net=A.B, from
# which the address is made with the last two bytes of the MAC address (guest.py,
# `address_of`). Every program that is started costs 20 ms under emulation, so the page
# comes first and few are started before it.
mount -t proc proc /proc
mount -t sysfs sys /sys
modprobe -a virtio_pci virtio_net
tries=0
while [ ! -e /sys/class/net/eth0 ] && [ "$tries" -lt 200 ]; do
    usleep 10000
    tries=$((tries + 1))
done
read -r mac </sys/class/net/eth0/address
read -r boot </proc/sys/kernel/random/boot_id
read -r line </proc/cmdline
name=
address=
net=10.0
for word in $line; do
    case $word in
    frota.name=*) name=${word#*=} ;;
    frota.ip=*) address=${word#*=} ;;
    frota.net=*) net=${word#*=} ;;
    esac
done
if [ -z "$address" ]; then
    low=$((0x${mac##*:}))
    rest=${mac%:*}
    high=$((0x${rest##*:}))
    # x.y.0-15.* belongs to the hosts, and a low byte of 0 or 255 reads like no host.
    address=$net.$((16 + high % 240)).$((1 + low % 254))
fi
ifconfig eth0 "$address" netmask 255.255.0.0 up
echo "${name:-$mac} $mac $boot" >/www/state
httpd -p 80 -h /www
echo "frota guest ${name:-$mac} at $address" >/dev/console

mount -t devtmpfs dev /dev
modprobe -a virtio_blk virtio_scsi sr_mod isofs button evdev
for disk in /dev/sr0 /dev/vd?; do
    if [ -e "$disk" ] && mount -r -t iso9660 "$disk" /seed 2>/dev/null; then
        while read -r word value; do
            if [ "$word" = local-hostname: ]; then name=${name:-$value}; fi
        done </seed/meta-data
        echo "${name:-$mac} $mac $boot" >/www/state
        break
    fi
done
exec acpid -d -c /acpi
