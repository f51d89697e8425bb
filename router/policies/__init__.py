"""What stands around an attempt: one layer a file, each a function from handler to handler.

From the outside in: observe, deadline, fallback, retry, account; inside all of them is the wire.
"""
