"""What a repository is asked: to resolve names, read and make objects, and move several refs in one step."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import msgspec

from gitorch.errors import NotFound, Refused, SetupNeeded
from gitorch.git.process import Dialogue, Door, GitFailed, Output, failed, run
from gitorch.model.naming import Oid, Ref

__all__ = ["Commit", "Dialogue", "GitFailed", "Output", "RefMove", "RefsMoved", "Repository", "parse_commit"]

OLDEST_GIT = (2, 38)

STALE_SECONDS = 2.0
"""A git that lives holds the lock of a ref or an index for milliseconds."""

# `git rev-parse --local-env-vars`: set by hooks and aliases, they would point our git at another repository
LOCAL_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CONFIG GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT GIT_OBJECT_DIRECTORY GIT_DIR "
    "GIT_WORK_TREE GIT_IMPLICIT_WORK_TREE GIT_GRAFT_FILE GIT_INDEX_FILE GIT_NO_REPLACE_OBJECTS GIT_REPLACE_REF_BASE "
    "GIT_PREFIX GIT_SHALLOW_FILE GIT_COMMON_DIR GIT_INTERNAL_SUPER_PREFIX GIT_NAMESPACE"
).split()


class RefMove(msgspec.Struct, frozen=True):
    """One ref to move: its new value (None deletes) and the value that it must have now (None: must not exist)."""

    ref: Ref
    new: Oid | None
    old: Oid | None


class RefsMoved(Refused):
    """A ref was not where it was expected: nothing was moved."""


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A commit as git stores it: `raw` is the object's bytes."""

    oid: Oid
    raw: bytes
    tree: Oid
    parents: tuple[Oid, ...]

    @property
    def message(self) -> str:
        return self.raw.partition(b"\n\n")[2].decode("utf-8", "replace")

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]


