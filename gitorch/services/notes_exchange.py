"""Send gitorch's notes to a remote, and take a remote's: only when the user says so."""

from __future__ import annotations

import msgspec

from gitorch.errors import InvalidInput, NotFound, Refused
from gitorch.git.notes import note_store
from gitorch.git.notes.revert import contents_of, note_blobs
from gitorch.git.repository import Output
from gitorch.git.worktrees import unfinished
from gitorch.git.writing import unreferenced
from gitorch.model.naming import NOTES, Oid, Ref
from gitorch.model.refs import RefUpdate
from gitorch.services.changes import operate
from gitorch.services.recovery.operations import operation_lock
from gitorch.services.workspace import Workspace

_REMOTE = "refs/gitorch/remote-notes/{}"


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """The notes before and after an exchange with a remote: equal if nothing moved."""

    remote: str
    before: Oid | None
    after: Oid | None

    @property
    def moved(self) -> bool:
        """Whether anything changed."""
        return self.before != self.after


def push(workspace: Workspace, remote: str) -> Exchange:
    """Send the notes to a remote; raise `Refused` if it has notes that are not here."""
    repository = workspace.repository
    _require_remote(workspace, remote)
    tip = repository.read_ref(NOTES)
    if tip is None:
        raise NotFound("no-notes", "there are no notes to push", fix=("orchestrate run",))
    before = _remote_tip(workspace, remote)
    if before == tip:
        return Exchange(remote=remote, before=before, after=tip)
    answer = repository.remote_git("push", "--quiet", remote, f"{tip}:{NOTES}")
    if answer.code != 0 and before is not None and not _contains(workspace, before, tip):
        raise Refused(
            "notes-behind",
            f"{remote} has notes that are not here",
            fix=(f"orchestrate notes fetch {remote}", f"orchestrate notes push {remote}"),
        )
    if answer.code != 0:
        raise _failed("push", remote, answer)
    return Exchange(remote=remote, before=before, after=tip)


def fetch(workspace: Workspace, remote: str) -> Exchange:
    """Take the notes of a remote: lines that are only there are added, and none is removed."""
    repository = workspace.repository
    _require_remote(workspace, remote)
    if _remote_tip(workspace, remote) is None:
        raise NotFound("no-notes", f"{remote} has no notes of gitorch")
    ref = Ref(_REMOTE.format(remote))
    words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
    answer = unfinished.retried(repository, lambda: repository.remote_git(*words, remote, f"+{NOTES}:{ref}"))
    if answer.code != 0:
        raise _failed("fetch", remote, answer)
    with operation_lock(workspace), note_store.lock(repository):
        before, theirs = repository.read_ref(NOTES), repository.read_ref(ref)
        assert theirs is not None  # the fetch has just written it
        if before is not None and repository.is_ancestor(theirs, before):
            return Exchange(remote=remote, before=before, after=before)
        update = _united(workspace, before, theirs)
        operate(workspace, "notes", [], [update], summary=f"fetch the notes of {remote}")
    return Exchange(remote=remote, before=before, after=update.new)


def _united(workspace: Workspace, before: Oid | None, theirs: Oid) -> RefUpdate:
    """Return the update to notes that have the lines of both sides."""
    repository = workspace.repository
    if before is None or repository.is_ancestor(before, theirs):
        return RefUpdate(NOTES, theirs, before)
    our_blobs, their_blobs = note_blobs(repository, before), note_blobs(repository, theirs)
    differing = [commit for commit, blob in their_blobs.items() if our_blobs.get(commit) != blob]
    our_notes = contents_of(repository, our_blobs, differing)
    their_notes = contents_of(repository, their_blobs, differing)
    contents = {commit: with_lines(our_notes.get(commit, b""), their_notes[commit]) for commit in differing}
    changed = {commit: content for commit, content in contents.items() if content != our_notes.get(commit, b"")}
    tip = note_store.build_rewritten(repository, before, changed).new if changed else before
    assert tip is not None  # notes were added, none was removed
    # a merge commit, so that the remote takes it as a fast-forward
    merge = unreferenced.commit_tree(
        repository, repository.tree(tip), [before, theirs], "gitorch notes\n", repository.identity()
    )
    return RefUpdate(NOTES, merge, before)


def with_lines(note: bytes, other: bytes) -> bytes:
    """Return a note with the lines of another that it lacks, after its own."""
    lines = note.splitlines()
    missing = [line for line in other.splitlines() if line and line not in lines]
    return b"".join(line + b"\n" for line in [*lines, *missing])


def _require_remote(workspace: Workspace, remote: str) -> None:
    remotes = workspace.repository.git("remote").text.split("\n")
    if remote not in remotes:
        remote_names = ", ".join(filter(None, remotes))
        why = f"there is {remote_names}" if remote_names else "this repository has no remote"
        raise InvalidInput("no-such-remote", f"there is no remote {remote}", why=why, fix=("git remote -v",))


def _remote_tip(workspace: Workspace, remote: str) -> Oid | None:
    answer = workspace.repository.remote_git("ls-remote", "--refs", remote, NOTES)
    if answer.code != 0:
        raise _failed("ls-remote", remote, answer)
    return Oid(answer.text.split("\t")[0]) if answer.text else None


def _contains(workspace: Workspace, older: Oid, newer: Oid) -> bool:
    repository = workspace.repository
    return repository.exists(older) and repository.is_ancestor(older, newer)


def _failed(command: str, remote: str, answer: Output) -> Refused:
    message = answer.stderr.decode("utf-8", "replace").strip()
    return Refused("remote-failed", f"git {command} failed for {remote}", why=message, fix=("git remote -v",))
