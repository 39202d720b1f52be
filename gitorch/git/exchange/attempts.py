"""How commits travel between a repository and the machines that work for it: leases, mirrors, pushes, bundles.

A lease says which submission of a task may deliver. A machine has one mirror of each repository, fetches commits by
their ids, and delivers by one atomic push that fails when the lease has moved on or when the ref exists already.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gitorch.git import config_text
from gitorch.git.collecting import incoming
from gitorch.git.history_store import config_variables
from gitorch.git.repository import Output, RefsMoved, Repository
from gitorch.git.writing import unreferenced
from gitorch.model.naming import OWN_REFS, Oid, Ref, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.storage import locks

_SETTINGS = {
    "protocol.version": "2",  # it serves a commit by its id
    "protocol.allow": "never",
    "protocol.file.allow": "always",
    "protocol.ssh.allow": "always",
    "protocol.https.allow": "always",
    "fetch.fsckObjects": "false",  # old history of real repositories has faults; what an agent adds passes the gate
    "fetch.unpackLimit": "1",
}
_ORIGIN = re.compile(r"/[^\n]*|(?:ssh|https|file)://[^\n]+")
_DELIVERY = re.compile(r"refs/gitorch/attempts/[^/]+/\d+-\d+(?:-\d+)?")
_QUIET = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
_AT_THE_END = 1 << 62
_TRIES = 100
_SHOWN = 300
_LEASE = "gitorch <gitorch@localhost> 0 +0000"


class Lease(msgspec.Struct, frozen=True):
    """The right to deliver work of a task: the number of its submission, and the commit that the lease's ref is at."""

    epoch: int
    commit: Oid


class ExchangeFailed(Exception):
    """Commits could not travel; the text says why."""


def lease_ref(task: str) -> Ref:
    """Return the ref that says which submission of a task may deliver."""
    return Ref(f"{OWN_REFS}lease/{task}")


def delivery_ref(task: str, epoch: int, attempt: int, rescue: int = 0) -> Ref:
    """Return the ref under which an attempt's work is delivered; it is made once, and never moved.

    `rescue` counts the deliveries before the end, 0 for that at the end.
    """
    number = f"-{rescue}" if rescue else ""
    return Ref(f"{OWN_REFS}attempts/{task}/{epoch}-{attempt}{number}")


def is_delivery_ref(name: str) -> bool:
    """Return whether a worker makes a ref of this name. It says nothing by itself: the engine names the tip."""
    return _DELIVERY.fullmatch(name) is not None


def attempts_folder(task: str) -> str:
    """Return the folder of the refs under which a task's work is delivered."""
    return f"{OWN_REFS}attempts/{task}/"


def last_rescue(repository: Repository, refs: Mapping[Ref, Oid], task: str) -> Oid | None:
    """Return the newest rescue point of a task's agent that is at work elsewhere; None if there is none.

    `refs` has those of `attempts_folder`. An agent that has delivered at its end is at work no more.
    """
    commits = {}
    for ref, commit in refs.items():
        if ref.startswith(attempts_folder(task)) and is_delivery_ref(ref):
            epoch, attempt, *number = map(int, ref.rpartition("/")[2].split("-"))
            commits[epoch, attempt, *(number or [_AT_THE_END])] = commit
    if not commits or (newest := max(commits))[2] == _AT_THE_END:
        return None
    lease = repository.read_ref(lease_ref(task))
    is_current = lease is not None and _parse_lease(repository, lease)[0] == newest[0]
    return commits[newest] if is_current else None


def take_lease(repository: Repository, task: str, token: str) -> Lease:
    """Let only the submission with this token deliver; the same token gets the same lease again."""
    ref = lease_ref(task)
    for _ in range(_TRIES):
        current = repository.read_ref(ref)
        epoch, holder = _parse_lease(repository, current) if current else (0, "")
        if current is not None and holder == token:
            return Lease(epoch, current)
        commit = _write_lease(repository, epoch + 1, token)
        try:
            repository.update_refs([RefUpdate(ref, commit, current)], f"submit {task} to a worker")
        except RefsMoved:
            continue
        return Lease(epoch + 1, commit)
    raise RefsMoved("refs-moved", f"{ref} moves all the time")


