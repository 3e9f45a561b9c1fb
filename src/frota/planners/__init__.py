"""Pure planners: a frozen snapshot in, a plan with its reasons out.

No planner may read a clock, draw a random number, or touch the world; each is total,
and the same input gives the same plan to the byte.
"""
