"""Scenarios played in the twin with the production controller, and random ones."""
