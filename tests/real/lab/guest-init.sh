#!/bin/sh
# The whole user land of a lab guest: bring up the network, serve one page.
#
# Kernel command line: frota.name=NAME (default: the MAC address), and either
# frota.ip=ADDRESS/BITS or frota.net=A.B, from which the address is made with the last
# two bytes of the MAC address (see tests/real/lab/guest.py, `address_of`).
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sys /sys
while read -r module; do insmod "/modules/$module"; done </modules/order
tries=0
while [ ! -e /sys/class/net/eth0 ] && [ "$tries" -lt 200 ]; do
    usleep 10000
    tries=$((tries + 1))
done
read -r mac </sys/class/net/eth0/address
read -r boot </proc/sys/kernel/random/boot_id
name=$mac
address=
net=10.0
read -r line </proc/cmdline
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
    address=$net.$((16 + high % 240)).$((1 + low % 254))/16
fi
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad 2>/dev/null
ip link set lo up
ip address add "$address" dev eth0
ip link set eth0 up
arping -q -c 1 -A -I eth0 "${address%/*}"
mkdir -p /www/cgi-bin
cat >/www/cgi-bin/state <<PAGE
#!/bin/sh
read -r up rest </proc/uptime
printf 'Content-Type: application/json\r\n\r\n'
printf '{"name": "%s", "mac": "%s", "boot": "%s", "uptime": %s}\n' '$name' '$mac' '$boot' "\$up"
PAGE
chmod 755 /www/cgi-bin/state
echo "frota guest $name at $address" >/dev/console
exec httpd -f -p 80 -h /www
