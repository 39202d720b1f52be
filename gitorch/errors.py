"""Errors: a stable code, an exit code, what happened, why, and the commands that fix it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable


class GitorchError(Exception):
    """A failure with an explanation and a fix for the user.

    Each exit code of the command line has a subclass. `code` is a stable name for programs, `what` one line, `why` the
    cause, and `fix` the commands to copy.
    """

    exit: int = 1

    def __init__(self, code: str, what: str, *, why: str = "", fix: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.fix = fix


class ProofFailed(GitorchError):
    """The result to publish differs from what was planned and checked. This is a bug in gitorch; nothing was moved."""


class InvalidInput(GitorchError):
    """Wrong usage, or an invalid configuration or tasks file."""

    exit = 2


class NotFound(GitorchError):
    """No such task or plan, or not inside a git repository."""

    exit = 3


class SetupNeeded(GitorchError):
    """An agent is missing or not logged in, or git is too old."""

    exit = 4


class Refused(GitorchError):
    """The current state does not allow it: not approved, dirty, locked, or called from inside an agent."""

    exit = 5


class Incomplete(GitorchError):
    """The command finished, but a task or a required check failed."""

    exit = 6


class LimitReached(GitorchError):
    """A budget, time or review limit stopped the run; the remaining tasks stay queued."""

    exit = 8


class AnswerNeeded(GitorchError):
    """The command needs an answer, and no terminal is available to ask."""

    exit = 9


OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Why a system refuses to write when there is no room for it: on the disk, for this user, in one file."""

_LEAST_PART = 3
"""Letters of a name that are enough to find a longer one that contains them."""
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP, errno.EFBIG)


def system_error(error: OSError) -> GitorchError | None:
    """Return what the system refused, in words and with what to do; None for an error that is a bug in gitorch."""
    path = error.filename if isinstance(error.filename, str) else os.fsdecode(error.filename or b"")
    place = path or "the repository"
    why = error.strerror or str(error)
    again = "then run the command again; what was acknowledged is kept"
    if error.errno in OUT_OF_SPACE:
        return SetupNeeded(
            "disk-full", f"no space to write {place}", why=why, fix=("free space on the disk, or files (df -i)", again)
        )
    if error.errno == errno.EROFS:
        fix = ("make the file system writable", again)
        return SetupNeeded("read-only", f"cannot write {place}", why=why, fix=fix)
    if error.errno in (errno.EACCES, errno.EPERM):
        return SetupNeeded("no-permission", f"no permission for {place}", why=why, fix=(f"ls -ld {place}", again))
    if error.errno in _IN_THE_WAY and path:
        return Refused("in-the-way", f"cannot use {path}", why=why, fix=("move it away", again))
    if error.errno == errno.EIO:
        return SetupNeeded("disk-error", f"the disk failed at {place}", why=why, fix=("check the disk", again))
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return SetupNeeded("too-many-files", f"cannot open {place}", why=why, fix=("raise `ulimit -n`", again))
    return None


def did_you_mean(name: str, candidates: Iterable[str], lead: str = "") -> str:
    """Return `did you mean NAME?` for the closest candidate, after a `lead`; empty if none is similar."""
    matches = _nearest(name, candidates, limit=1)
    return f"{lead}did you mean {matches[0]}?" if matches else ""


def there_is(name: str, candidates: Iterable[str]) -> str:
    """Return `there is A, B, C` for up to three similar candidates; empty if none is similar."""
    matches = _nearest(name, candidates, limit=3)
    return f"there is {', '.join(matches)}" if matches else ""


def _nearest(name: str, candidates: Iterable[str], *, limit: int) -> list[str]:
    # imported here: it takes 1.5 ms, and every command imports this module
    import difflib

    names = [*candidates]
    similar = difflib.get_close_matches(name, names, n=limit)
    longer = [other for other in names if len(name) >= _LEAST_PART and name in other]
    return similar or longer[:limit]
