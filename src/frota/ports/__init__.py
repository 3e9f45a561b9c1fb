"""The Protocols through which Frota touches the world, each with its error contract.

Every port has a real driver and a simulated one (``frota.twin``); one contract test
class per port runs on both.
"""
