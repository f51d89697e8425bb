"""Benchmarks: turnout beside other clients, on loopback, in rounds that take turns. See README.md."""
