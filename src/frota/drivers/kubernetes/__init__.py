"""Member clusters over the Kubernetes API; the port is ``frota.ports.clusters``.

Only importing ``clusters`` loads the HTTP client: commands that talk to no cluster start
fast. ``reflector`` and ``lane`` are plain state machines, without clock, thread or network.
"""
