"""Commands on fleets of Kubernetes clusters: what would change, how far it is, what drifted."""
