"""What planners see: frozen values and nothing else.

A value here never changes; a change is a new value (``dataclasses.replace``,
``Snapshot.without``). Nothing in this package may read a clock, the environment,
the network or a random number.
"""
