"""Commands. ``main`` finds the one that was named and imports nothing of the others, so
that short commands stay short: no module here may import pydantic, rich, msgspec or a
solver at its top.
"""
