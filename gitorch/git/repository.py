"""A git repository: resolve names, read and write objects, and update several refs in one step."""

from __future__ import annotations

import os
import re
import shlex
import threading
import time
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from pathlib import Path
from typing import IO

from gitorch import regular_files
from gitorch.errors import NotFound, Refused, SetupNeeded
from gitorch.git import kept_packs, layout
from gitorch.git.commit_settings import CommitSettings, commit_settings_in
from gitorch.git.object_reader import ObjectReader
from gitorch.git.objects import BatchEntry, Commit, parse_commit
from gitorch.git.process import (
    BatchProcess,
    GitFailed,
    GitRunner,
    NeedsTooLong,
    Output,
    cause_of_failure,
)
from gitorch.git.settings import COMMAND as SETTINGS_COMMAND, Settings, parse as parse_settings
from gitorch.model.naming import NOTES, Oid, Ref, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.model.visible import visible
from gitorch.storage import notes_tip, own_changes

__all__ = [
    "BatchEntry",
    "BatchProcess",
    "Commit",
    "GitFailed",
    "NeedsTooLong",
    "Output",
    "RefsMoved",
    "Repository",
    "quoted_path",
]

OLDEST_GIT = (2, 38)

GITORCH_IDENTITY = {
    "GIT_AUTHOR_NAME": "gitorch",
    "GIT_AUTHOR_EMAIL": "gitorch@localhost",
    "GIT_COMMITTER_NAME": "gitorch",
    "GIT_COMMITTER_EMAIL": "gitorch@localhost",
}
"""The environment in which git commits as gitorch itself."""

STALE_SECONDS = 2.0
"""A running git holds the lock of a ref or an index for milliseconds."""

_IDENTITY = re.compile(r"(user|author|committer)\.(name|email)")

# most of `git rev-parse --local-env-vars`: set by hooks and aliases, they would point our git at another repository
_LOCAL_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CONFIG GIT_OBJECT_DIRECTORY GIT_DIR GIT_WORK_TREE GIT_IMPLICIT_WORK_TREE "
    "GIT_GRAFT_FILE GIT_INDEX_FILE GIT_NO_REPLACE_OBJECTS GIT_REPLACE_REF_BASE GIT_PREFIX GIT_SHALLOW_FILE "
    "GIT_COMMON_DIR GIT_INTERNAL_SUPER_PREFIX GIT_NAMESPACE"
).split()
_PLACES = ("GIT_DIR", "GIT_WORK_TREE")
"""Those of them by which a person means another repository, or another folder of files."""

# they change what a path in a command means, or how git prints what we read
_ANSWER_VARIABLES = (
    "GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS GIT_DIFF_OPTS GIT_FLUSH"
).split()
# settings of git without a file: a person's own, such as an identity, or those that fence an agent's git
_SYMBOLIC = b"ref: "
_SETTINGS_VARIABLES = ("GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS")


def clear_local_variables() -> None:
    """Forget what in the environment would point our git at another repository, or change its answers.

    The settings that the environment holds stay in force, except those that fence an agent.
    """
    fence = _SETTINGS_VARIABLES if "GITORCH_GIT_DIR" in os.environ else ()
    for name in (*_LOCAL_VARIABLES, *_ANSWER_VARIABLES, *fence):
        os.environ.pop(name, None)


def without_effect(variables: Sequence[str]) -> str:
    """Say that variables of the environment do not lead gitorch to a repository, as they do git."""
    return f"gitorch ignores {' and '.join(variables)} of your environment"


class RefsMoved(Refused):
    """A ref did not have its expected value: nothing was updated."""


