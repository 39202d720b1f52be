"""Files in which a running agent finds what gitorch tells it; the agent can write their folders."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gitorch.agents.inbox import READ_SUFFIX
from gitorch.model.naming import TaskId

NAME = "conflicts.md"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


Forward = Callable[[str, bytes], None]


class Mailboxes:
    """The folders of running attempts by task, set by the threads that run them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: dict[TaskId, tuple[Path, Forward]] = {}

    def open(self, task: TaskId, folder: Path, forward: Forward = lambda _name, _content: None) -> Path:
        """Let messages to a task go to a folder; return the file that they will be in. One of before is removed.

        `forward` brings a message to where the agent is.
        """
        with self._lock:
            self._folders[task] = folder, forward
        for name in (NAME, NAME + READ_SUFFIX):
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        return folder / NAME

    def close(self, task: TaskId) -> None:
        """Send a task no more messages."""
        with self._lock:
            self._folders.pop(task, None)

    def deliver(self, task: TaskId, text: str) -> bool:
        """Replace the message to a running task; return whether that was possible. No link is followed."""
        with self._lock:
            folder, forward = self._folders.get(task, (None, None))
        if folder is None or forward is None:
            return False
        content = text.encode("utf-8", "backslashreplace")
        try:
            replace(folder, NAME, content)
        except OSError:  # the agent's folder is the agent's
            return False
        forward(NAME, content)
        return True


def replace(folder: Path, name: str, content: bytes) -> None:
    """Write a file into a folder of an agent's; no link is followed."""
    parent = os.open(folder, _FOLDER)
    new = f".{name}-{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(new, _NEW_FILE, 0o644, dir_fd=parent), "wb") as file:
            file.write(content)
        os.rename(new, name, src_dir_fd=parent, dst_dir_fd=parent)
    finally:
        os.close(parent)
