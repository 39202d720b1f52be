"""Files in which a running agent finds what gitorch tells it; the agent can write their folders."""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path

from gitorch.agents.inbox import READ_SUFFIX
from gitorch.model.naming import TaskId

NAME = "conflicts.md"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Mailboxes:
    """The folders of running attempts by task, set by the threads that run them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: dict[TaskId, Path] = {}

    def open(self, task: TaskId, folder: Path) -> Path:
        """Let messages to a task go to a folder; return the file that they will be in. One of before is removed."""
        with self._lock:
            self._folders[task] = folder
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
            folder = self._folders.get(task)
        if folder is None:
            return False
        try:
            _replace(folder, text.encode("utf-8", "backslashreplace"))
        except OSError:  # the agent's folder is the agent's
            return False
        return True


def _replace(folder: Path, content: bytes) -> None:
    parent = os.open(folder, _FOLDER)
    name = f".{NAME}-{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(name, _NEW_FILE, 0o644, dir_fd=parent), "wb") as file:
            file.write(content)
        os.rename(name, NAME, src_dir_fd=parent, dst_dir_fd=parent)
    finally:
        os.close(parent)
