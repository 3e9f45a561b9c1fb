"""Frota keeps AI running across many Kubernetes clusters, and on the hosts beneath them."""

__version__ = "0.1.0"
