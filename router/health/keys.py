"""Several keys of one provider: which is used next, and which are left alone."""

from __future__ import annotations


class KeyRing:
    """The keys of one provider."""
