"""Other programs, run on the same cases."""
