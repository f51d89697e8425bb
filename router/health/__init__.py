"""What all calls of a router know of its targets together: how they fare, and what they still allow.

Nothing in here reads a clock, draws a number or waits, but for the queue in `turns`: time and chance come in
as arguments, so that every decision can be replayed.
"""
