"""The one reason for which a merge stops."""

from __future__ import annotations


class Unresolved(Exception):
    """No rule merges these versions; the text says where the rules ended."""
