"""The library's own HTTP/1.1 client: what it needs of HTTP to ask a provider, and nothing else."""

from .fast import FastTransport, default_transport

__all__ = ["FastTransport", "default_transport"]
