"""Changes of refs, as values: what git is asked to move, and what the operation log remembers."""

from __future__ import annotations

import msgspec

from gitorch.model.naming import Oid, Ref


class RefUpdate(msgspec.Struct, frozen=True):
    """One ref to update: its new value (None deletes it), and the value it must have before (None: must not exist)."""

    ref: Ref
    new: Oid | None
    old: Oid | None
