"""Ways to kill some work: at a moment, or before one of its steps outwards."""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from tests.faults.steps import Steps


def killed(work: Callable[[], object], seconds: float, *, with_git: bool = True) -> bool:
    """Do some work in a child, and kill -9 it and its git after some time; return whether it was still at work."""
    child = os.fork()
    if not child:
        os.setsid()
        work_and_exit(work)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    # it may have been killed before it had a group, or be done
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if with_git:
            os.killpg(child, signal.SIGKILL)
    return _was_killed(child)


def killed_at(work: Callable[[], object], step: int, *, with_git: bool = False, folder: Path | None = None) -> bool:
    """Do some work in a child that kills itself at its n-th step outwards; return whether it came to that.

    With a folder, steps before which the files below it are the same are one.
    """
    child = os.fork()
    if not child:
        os.setsid()
        steps = Steps(folder)

        def count(event: str, args: tuple[Any, ...]) -> None:
            if steps.number(event, args) == step:
                os.killpg(0, signal.SIGKILL) if with_git else os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work_and_exit(work)
    return _was_killed(child)


def steps_of(work: Callable[[], object], folder: Path | None = None) -> int:
    """Do some work in a child, and return how many steps outwards it makes."""
    # a write to a pipe would be a step
    last = mmap.mmap(-1, mmap.PAGESIZE)
    child = os.fork()
    if not child:
        steps = Steps(folder)

        def count(event: str, args: tuple[Any, ...]) -> None:
            if number := steps.number(event, args):
                last[:8] = number.to_bytes(8)

        sys.addaudithook(count)
        work_and_exit(work)
    assert not _was_killed(child)
    return int.from_bytes(last[:8])


def work_and_exit(work: Callable[[], object]) -> NoReturn:
    # nothing of the child may go on in pytest
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _was_killed(child: int) -> bool:
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work itself failed"
    return os.WIFSIGNALED(status)


def put_back(folder: Path, before: Path) -> None:
    """Make a folder as its copy is; a git folder in it stays the same one, as an open repository expects."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            if path.name == ".git":
                put_back(path, before / path.name)
            else:
                shutil.rmtree(path)
        else:
            path.unlink()
    shutil.copytree(before, folder, symlinks=True, dirs_exist_ok=True)
