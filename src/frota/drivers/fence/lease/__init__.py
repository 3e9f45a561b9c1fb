"""A lease on shared storage: a host that cannot renew it ends its own VMs.

``records`` is what is written, ``holder`` decides for the host, ``observer`` decides for
the controller; all three are pure. ``space`` reads and writes the shared directory and
``watch`` runs the controller's side. The host's side runs in ``frota.drivers.fence.host``.
The argument why this is safe, with its numbers, is in designs/0004-fencing.md.
"""
