"""Ten things that hold after every command, whatever was killed before it. One function checks them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil
import tomli

from gitorch.git.notes import note_store
from gitorch.git.protected import fingerprint
from gitorch.git.protected.fingerprint import Fingerprint
from gitorch.git.repository import Repository
from gitorch.model.naming import EXECUTION_VARIABLE, TaskId
from gitorch.model.note import MergedNote
from gitorch.model.task import State, Task
from gitorch.storage.operations import OperationLog
from gitorch.storage.tasks import Store
from tests.support import fingerprints
from tests.support.git import git, run


class Known(msgspec.Struct, kw_only=True):
    """A repository, and what was true of it before anything was killed.

    `commits` are those that agents have ever reported, `files` the contents that somebody has not committed.
    `moves_main`: the commands on it may move `main` and its checkout. `changes`: how the lines begin that tell of what
    else of the user's they may change. `removes_state`: they may take gitorch out.
    """

    folder: Path
    fingerprint: Fingerprint
    commits: set[str]
    files: set[str]
    moves_main: bool = False
    changes: tuple[str, ...] = ()
    removes_state: bool = False

    @property
    def state(self) -> Path:
        return self.folder / ".git" / "gitorch"

    @property
    def repository(self) -> Repository:
        return Repository.discover(self.folder)

    def tasks(self) -> Mapping[TaskId, Task]:
        return Store(self.state).load()


def known(folder: Path, *files: str, **may: Any) -> Known:
    """Return what is true of a repository now."""
    found = Known(
        folder=folder,
        fingerprint=fingerprints.fingerprint(Repository.discover(folder)),
        commits=set(),
        files=set(files),
        **may,
    )
    found.commits |= {task.tip for task in found.tasks().values() if task.tip}
    return found


def verify(known: Known) -> None:
    """Check the ten; the message of a failure names the one that does not hold."""
    for name, check in INVARIANTS.items():
        problem = check(known)
        assert not problem, f"{name}: {problem}"


def _lost_commits(known: Known) -> object:
    known.commits |= {task.tip for task in known.tasks().values() if task.tip}
    reachable = set(git("rev-list", "--all", cwd=known.folder).split())
    return known.commits - reachable


def _lost_files(known: Known) -> object:
    return {content for content in known.files if not _is_kept(known, content)}


def _is_kept(known: Known, content: str) -> bool:
    """Return whether a content is in a worktree, in the trash of worktrees, or in a rescue point."""
    for path in known.folder.parent.glob("repo.orch/**/*"):
        if path.is_file() and not path.is_symlink() and path.read_bytes() == content.encode():
            return True
    points = git("for-each-ref", "--format=%(refname)", "refs/gitorch/rescue", cwd=known.folder).split()
    blob = git("hash-object", "--stdin", cwd=known.folder, input=content.encode())
    return any(blob in git("rev-list", "--objects", point, cwd=known.folder) for point in points)


def _moved(known: Known) -> object:
    lines = fingerprint.differences(known.fingerprint, fingerprints.fingerprint(known.repository))
    return [line for line in lines if line.startswith("refs/") and not (known.moves_main and "/main" in line)]


def _changed_checkout(known: Known) -> object:
    if known.moves_main:
        return git("status", "--porcelain", cwd=known.folder)
    lines = fingerprint.differences(known.fingerprint, fingerprints.fingerprint(known.repository))
    # a gc of the user's writes the list of refs for others
    return [line for line in lines if not line.startswith(("refs/", "info/refs ", *known.changes))]


def _wrong_integration(known: Known) -> object:
    merged = {task.id: task for task in known.tasks().values() if task.state is State.MERGED}
    tip = git("rev-parse", "--verify", "--quiet", "refs/heads/orch/integration", cwd=known.folder, ok=(0, 1))
    history = set(git("rev-list", tip, cwd=known.folder).split()) if tip else set()
    absent = [name for name, task in merged.items() if task.merged_as not in history]
    noted = (line.note for lines in note_store.read_all(known.repository).values() for line in lines)
    lines = Counter(note.task for note in noted if isinstance(note, MergedNote))
    return absent or (set(lines) ^ set(merged))


def _rival_executions(known: Known) -> object:
    executions = set(_executions(known))
    tasks = Counter(name.split("/")[0] for name in executions)
    return [task for task, count in tasks.items() if count > 1]


def _left_processes(known: Known) -> object:
    running = {task.id for task in known.tasks().values() if task.state is State.RUNNING}
    return [name for name in _executions(known) if name.split("/")[0] not in running]


def _executions(known: Known) -> Iterator[str]:
    for process in psutil.process_iter():
        try:
            key = process.environ().get(EXECUTION_VARIABLE, "")
        except psutil.Error:
            continue  # it has ended, or is somebody else's
        if key.startswith(f"{known.folder}/"):
            yield key.partition("/attempts/")[2]


def _damaged_state(known: Known) -> object:
    if known.removes_state:
        return known.state.exists() and "the state is there"
    snapshot = tomli.loads((known.state / "tasks.toml").read_text())
    open_operations = OperationLog(known.state / "operations.jsonl").unfinished()
    losses = [path.name for path in known.state.glob("*.damaged-*")]
    return "no end" if "end" not in snapshot else open_operations or losses


def _damaged_repository(known: Known) -> object:
    done = run("fsck", "--full", "--strict", "--no-dangling", cwd=known.folder, ok=range(256))
    return done.returncode and (done.stdout + done.stderr)


def _failing_gc(known: Known) -> object:
    done = run("gc", "--prune=now", "--quiet", cwd=known.folder, ok=range(256))
    request = "".join(f"{oid}\n" for oid in sorted(known.commits)).encode()
    missing = [
        line
        for line in git("cat-file", "--batch-check", cwd=known.folder, input=request).splitlines()
        if "missing" in line
    ]
    return done.stderr or missing


INVARIANTS: Mapping[str, Callable[[Known], object]] = {
    "every commit that an agent reported is reachable": _lost_commits,
    "every file that was not committed is kept": _lost_files,
    "no ref of the user's has moved": _moved,
    "the user's checkout, settings and hooks are the same": _changed_checkout,
    "the integration branch holds what is called merged, and nothing else is": _wrong_integration,
    "no task runs twice at once": _rival_executions,
    "no process is left of a task that does not run": _left_processes,
    "the state can be read, and no operation is half done": _damaged_state,
    "git finds nothing damaged": _damaged_repository,
    "the user's gc succeeds, and takes nothing": _failing_gc,
}
"""Each returns what is wrong, or something empty."""
