"""The reasons for which a merge stops."""

from __future__ import annotations


class Unresolved(Exception):
    """No rule merges these versions; the text says where the rules ended."""


class Refused(Unresolved):
    """A rule says that no merge of this code is right; other rules are not tried on it."""
