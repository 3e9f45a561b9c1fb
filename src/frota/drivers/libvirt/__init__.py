"""The Hypervisor port on real libvirt hosts, and the survey that imports them.

Only importing ``hypervisor`` or ``survey`` needs libvirt-python (the extra ``libvirt``).
"""
