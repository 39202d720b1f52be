"""What is kept at home of an execution elsewhere: that it was submitted, whether it is to stop, and how it ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.executors import claims
from gitorch.executors.protocol import KEPT_STREAMS, Stream
from gitorch.executors.temporal.messages import Result, StopRequest
from gitorch.model.outcome import Exit
from gitorch.storage import atomic, seals

_ORDERED, _STARTED, _STOP, _RESULT = "ordered", "started", "stop.json", "result.json"
_LOCK = "submit.lock"
_BLOCK_BYTES = 65_536

Fetch = Callable[[Stream], Iterator[bytes]]


class Home:
    """The folder of one execution below `root`; see `claims` for why it can be trusted."""

    def __init__(self, root: Path, key: str) -> None:
        self._root = root
        self.key = key
        self.folder = root / key

    @property
    def is_claimed(self) -> bool:
        """Return whether gitorch has made this folder."""
        return claims.is_claimed(self._root, self.key)

    @property
    def token(self) -> str:
        """Return what tells this submission from any other of the same key."""
        return claims.record_key(self._root, self.key).hex()[:32]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Claim the folder, and keep every other process from changing it."""
        claims.claim(self._root, self.key)
        with (self.folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def ordered(self) -> float:
        """Return when it was submitted (unix seconds); 0 if it was not."""
        with contextlib.suppress(OSError):
            return (self.folder / _ORDERED).stat().st_mtime
        return 0.0

    def note_order(self) -> None:
        """Record that it is about to be submitted."""
        if not self.ordered:
            atomic.replace(self.folder / _ORDERED, b"")

    @property
    def was_started(self) -> bool:
        """Return whether the engine has confirmed that it has it."""
        return (self.folder / _STARTED).exists()

    def note_start(self) -> None:
        """Record that the engine has it."""
        atomic.replace(self.folder / _STARTED, b"", durable=False)

    @property
    def stop(self) -> StopRequest | None:
        """Return the request to stop it, if there is one."""
        content = atomic.read_or_empty(self.folder / _STOP)
        return typed.from_json(content, StopRequest) if content else None

    def note_stop(self, request: StopRequest) -> None:
        """Record a request to stop it."""
        atomic.replace(self.folder / _STOP, msgspec.json.encode(request), durable=False)

    @property
    def result(self) -> Result | None:
        """Return how it ended, once that and its output are here."""
        content = atomic.read_or_empty(self.folder / _RESULT)
        text = seals.unseal(content, self._seal) if content else None
        return typed.from_json(text, Result) if text else None

    def keep(self, result: Result, fetch: Fetch) -> Exit:
        """Store the end of it, after its output; `fetch` brings what did not come with the result."""
        for stream in KEPT_STREAMS:
            new = self.folder / f"{stream}.new"
            with new.open("wb") as file:
                file.writelines(_unpacked(result.output, stream) if result.output is not None else fetch(stream))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.folder / stream)
        stored = msgspec.structs.replace(result, output=None)
        atomic.replace(self.folder / _RESULT, seals.seal(msgspec.json.encode(stored), self._seal))
        return result.exit

    def forget(self) -> None:
        """Remove the folder, and the folders above it that are now empty."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)
        depth = len(self.folder.relative_to(self._root).parts)
        for parent in list(self.folder.parents)[: max(0, depth - 2)]:
            with contextlib.suppress(OSError):
                parent.rmdir()

    @property
    def _seal(self) -> bytes:
        return claims.record_key(self._root, self.key)


def submitted(root: Path, prefix: str) -> list[Home]:
    """Return the submitted executions whose keys start with `prefix/`, in the order of their submission."""
    homes = []
    for name, folders, files in os.walk(root / prefix):
        if claims.CLAIM in files:
            folders.clear()
            home = Home(root, Path(name).relative_to(root).as_posix())
            if _ORDERED in files and home.is_claimed:
                homes.append(home)
    return sorted(homes, key=lambda home: home.ordered)


def _unpacked(output: Mapping[Stream, bytes], stream: Stream) -> Iterator[bytes]:
    """Yield the output that came with a result, in blocks of bounded size."""
    unpacker = zlib.decompressobj()
    packed = output.get(stream, b"")
    while packed and not unpacker.eof:
        yield unpacker.decompress(packed, _BLOCK_BYTES)
        packed = unpacker.unconsumed_tail