class Repository(Door):
    """A git repository: its common folder, and the work tree of the user (None in a bare repository)."""

    def __init__(self, common_dir: Path, work_tree: Path | None) -> None:
        super().__init__(common_dir)
        self.work_tree = work_tree
        self._committers: dict[str, str] = {}  # by the date that the environment pins

    @classmethod
    def discover(cls, start: Path) -> Repository:
        """Find the repository around a folder; raise `NotFound` where there is none.

        From a linked worktree it finds the main one, so that every command sees the same state.
        """
        for name in LOCAL_VARIABLES:
            os.environ.pop(name, None)
        answer = run(
            ["git", "-C", str(start), "rev-parse", "--path-format=absolute", "--git-common-dir", "--is-bare-repository"]
        )
        if answer.code != 0:
            _refuse_discovery(start, answer)
        *folder, bare = answer.text.split("\n")
        common = Path("\n".join(folder))
        return cls(common, None if bare == "true" else _main_work_tree(common))

    def refs(self, *patterns: str) -> dict[Ref, Oid]:
        """Return the refs under these patterns with what they point at; all refs without one.

        Runs git directly: `status` needs this and nothing else of git.
        """
        argv = ["git", f"--git-dir={self.common_dir}", "for-each-ref", "--format=%(objectname) %(refname)", *patterns]
        answer = run(argv)
        if answer.code != 0:
            raise failed(["for-each-ref"], answer)
        pairs = (line.split(" ", 1) for line in answer.text.split("\n") if line)
        return {Ref(name): Oid(oid) for oid, name in pairs}

    def look_up(self, *names: str) -> list[Oid | None]:
        """Return the objects that names of our own making mean (`REF`, `COMMIT^{tree}`), in one process.

        However many refs there are, it costs the same; `refs` reads a whole folder of them.
        """
        asked = "".join(f"{name}\n" for name in names).encode()
        lines = self.git("cat-file", "--batch-check=%(objectname) found", input=asked).text.split("\n")
        return [Oid(line.split(" ")[0]) if line.endswith(" found") else None for line in lines]

    def at(self, ref: Ref) -> Oid | None:
        """Return what a ref points at; None where there is no such ref.

        Runs git directly, as `refs` does.
        """
        answer = run(["git", f"--git-dir={self.common_dir}", "show-ref", "--verify", "--hash", ref])
        return Oid(answer.text) if answer.code == 0 else None

    def resolve(self, name: str) -> Oid | None:
        """Return the commit that a name means; None when there is none."""
        if name.startswith("-"):
            return None
        answer = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", ok=(0, 1, 128))
        # 2.39 prints the end-of-options word back
        return Oid(answer.text.split("\n")[-1]) if answer.code == 0 else None

    def head(self) -> tuple[Ref | None, Oid | None]:
        """Return the branch that the user is on (None: detached) and its commit (None: no commit yet)."""
        answer = self.git("symbolic-ref", "--quiet", "HEAD", ok=(0, 1))
        return (Ref(answer.text) if answer.code == 0 else None), self.resolve("HEAD")

    def tree(self, commit: Oid) -> Oid:
        """Return the tree of a commit."""
        return Oid(self.git("rev-parse", "--verify", f"{commit}^{{tree}}").text)

    def is_ancestor(self, older: Oid, newer: Oid) -> bool:
        """Tell whether `older` is reachable from `newer`."""
        return self.git("merge-base", "--is-ancestor", older, newer, ok=(0, 1)).code == 0

    def exists(self, oid: str) -> bool:
        """Tell whether the repository has this object."""
        return self.git("cat-file", "-e", oid, ok=(0, 1, 128)).code == 0

    def file(self, commit: Oid, path: str) -> bytes | None:
        """Return a file as a commit has it; None where it has none."""
        answer = self.git("cat-file", "blob", f"{commit}:{path}", ok=(0, 128))
        return answer.stdout if answer.code == 0 else None

    def plain_files(self, commit: str, folder: str, *, most: int, largest: int) -> dict[str, bytes]:
        """Return the plain files right in a folder as a commit has them, by path: no links, none over `largest` bytes.

        Runs git directly, as `refs` does. Without such a commit or folder there are none.
        """
        if not commit.isprintable():
            return {}
        where = [f"--git-dir={self.common_dir}"]
        listing = run(["git", *where, "ls-tree", "-z", "-l", "--end-of-options", commit, f"{folder}/"])
        found: dict[str, bytes] = {}
        for entry in listing.fields() if listing.code == 0 else []:
            kind, _, path = entry.partition("\t")
            mode, _, oid, size = kind.split()
            if mode.startswith("100") and int(size) <= largest and len(found) < most:
                found[path] = run(["git", *where, "cat-file", "blob", oid]).stdout
        return found

    def commits(self, oids: Iterable[Oid]) -> list[Commit]:
        """Read commits in one go, in the order asked for."""
        wanted = list(oids)
        if not wanted:
            return []
        stream = self.git("cat-file", "--batch", input="".join(f"{oid}\n" for oid in wanted).encode()).stdout
        return list(_parse_commits(stream, wanted))

    def write_commit(self, raw: bytes) -> Oid:
        """Store a commit object of exactly these bytes."""
        return Oid(self.git("hash-object", "-t", "commit", "-w", "--stdin", input=raw).text)

    def identity(self) -> dict[str, str]:
        """Return the environment that lets git commit: empty where the user has configured a name."""
        return self._identity

    @cached_property
    def _identity(self) -> dict[str, str]:
        answer = self.git("var", "GIT_COMMITTER_IDENT", ok=(0, 128))
        if answer.code == 0:
            self._committers[os.environ.get("GIT_COMMITTER_DATE", "")] = answer.text
            return {}
        name, mail = "gitorch", "gitorch@localhost"
        return {
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": mail,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": mail,
        }

    def committer(self) -> str:
        """Return the committer line's value for a commit made now: name, mail, time, zone."""
        if "GIT_COMMITTER_DATE" in os.environ:
            return self._committer()
        return f"{self._name_and_mail} {time.strftime('%s %z')}"

    def _committer(self) -> str:
        pinned = os.environ.get("GIT_COMMITTER_DATE", "")
        named = self.identity()  # its own question may have answered this one
        if pinned not in self._committers:
            self._committers[pinned] = self.git("var", "GIT_COMMITTER_IDENT", env=named).text
        return self._committers[pinned]

    @cached_property
    def _name_and_mail(self) -> str:
        return self._committer().rpartition(">")[0] + ">"

    def move(self, moves: Sequence[RefMove], reason: str) -> None:
        """Move refs all together, each only from the value that it is expected to have.

        Raises `RefsMoved`, with nothing moved, when one of them is elsewhere.
        """
        if not moves:
            return
        zero = "0" * len(next(oid for move in moves for oid in (move.new, move.old) if oid))
        lines = ["start"]
        lines += [f"update {move.ref}\0{move.new or zero}\0{move.old or zero}" for move in moves]
        lines += ["prepare", "commit"]
        done = self._update_refs(lines, reason)
        if done.code != 0 and self.free(*self._locks([move.ref for move in moves])):
            done = self._update_refs(lines, reason)
        if done.code != 0:
            raise RefsMoved(
                "refs-moved",
                f"could not {reason}: a branch was moved at the same time, or its name is taken",
                why=done.stderr.decode("utf-8", "replace").strip(),
                fix=("run the command again",),
            )

    def _locks(self, refs: Collection[Ref]) -> list[Path]:
        """Return the lock files of refs, with that of HEAD where one of them is checked out: git moves both."""
        names = [*refs]
        if self.git("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).text in refs:
            names.append(Ref("HEAD"))
        return [self.common_dir / f"{name}.lock" for name in names]

    def _update_refs(self, lines: Sequence[str], reason: str) -> Output:
        return self.git(
            *("update-ref", "--create-reflog", "-m", f"gitorch: {reason}", "-z", "--stdin"),
            input="".join(f"{line}\0" for line in lines).encode(),
            env=self.identity(),
            ok=(0, 128),
        )

    def free(self, *locks: Path) -> bool:
        """Remove lock files of a git that was killed; return whether any was there. Only for what is gitorch's own.

        One that is younger than `STALE_SECONDS` may be somebody's who lives, and is given that time.
        """
        found = [lock for lock in locks if lock.exists()]
        for lock in found:
            with suppress(FileNotFoundError):
                time.sleep(max(0.0, STALE_SECONDS - abs(time.time() - lock.stat().st_mtime)))
                if abs(time.time() - lock.stat().st_mtime) >= STALE_SECONDS:
                    lock.unlink()
        return bool(found)

    def version(self) -> tuple[int, ...]:
        """Return git's version."""
        return self._version

    @cached_property
    def _version(self) -> tuple[int, ...]:
        words = self.git("version").text.split()
        return tuple(int(part) for part in words[2].split(".")[:3] if part.isdigit())

    def require_git(self) -> None:
        """Raise `SetupNeeded` when git is too old for gitorch."""
        found = self.version()
        if found < OLDEST_GIT:
            have, need = (".".join(map(str, version)) for version in (found, OLDEST_GIT))
            raise SetupNeeded("git-too-old", f"git {have} is too old", why=f"gitorch needs git {need} or newer")


def _refuse_discovery(start: Path, answer: Output) -> None:
    words = answer.stderr.decode("utf-8", "replace").strip()
    if "dubious ownership" in words:
        raise NotFound("foreign-repository", "git does not trust this repository", why=words)
    raise NotFound(
        "not-a-repository",
        f"{start} is not inside a git repository",
        why=words,
        fix=("git init && git commit --allow-empty -m 'First commit'", "orchestrate -C PATH ..."),
    )


def _main_work_tree(common: Path) -> Path | None:
    answer = run(["git", f"--git-dir={common}", "config", "--get", "core.worktree"])
    if answer.code == 0 and answer.text:
        return (common / answer.text).resolve()
    return common.parent if common.name == ".git" else None


def _parse_commits(stream: bytes, wanted: Sequence[Oid]) -> Iterable[Commit]:
    at = 0
    for oid in wanted:
        end = stream.index(b"\n", at)
        words = stream[at:end].split()
        if words[1:2] != [b"commit"]:
            raise GitFailed("object-missing", f"{oid} is not a commit of this repository")
        length = int(words[2])
        raw = stream[end + 1 : end + 1 + length]
        at = end + 1 + length + 1
        yield parse_commit(Oid(words[0].decode()), raw)


def parse_commit(oid: Oid, raw: bytes) -> Commit:
    """Read the headers of a commit object (`gitformat-commit`: `tree`, then any number of `parent`)."""
    headers = raw.partition(b"\n\n")[0].split(b"\n")
    tree = headers[0].removeprefix(b"tree ").decode()
    parents = tuple(Oid(line[7:].decode()) for line in headers[1:] if line.startswith(b"parent "))
    return Commit(oid=oid, raw=raw, tree=Oid(tree), parents=parents)
