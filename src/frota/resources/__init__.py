"""What people write: kinds, YAML with positions, and every error in words.

Pure: text comes in and values go out; nothing here opens a file. Import the modules by
name: ``documents`` and the kinds need pydantic, ``quantity`` and ``errors`` do not.
"""