class Repository:
    """A git repository: its common folder, and the work tree of the user (None in a bare repository).

    `checkout` is the folder from which the user's own files are read, as `git.layout` finds it.
    """

    def __init__(self, common_dir: Path, work_tree: Path | None, checkout: Path | None = None) -> None:
        self.common_dir = common_dir
        self.work_tree = work_tree
        self.checkout = checkout or work_tree
        self._runner = GitRunner(common_dir)
        self._objects = ObjectReader(self._runner)
        self._committers: dict[str, str] = {}  # by the date that the environment pins
        self._inode = _inode(common_dir)
        self.ignored_variables: tuple[str, ...] = ()
        self.head_name = "HEAD"  # of the worktree in which the command was started

    @classmethod
    def discover(cls, start: Path) -> Repository:
        """Find the repository around a folder; raise `NotFound` if there is none.

        From a linked worktree it finds the main one, so that every command sees the same state.
        """
        # an agent's are those of its fence
        names = () if "GITORCH_GIT_DIR" in os.environ else _PLACES
        named = {name: os.path.realpath(os.environ[name]) for name in names if os.environ.get(name)}
        clear_local_variables()
        answer = layout.ask(start)
        if answer.code != 0:
            _refuse_discovery(start, answer, [*named])
        parts = layout.find(start, Path(answer.text))
        repository = cls(parts.common_dir, parts.work_tree, parts.checkout)
        repository.head_name = layout.head_name(start, parts.common_dir)
        if parts.settings is not None:
            repository.settings = parts.settings
        repository.ignored_variables = tuple(name for name in named if not repository.is_at(named))
        return repository

    def is_at(self, places: Mapping[str, str]) -> bool:
        """Return whether `GIT_DIR` and `GIT_WORK_TREE` name this repository: hooks of git set them so."""
        common_dir = os.path.realpath(self.common_dir)
        git_dir = places.get("GIT_DIR", common_dir)
        is_own = git_dir == common_dir or Path(git_dir).parent == Path(common_dir, "worktrees")
        if git_dir != common_dir or self.work_tree is None:
            return is_own
        top = os.path.realpath(self.work_tree)
        return places.get("GIT_WORK_TREE", top) == top

    def git(
        self,
        *args: str,
        input: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        git_dir: Path | None = None,
        ok: Container[int] = (0,),
    ) -> Output:
        """Run git and return what it printed, as `GitRunner.run` does."""
        return self._runner.run(*args, input=input, env=env, cwd=cwd, git_dir=git_dir, ok=ok)

    def hurry_when(self, stop: threading.Event) -> None:
        """Let a git that reads a work tree have a fifth of its processor time once `stop` is set."""
        self._runner.hurry = stop

    def remove_pipes_by(self, remove: Callable[[Path], bool]) -> None:
        """Let `remove` take away a named pipe that git waits for, and return whether it has; git then runs again."""
        self._runner.remove_pipe = remove

    def remote_git(self, *args: str) -> Output:
        """Run a git command that talks to a remote, and return its answer whatever its exit code is.

        The address of a remote may be a relative path: as for the user's git, it starts at the top of the work tree.
        """
        return self.git(*args, cwd=self.work_tree, ok=range(256))

    def run_program(self, command: Sequence[str], input: bytes | None = None) -> Output:
        """Run a program that git's configuration names, as `GitRunner.run_program` does."""
        return self._runner.run_program(command, input)

    def lines(self, *args: str) -> Iterator[bytes]:
        """Run git and yield the lines that it prints, as `GitRunner.lines` does."""
        return self._runner.lines(*args)

    def start_batch(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        git_dir: Path | None = None,
        wrapper: Sequence[str] = (),
    ) -> BatchProcess:
        """Start a git process that answers many requests, as `GitRunner.start_batch` does."""
        return self._runner.start_batch(*args, env=env, cwd=cwd, git_dir=git_dir, wrapper=wrapper)

    def inherit_lock(self, lock: IO[str] | int, *, all_threads: bool = True) -> AbstractContextManager[None]:
        """Let git processes hold a locked file as well, as `GitRunner.inherit_lock` does."""
        return self._runner.inherit_lock(lock, all_threads=all_threads)

    def refs(self, *patterns: str) -> dict[Ref, Oid]:
        """Return the refs that match these patterns and what they point at; without patterns, all refs."""
        listing = self.git("for-each-ref", "--format=%(objectname) %(refname)", *patterns).text
        pairs = (line.split(" ", 1) for line in listing.split("\n") if line)
        return {Ref(name): Oid(oid) for oid, name in pairs}

    def object_ids(self, *names: str) -> list[Oid | None]:
        """Return the objects that names of our own making mean (`REF`, `COMMIT^{tree}`), in one process.

        The cost does not depend on the number of refs; `refs` reads a whole folder of them.
        """
        return [Oid(entry.name) if entry.kind else None for entry in self._objects.inspect(names)]

    def object_sizes(self, names: Iterable[str]) -> list[int]:
        """Return the sizes of objects in bytes, without reading them; 0 for what does not exist."""
        return [entry.size for entry in self._objects.inspect([*names])]

    def has_ref(self, name: Ref) -> bool:
        """Return whether there is a ref of this name; its folder, which may be large, is not read in most cases."""
        # other names may mean the same text, such as a tag of this name
        return self.object_ids(name) != [None] and name in self.refs(name)

    def read_ref(self, ref: Ref) -> Oid | None:
        """Return what a ref points at; None if there is no such ref."""
        answer = self.git("show-ref", "--verify", "--hash", ref, ok=range(256))
        return Oid(answer.text) if answer.code == 0 else None

    def resolve(self, name: str) -> Oid | None:
        """Return the commit that a name refers to; None if there is none."""
        try:
            return None if name.startswith("-") else self.object_ids(f"{name}^{{commit}}")[0]
        except GitFailed:  # a damaged repository
            return None

    def full_name(self, name: str) -> str:
        """Return the full name of the branch that a name means; the name itself if it means something else.

        git itself takes `main` for a tag of this name if there is one, except where it switches branches.
        """
        branch = branch_ref(name)
        return name if name == "HEAD" or self.resolve(branch) is None else branch

    def head(self) -> tuple[Ref | None, Oid | None]:
        """Return the branch that the user is on (None: detached) and its commit (None: no commit yet).

        In one of the user's linked worktrees it is the branch of that worktree.
        """
        answer = self.git("symbolic-ref", "--quiet", self.head_name, ok=(0, 1))
        return (Ref(answer.text) if answer.code == 0 else None), self.resolve(self.head_name)

    def tree(self, commit: Oid) -> Oid:
        """Return the tree of a commit."""
        (tree,) = self.object_ids(f"{commit}^{{tree}}")
        if tree is None:
            raise GitFailed("object-missing", f"{commit} is not a commit of this repository")
        return tree

    def is_ancestor(self, older: Oid, newer: Oid) -> bool:
        """Tell whether `older` is reachable from `newer`."""
        return self.git("merge-base", "--is-ancestor", older, newer, ok=(0, 1)).code == 0

    def exists(self, oid: str) -> bool:
        """Tell whether the repository has this object."""
        try:
            return self.object_ids(oid) != [None]
        except GitFailed:
            return False

    def file(self, commit: Oid, path: str) -> bytes | None:
        """Return a file as a commit has it; None where it has none, or a damaged one."""
        with suppress(GitFailed):
            (entry,) = self._objects.read([f"{commit}:{path}"])
            return entry.content if entry.kind == "blob" else None
        return None

    def plain_files(self, commit: str, folder: str, *, max_files: int, max_bytes: int) -> dict[str, bytes]:
        """Return the first `max_files` plain files of a folder in a commit, by path: no links, none over `max_bytes`.

        A missing commit or folder has no files.
        """
        if not commit.isprintable():
            return {}
        listing = self.git("ls-tree", "-z", "-l", "--end-of-options", commit, f"{folder}/", ok=range(256))
        blobs: dict[str, str] = {}
        for entry in listing.fields() if listing.code == 0 else []:
            words, _, path = entry.partition("\t")
            mode, _, oid, size = words.split()
            if mode.startswith("100") and int(size) <= max_bytes and len(blobs) < max_files:
                blobs[path] = oid
        contents = self.read_objects(blobs.values())
        return {path: entry.content or b"" for path, entry in zip(blobs, contents, strict=True)}

    def read_objects(self, names: Iterable[str]) -> list[BatchEntry]:
        """Read objects by id or by name (`COMMIT:PATH`), in one process and in the order of the names."""
        return self._objects.read([*names])

    def commits(self, oids: Iterable[Oid]) -> list[Commit]:
        """Read commits in one process, in the order of the ids."""
        return [_commit(entry) for entry in self.read_objects(oids)]

    @cached_property
    def superproject(self) -> Path | None:
        """The work tree of the outermost repository that has this one as a submodule; None if none has."""
        return layout.superproject(self.work_tree) if self.work_tree is not None else None

    def identity(self) -> dict[str, str]:
        """Return the environment that lets git commit: empty if the user has configured a name in a file.

        A name that is configured in a variable (`GIT_CONFIG_COUNT`) would not reach an agent otherwise.
        """
        return self._identity

    @cached_property
    def _identity(self) -> dict[str, str]:
        answer = self.git("var", "GIT_COMMITTER_IDENT", ok=(0, 128))
        if answer.code == 0:
            self._committers[os.environ.get("GIT_COMMITTER_DATE", "")] = answer.text
            given = any(entry.scope == "command" and _IDENTITY.fullmatch(entry.name) for entry in self.settings.entries)
            return self._name_variables() if given else {}
        return GITORCH_IDENTITY

    def _name_variables(self) -> dict[str, str]:
        variables: dict[str, str] = {}
        for who in ("AUTHOR", "COMMITTER"):
            name, _, rest = self.git("var", f"GIT_{who}_IDENT").text.partition(" <")
            variables |= {f"GIT_{who}_NAME": name, f"GIT_{who}_EMAIL": rest.partition(">")[0]}
        return variables

    def committer(self) -> str:
        """Return the committer line's value for a commit made now: name, mail, time, zone."""
        if "GIT_COMMITTER_DATE" in os.environ:
            return self._committer()
        return f"{self._name_and_mail} {time.strftime('%s %z')}"

    def _committer(self) -> str:
        pinned = os.environ.get("GIT_COMMITTER_DATE", "")
        identity = self.identity()  # it asks git the same question, and may have stored the answer
        if pinned not in self._committers:
            self._committers[pinned] = self.git("var", "GIT_COMMITTER_IDENT", env=identity).text
        return self._committers[pinned]

    @cached_property
    def _name_and_mail(self) -> str:
        return self._committer().rpartition(">")[0] + ">"

    @cached_property
    def settings(self) -> Settings:
        """The settings of git; read once, or again after `forget_settings`."""
        return parse_settings(self.git(*SETTINGS_COMMAND).fields())

    def forget_settings(self) -> None:
        """Read the settings again when they are needed next: a run may last longer than they are true."""
        for name in ("settings", "commit_settings"):
            self.__dict__.pop(name, None)

    @cached_property
    def commit_settings(self) -> CommitSettings:
        """The settings that decide which bytes a rewritten commit has."""
        return commit_settings_in(self.settings)

    def update_refs(self, updates: Sequence[RefUpdate], reason: str) -> None:
        """Update refs in one transaction, each only if it has its old value.

        Raises `RefsMoved`, with nothing updated, if one of them has another value, and `Refused` if another repository
        has taken this one's place, or a symbolic ref that of a ref: no other branch moves through it.
        """
        if not updates:
            return
        self._require_same_folder()
        for update in updates:
            self._require_own_value(update.ref)
        # before they move: a run must know them for gitorch's own, also when this process is killed in between
        own_changes.record(
            self.common_dir / "gitorch", {update.ref: (update.old or "", update.new or "") for update in updates}
        )
        zero = "0" * len(next(oid for update in updates for oid in (update.new, update.old) if oid))
        commands = ["start"]
        for update in updates:
            # also if it has become a symbolic ref since
            commands += ["option no-deref", f"update {update.ref}\0{update.new or zero}\0{update.old or zero}"]
        commands += ["prepare", "commit"]
        answer = self._update_refs(commands, reason)
        if answer.code != 0 and self.remove_stale_locks(*self._locks([update.ref for update in updates])):
            answer = self._update_refs(commands, reason)
        if answer.code != 0 and (cause := cause_of_failure(answer)):
            raise cause
        if answer.code != 0:
            raise RefsMoved(
                "refs-moved",
                f"could not {reason}: a branch was moved at the same time, or its name is taken",
                why=answer.stderr.decode("utf-8", "replace").strip(),
                fix=("run the command again",),
            )
        kept_packs.release(self.common_dir, [update.new for update in updates if update.new])
        for update in updates:
            if update.ref == NOTES:
                notes_tip.remember(self.common_dir / "gitorch", update.new)

    def _require_same_folder(self) -> None:
        """Raise `Refused` if another repository has taken this one's place: what is known is not true of that."""
        inode = _inode(self.common_dir)
        if inode is not None and inode != self._inode:
            raise Refused(
                "repository-replaced",
                f"another repository is at {self.common_dir} now",
                why="the folder was replaced while this command was working",
                fix=("run the command again",),
            )

    def _require_own_value(self, ref: Ref) -> None:
        """Raise `Refused` for a symbolic ref. Where refs are no files, git replaces it by a ref with a value."""
        with suppress(OSError):
            content = regular_files.read(self.common_dir / ref)
            if content.startswith(_SYMBOLIC):
                target = visible(content.removeprefix(_SYMBOLIC).decode("utf-8", "replace").strip())
                raise Refused(
                    "symbolic-ref",
                    f"{ref} is a symbolic ref to {target}",
                    why="gitorch does not move a branch under another name",
                    fix=(f"git symbolic-ref --delete {shlex.quote(ref)}",),
                )

    def _locks(self, refs: Collection[Ref]) -> list[Path]:
        """Return the lock files of refs, and that of HEAD if one of them is checked out: git moves both."""
        names = [*refs]
        if self.git("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).text in refs:
            names.append(Ref("HEAD"))
        return [self.common_dir / f"{name}.lock" for name in names]

    def _update_refs(self, commands: Sequence[str], reason: str) -> Output:
        return self.git(
            *("update-ref", "--create-reflog", "-m", f"gitorch: {reason}", "-z", "--stdin"),
            input="".join(f"{command}\0" for command in commands).encode(),
            env=self.identity(),
            ok=(0, 128),
        )

    def remove_stale_locks(self, *locks: Path) -> bool:
        """Remove the lock files of a killed git; return whether there were any. Only for files of gitorch's own.

        The owner of a lock younger than `STALE_SECONDS` may be alive, and gets that time to release it.
        """
        existing = [lock for lock in locks if lock.exists()]
        for lock in existing:
            with suppress(FileNotFoundError):
                time.sleep(max(0.0, STALE_SECONDS - _age(lock)))
                if _age(lock) >= STALE_SECONDS:
                    lock.unlink()
        return bool(existing)

    @cached_property
    def version(self) -> tuple[int, ...]:
        """Git's version."""
        words = self.git("version").text.split()
        return tuple(int(part) for part in words[2].split(".")[:3] if part.isdigit())

    def require_git(self) -> None:
        """Raise `SetupNeeded` if git is too old for gitorch."""
        version = self.version
        if version < OLDEST_GIT:
            have, need = (".".join(map(str, numbers)) for numbers in (version, OLDEST_GIT))
            raise SetupNeeded("git-too-old", f"git {have} is too old", why=f"gitorch needs git {need} or newer")


def quoted_path(path: Path) -> str:
    """Return a folder as git reads it in `GIT_ALTERNATE_OBJECT_DIRECTORIES`."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _inode(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another one at the same path; None if there is none."""
    with suppress(OSError):
        status = folder.stat()
        return status.st_dev, status.st_ino
    return None


def _age(lock: Path) -> float:
    """Return how old a file is in seconds, also if the clock was set back."""
    return abs(time.time() - lock.stat().st_mtime)


def _commit(entry: BatchEntry) -> Commit:
    if entry.content is None or entry.kind != "commit":
        raise GitFailed("object-missing", f"{entry.name} is not a commit of this repository")
    return parse_commit(Oid(entry.name), entry.content)


def _refuse_discovery(start: Path, answer: Output, ignored: Sequence[str]) -> None:
    message = answer.stderr.decode("utf-8", "replace").strip()
    if not start.is_dir():
        raise NotFound("not-a-repository", f"there is no folder {start}", fix=("orchestrate -C PATH ...",))
    if "dubious ownership" in message:
        raise NotFound("foreign-repository", "git does not trust this repository", why=message)
    if (top := layout.unlinked_worktree(start)) is not None:
        if top.parent.name == layout.TRASH:
            repository = shlex.quote(str(layout.repository_of(top)))
            raise NotFound(
                "worktree-removed",
                f"{top} is in the trash: the worktree of this task was removed",
                why="`cleanup` removes the worktrees of merged and rejected tasks",
                fix=(f"cd {repository}", f"orchestrate -C {repository} undo --list"),
            )
        raise NotFound(
            "repository-moved",
            f"{top} is a worktree, and its repository is not where it was",
            why=message,
            fix=("orchestrate -C REPOSITORY status", f"git -C REPOSITORY worktree repair {shlex.quote(str(top))}"),
        )
    raise NotFound(
        "not-a-repository",
        f"{start} is not inside a git repository",
        why=f"{without_effect(ignored)}; {message}" if ignored else message,
        fix=("git init && git commit --allow-empty -m 'First commit'", "orchestrate -C PATH ..."),
    )
