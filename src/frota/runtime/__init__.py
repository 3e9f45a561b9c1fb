"""What keeps controllers running: queue, backoff, lease, clock, loop.

Time and randomness are injected everywhere but in ``clock`` and ``alarm``, so the
simulator runs the very same code in virtual time.
"""
