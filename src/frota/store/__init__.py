"""Stores: in memory for simulations, in one SQLite file for one machine.

Nothing is imported here, so that a short command loads only the store it uses.
"""
