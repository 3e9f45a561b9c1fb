"""Asks the Prometheus of each cluster."""