def end_lease(repository: Repository, task: str, token: str) -> int:
    """Let the submission with this token deliver no more; return its epoch, 0 if a later one has the lease."""
    over = f"{token}.over"
    for _ in range(_TRIES):
        current = repository.read_ref(lease_ref(task))
        epoch, holder = _parse_lease(repository, current) if current else (0, "")
        if holder == over:
            return epoch - 1
        if current is None or holder != token:
            return 0
        commit = _write_lease(repository, epoch + 1, over)
        try:
            repository.update_refs([RefUpdate(lease_ref(task), commit, current)], f"end the submission of {task}")
        except RefsMoved:
            continue
        return epoch
    raise RefsMoved("refs-moved", f"{lease_ref(task)} moves all the time")


def _parse_lease(repository: Repository, commit: Oid) -> tuple[int, str]:
    message = repository.git("cat-file", "commit", commit).text.partition("\n\n")[2]
    epoch, _, token = message.strip().partition(" ")
    return (int(epoch) if epoch.isdecimal() else 0), token


def _write_lease(repository: Repository, epoch: int, token: str) -> Oid:
    tree = repository.git("mktree", input=b"").text
    return unreferenced.store_commit(repository, _lease_content(tree, epoch, token))


def _lease_content(tree: str, epoch: int, token: str) -> bytes:
    """Return a lease's commit. Workers make the same one, so it must not change between versions without need."""
    return f"tree {tree}\nauthor {_LEASE}\ncommitter {_LEASE}\n\n{epoch} {token}\n".encode()


def import_bundle(repository: Repository, bundle: bytes, ref: Ref) -> str:
    """Bring the one commit of a bundle into `ref`; return why not."""
    with tempfile.TemporaryDirectory(prefix="gitorch-") as folder:
        path = Path(folder) / "bundle"
        path.write_bytes(bundle)
        heads = repository.git("bundle", "list-heads", os.fspath(path), ok=range(256))
        name = heads.text.partition(" ")[2]
        if heads.code != 0 or not name or "\n" in name:
            return "its bundle is damaged"
        return incoming.fetch(repository, path, name, ref, incoming.UPLOAD_PACK)


