"""The lab: real libvirt hosts, each in its own namespaces, on one machine (see ``hosts``)."""
