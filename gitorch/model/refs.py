"""Ref updates as values: for git, and for the operation log."""

from __future__ import annotations

import msgspec

from gitorch.model.naming import Oid, Ref


class RefUpdate(msgspec.Struct, frozen=True):
    """One ref to update: its new value (None deletes it), and the value it must have before (None: must not exist)."""

    ref: Ref
    new: Oid | None
    old: Oid | None