class Mirror:
    """A machine's bare copy of one repository, in a folder of its own. No agent gets its path as a remote."""

    def __init__(self, folder: Path, origin: str) -> None:
        if not _ORIGIN.fullmatch(origin):
            raise ExchangeFailed(f"{origin} is not a path or an address of a repository")
        self._folder = folder
        self._origin = origin

    @contextmanager
    def _locked(self) -> Iterator[Repository]:
        with locks.file_lock(self._folder.with_suffix(".lock")):
            yield Repository(self._folder, None)

    def fetch(self, *commits: Oid) -> None:
        """Have these commits with all of their history. Raises `ExchangeFailed` if the origin does not give them."""
        with self._locked() as repository:
            if not (self._folder / "HEAD").exists():
                _initialize(self._folder, _kind(commits[0]))
            missing = [commit for commit in dict.fromkeys(commits) if not (self._folder / _base(commit)).is_file()]
            if not missing:
                return
            words = [f"+{commit}:{_base(commit)}" for commit in missing]
            answer = repository.git("fetch", *_QUIET, "--", self._origin, *words, env=_variables(), ok=range(256))
            if answer.code != 0:
                raise ExchangeFailed(f"could not fetch from {self._origin}: {_reason(answer)}")

    def hold(self, lease: Lease, token: str) -> None:
        """Have the commit of a lease, to deliver with. It is fetched only if this version makes another one."""
        kind = _kind(lease.commit)
        tree = hashlib.new(kind, b"tree 0\0").hexdigest()
        words = ("hash-object", "-w", "-t", "commit", "--stdin")
        with self._locked() as mirror:
            made = mirror.git(*words, input=_lease_content(tree, lease.epoch, token)).text
        if made != lease.commit:
            self.fetch(lease.commit)

    def borrow(self, folder: Path, start: Oid, name: str, mail: str, *, branch: str = "") -> Repository:
        """Return a new bare repository that uses the mirror's objects, such as those of `start`, and has no remote.

        A `branch` of it is at `start`.
        """
        shutil.rmtree(folder, ignore_errors=True)
        _initialize(folder, _kind(start), ("user.name", name), ("user.email", mail))
        (folder / "objects/info/alternates").write_text(f"{self._folder / 'objects'}\n")
        if branch:
            ref = folder / branch_ref(branch)
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(f"{start}\n")
        return Repository(folder, None)

    def take(self, repository: Repository, name: Ref, token: str) -> Oid:
        """Bring the commit of a borrowed repository's ref into the mirror. Raises `ExchangeFailed`."""
        ref = _taken_ref(token)
        with self._locked() as mirror:
            source = repository.common_dir
            if problem := incoming.fetch(mirror, source, name, ref, incoming.UPLOAD_PACK):
                raise ExchangeFailed(problem)
            tip = mirror.read_ref(ref)
        if tip is None:
            raise ExchangeFailed("the commits are not in the mirror")
        return tip

    def push(self, tip: Oid, ref: Ref, lease: Ref, commit: Oid) -> None:
        """Deliver a tip under a new ref, while a lease is at its commit. Raises `ExchangeFailed` if it is refused."""
        words = ("--quiet", "--atomic", f"--force-with-lease={ref}:", f"--force-with-lease={lease}:{commit}")
        mirror = Repository(self._folder, None)
        targets = (f"{tip}:{ref}", f"{commit}:{lease}")
        answer = mirror.git("push", *words, "--", self._origin, *targets, env=_variables(), ok=range(256))
        if answer.code != 0:
            raise ExchangeFailed(f"could not push to {self._origin}: {_reason(answer)}")

    def bundle(self, token: str, start: Oid, largest: int) -> bytes:
        """Return what was taken as a bundle on top of `start`. Raises `ExchangeFailed` if it is too large."""
        mirror = Repository(self._folder, None)
        content = mirror.git("bundle", "create", "--quiet", "-", _taken_ref(token), f"^{start}").stdout
        if len(content) > largest:
            raise ExchangeFailed(f"the work has {len(content)} bytes as a bundle, more than {largest}: use a push")
        return content

    def release(self, token: str) -> None:
        """Forget what was taken."""
        with self._locked() as mirror:
            mirror.git("update-ref", "-d", _taken_ref(token))


def _base(commit: Oid) -> Ref:
    return Ref(f"{OWN_REFS}base/{commit}")


def _taken_ref(token: str) -> Ref:
    return Ref(f"{OWN_REFS}taken/{token}")


def _kind(commit: Oid) -> str:
    return "sha256" if len(commit) == 64 else "sha1"


def _initialize(folder: Path, kind: str, *more: tuple[str, str]) -> None:
    """Make a bare repository as `git init` does, without a process: each agent gets one. HEAD comes last."""
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    settings = [("core.repositoryformatversion", "0" if kind == "sha1" else "1"), ("core.bare", "true")]
    settings += [] if kind == "sha1" else [("extensions.objectformat", kind)]
    content = "".join(config_text.lines([*settings, *more]))
    (folder / "config").write_text(content, encoding="utf-8", errors="surrogateescape")
    (folder / "HEAD").write_text("ref: refs/heads/none\n")


def _variables() -> dict[str, str]:
    return config_variables(_SETTINGS)


def _reason(answer: Output) -> str:
    lines: Sequence[str] = [line for line in answer.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith(("fatal:", "error:", " ! "))]
    return next(iter([*marked, *lines]), f"git ended with {answer.code}")[:_SHOWN].strip()
