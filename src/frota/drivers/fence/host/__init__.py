"""The host agent: runs on a host, renews its lease, and ends Frota's VMs when it cannot.

It must keep working when storage, libvirt, the network or the controller hang.
"""
