"""Remember resolved conflicts: whole files by their three sides, and hunks with git's `rerere`."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gitorch.git.lockfiles import SCRATCH
from gitorch.git.repository import RefsMoved, Repository, quoted_path
from gitorch.git.writing import unreferenced
from gitorch.model.naming import OWN_REFS, Oid, Ref, TaskId
from gitorch.model.refs import RefUpdate
from gitorch.replay import Conflicted
from gitorch.storage import locks

RESOLVED = Ref(f"{OWN_REFS}resolved")
"""A commit whose tree holds the resolved files. The name of each is the hash of its three sides."""

ReadBlob = Callable[[Oid], bytes | None]
"""Returns the content of a blob, also of one that exists only in memory; None if there is none."""

_TRIES = 10


class Sides(msgspec.Struct, frozen=True):
    """The three versions of a file in conflict; no base if both sides added it."""

    base: Oid | None
    ours: Oid
    theirs: Oid

    @property
    def path(self) -> str:
        """The path of the resolved file in the tree of `RESOLVED`. Swapping the sides does not change it."""
        blobs = " ".join((self.base or "-", *sorted((self.ours, self.theirs))))
        name = hashlib.sha256(blobs.encode()).hexdigest()
        return f"{name[:2]}/{name[2:]}"


class OpenConflict(msgspec.Struct, frozen=True):
    """An unresolved conflict: its task, the tip of the branch, and the three sides of each file."""

    task: TaskId
    tip: Oid
    files: dict[str, Sides]


def sides(conflict: Conflicted) -> dict[str, Sides | None]:
    """Return the sides of each file in conflict; None unless both sides are regular files of the same mode."""
    by_path: dict[str, dict[int, tuple[str, Oid]]] = {path: {} for path in conflict.paths}
    for stage in conflict.stages:
        by_path.setdefault(stage.path, {})[stage.number] = (stage.mode, stage.blob)
    return {path: _sides(stages) for path, stages in by_path.items()}


def _sides(stages: Mapping[int, tuple[str, Oid]]) -> Sides | None:
    if not {2, 3} <= stages.keys() or not all(mode.startswith("100") for mode, _ in stages.values()):
        return None
    if stages[2][0] != stages[3][0]:
        return None
    return Sides(stages[1][1] if 1 in stages else None, stages[2][1], stages[3][1])


class FileResolutions:
    """Resolved files by the exact contents of their three sides, under `refs/gitorch/resolved`."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._blobs: dict[str, Oid] | None = None

    def recall(self, conflicts: Mapping[str, Sides]) -> dict[str, Oid]:
        """Return the known resolutions, by path. The tree is read once, for any number of conflicts."""
        if self._blobs is None:
            self._blobs = self._read()
        return {path: self._blobs[three.path] for path, three in conflicts.items() if three.path in self._blobs}

    def _read(self) -> dict[str, Oid]:
        if self.repository.object_ids(RESOLVED) == [None]:
            return {}
        answer = self.repository.git("ls-tree", "-r", "-z", RESOLVED, ok=(0, 128))
        entries = (entry.partition("\t") for entry in answer.fields()) if answer.code == 0 else ()
        return {path: Oid(words.split(" ")[2]) for words, _, path in entries}

    def learn(self, resolved: Mapping[Sides, Oid]) -> None:
        """Remember resolved files; a newer resolution replaces an older one."""
        self._change(dict(resolved))

    def forget(self, conflicts: Iterable[Sides]) -> None:
        """Forget the resolutions of these conflicts, as far as they are known."""
        self._change(dict.fromkeys(conflicts))

    def _change(self, blobs: Mapping[Sides, Oid | None]) -> None:
        self._blobs = None
        for remaining in reversed(range(_TRIES)):
            tip = self.repository.read_ref(RESOLVED)
            names = [f"{RESOLVED}:{three.path}" for three in blobs]
            stored = self.repository.object_ids(*names) if names else []
            if stored == list(blobs.values()):
                return
            update = RefUpdate(RESOLVED, self._build(blobs, tip), tip)
            try:
                self.repository.update_refs([update], "remember resolutions")
            except RefsMoved:
                if not remaining:
                    raise
            else:
                return

    def _build(self, blobs: Mapping[Sides, Oid | None], tip: Oid | None) -> Oid:
        # the scratch ref holds the commit only within this process, and is neither written nor locked
        message = b"gitorch resolutions\n"
        stream = [f"feature done\ncommit {SCRATCH}\nmark :1\ncommitter {self.repository.committer()}\n".encode()]
        stream += [b"data %d\n%s\n" % (len(message), message), f"from {tip}\n".encode() if tip else b""]
        changes = ((f"M 100644 {blob}" if blob else "D", three) for three, blob in blobs.items())
        stream += [f"{change} {three.path}\n".encode() for change, three in changes]
        stream.append(f"\nget-mark :1\nreset {SCRATCH}\n\ndone\n".encode())
        return unreferenced.fast_import(self.repository, b"".join(stream), [tip] if tip else [])


