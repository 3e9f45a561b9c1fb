"""Object stores: a directory, and Azure Blob (``ports.blobs``; designs/0008)."""
