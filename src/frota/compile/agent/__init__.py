"""What a cluster with delivery ``pull`` is given once, by its administrator (docs/pull.md)."""