class HunkResolutions:
    """Resolved hunks, in any file: git's `rerere`, with a cache of gitorch's own.

    `rerere` works on an index and files, and keeps its cache in the repository's git folder. To leave the user's cache
    alone, this class has a small git folder of its own, which borrows the repository's objects. `read` returns the
    content of a blob that the repository does not have: a file that two tasks changed exists only in memory.
    """

    def __init__(self, repository: Repository, read: ReadBlob | None = None) -> None:
        self.repository = repository
        self.folder = repository.common_dir / "gitorch" / "rerere"
        self._read = read

    def recall(self, conflicts: Mapping[str, Sides]) -> dict[str, Oid]:
        """Return the resolved files whose hunks have all been resolved before, by path."""
        if not conflicts or not (self.folder / "rr-cache").is_dir():
            return {}
        with self._conflict(list(conflicts.values())) as (top, names):
            self._rerere(top)
            remaining = set(self._rerere(top, "remaining").split("\n"))
            files = {
                path: top / name for path, name in zip(conflicts, names, strict=True) if name and name not in remaining
            }
            return {path: self._stored(file) for path, file in files.items() if not is_marked(file.read_bytes())}

    def learn(self, resolved: Mapping[Sides, Oid]) -> None:
        """Remember how the hunks of these files were resolved."""
        if not resolved:
            return
        with self._conflict(list(resolved)) as (top, names):
            self._rerere(top)
            for name, blob in zip(names, resolved.values(), strict=True):
                if name:
                    (top / name).write_bytes(self.repository.git("cat-file", "blob", blob).stdout)
            self._rerere(top)

    def _rerere(self, top: Path, *words: str) -> str:
        return self._git(top, "-c", "rerere.enabled=true", "-c", "rerere.autoUpdate=false", "rerere", *words)

    def _git(self, top: Path, *words: str, input: bytes | None = None) -> str:
        options = (
            "-c",
            "core.autocrlf=false",
            "-c",
            "core.attributesFile=/dev/null",
            "-c",
            "merge.conflictStyle=merge",
        )
        env = {"GIT_INDEX_FILE": str(top.parent / "index"), "GIT_OBJECT_DIRECTORY": str(top.parent / "objects")}
        env |= {"GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted_path(self._objects)} | self.repository.identity()
        return self.repository.git(*options, *words, input=input, cwd=top, git_dir=self.folder, env=env).text

    @contextmanager
    def _conflict(self, conflicts: Sequence[Sides]) -> Iterator[tuple[Path, list[str]]]:
        """Check out conflicts as files with markers; yield the folder and the name of each file ("": no markers)."""
        with self._lock(), tempfile.TemporaryDirectory(prefix="gitorch-") as folder:
            top = Path(folder, "files")
            top.mkdir()
            (top.parent / "objects").mkdir()
            self._write_missing(top, conflicts)
            names = [f"f{number}" for number in range(len(conflicts))]
            stages = (
                f"100644 {blob} {number}\t{name}\n"
                for name, three in zip(names, conflicts, strict=True)
                for number, blob in enumerate((three.base, three.ours, three.theirs), start=1)
                if blob
            )
            self._git(top, "update-index", "--index-info", input="".join(stages).encode())
            self._git(top, "checkout", "--quiet", "--merge", "--", *names)
            yield top, [name if is_marked((top / name).read_bytes()) else "" for name in names]

    def _write_missing(self, top: Path, conflicts: Iterable[Sides]) -> None:
        """Write the blobs that exist only in memory where this conflict's git processes find them."""
        blobs = [*dict.fromkeys(blob for three in conflicts for blob in (three.base, three.ours, three.theirs) if blob)]
        existing = self.repository.object_ids(*blobs)
        missing = [blob for blob, oid in zip(blobs, existing, strict=True) if oid is None]
        files = [top.parent / f"blob{number}" for number in range(len(missing))]
        for file, blob in zip(files, missing, strict=True):
            file.write_bytes((self._read(blob) if self._read else None) or b"")
        if files:
            listing = "".join(f"{file}\n" for file in files).encode()
            self._git(top, "hash-object", "-w", "--no-filters", "--stdin-paths", input=listing)

    @property
    def _objects(self) -> Path:
        return self.repository.common_dir / "objects"

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Lock the cache, and remove what a killed process left in it."""
        with (
            locks.file_lock(self.folder / "gitorch.lock") as file,
            self.repository.inherit_lock(file, all_threads=False),
        ):
            self._create()
            for name in ("MERGE_RR", "MERGE_RR.lock"):
                (self.folder / name).unlink(missing_ok=True)
            yield

    def _create(self) -> None:
        alternates = self.folder / "objects" / "info" / "alternates"
        if alternates.exists():
            return
        format_ = self.repository.git("rev-parse", "--show-object-format").text
        self.repository.git(
            "init", "--quiet", "--bare", "--template=", f"--object-format={format_}", git_dir=self.folder
        )
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_bytes(os.fsencode(self._objects) + b"\n")

    def _stored(self, file: Path) -> Oid:
        return Oid(self.repository.git("hash-object", "-w", "--stdin", input=file.read_bytes()).text)


def is_marked(content: bytes) -> bool:
    """Return whether a file has git's conflict markers."""
    starts = [line[:8] for line in content.split(b"\n")]
    return b"<<<<<<< " in starts and b">>>>>>> " in starts
