"""Snapshot files: one host group, frozen, as text and back (docs/snapshot.md).

Pure: text comes in and goes out, nothing here opens a file. ``reading`` needs pydantic.
"""
