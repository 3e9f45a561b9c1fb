"""Glue: observe, plan, write down, act; one controller for each kind of shard."""
