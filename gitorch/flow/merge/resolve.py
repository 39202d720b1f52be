"""Conflict help: what was solved before, and what can be made again, is not a conflict. Nobody's side is just taken.

The ladder, for each file in conflict: a file that a command makes (`[merge.regenerate]`) is made anew and never merged
as text; a file whose three sides are known is solved as it was then; a file all of whose hunks are known likewise.
Union files and syntax-aware drivers need no rung: git itself applies them, by the `.gitattributes` of what is merged.
When one file is left, the conflict stands.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from gitorch.flow.merge.resolutions import Hunks, Memory, Sides, is_marked, sides
from gitorch.flow.merge.wrapper import Wrapper
from gitorch.git.repository import Commit, Repository
from gitorch.model import globs
from gitorch.model.naming import Oid
from gitorch.replay import Conflicted, Own, Replayed, Replayer, Resolved
from gitorch.replay.commit_bytes import rewritten

MEMORY, RERERE, REGENERATE = "memory", "rerere", "regenerate"

Regenerate = Callable[[Oid, Mapping[str, str]], Mapping[str, Oid] | None]
"""Runs commands on a commit's files, by the path that each makes; returns what they made, or None when one failed."""


class _Solved(msgspec.Struct, frozen=True):
    """What becomes of the files of one conflict: their contents (None: still to be made), and by what."""

    blobs: Mapping[str, Oid]
    by: Mapping[str, str]


class Resolver(Wrapper):
    """Replays as another replayer does, and goes on where a conflict can be solved by what is known.

    `commands` are `[merge.regenerate]`: the commands that make files, by globs of their paths. Without `regenerate`
    (a dry run) such files stay as they are on the branch below, and are reported as regenerated.
    """

    def __init__(
        self, replayer: Replayer, commands: Mapping[str, str] | None = None, regenerate: Regenerate | None = None
    ) -> None:
        super().__init__(replayer)
        self._memory = Memory(replayer.repository)
        self._hunks = Hunks(replayer.repository)
        self._commands = commands or {}
        self._regenerate = regenerate
        self._made: dict[tuple[Oid, str], Oid | None] = {}
        self._recalled: dict[Sides, Oid | None] = {}
        self._read: dict[Oid, Oid] = {}
        self._learned: set[Oid] = set()
        self.unsolved: dict[Oid, Conflicted] = {}
        """What stayed in conflict, by the tip whose commits did not go in."""

    def read(self, owns: Iterable[Own], onto: Oid) -> None:
        """Read as the replayer inside, and remember where merges on these branches may tell how they were solved."""
        wanted = list(owns)
        self._read.update((own.tip, onto) for own in wanted if own.tip != own.base)
        self.inner.read(wanted, onto)

    def replay(self, own: Own, onto: Oid) -> Replayed | Conflicted:
        """Replay own commits; what conflicts and can be solved goes in solved, and is told in `resolved`."""
        done = self.inner.replay(own, onto)
        if isinstance(done, Conflicted):
            self._learn_from_merges(own)
            solved = self._solve_all(own, onto, done)
            done = solved if isinstance(solved, Replayed) else done
        if isinstance(done, Conflicted):
            self.unsolved[own.tip] = done
        return done

    def _solve_all(self, own: Own, onto: Oid, found: Conflicted) -> Replayed | Conflicted:
        """Replay piece by piece: up to a conflict, the commit that conflicts, and what comes after it."""
        if self._solve(found) is None:
            return found  # the common case, and it starts no process
        here, rest = onto, own
        pairs: list[tuple[Oid, Oid]] = []
        dropped: list[Oid] = []
        resolved: list[Resolved] = []
        while True:
            (commit,) = self.repository.commits([found.commit])
            if not commit.parents:
                return found
            before = self.inner.replay(Own(rest.base, commit.parents[0], rest.others), here)
            if isinstance(before, Conflicted):
                return found  # commits of a side branch, in another order: no line to go on with
            self.inner.keep(before.tip)
            picked = self._pick(commit, before.tip, found)
            if picked is None:
                return found
            here, how = picked
            pairs += [*before.pairs, (commit.oid, here)]
            dropped += before.dropped
            resolved += how
            rest = Own(commit.oid, own.tip, (*own.others, own.base))
            done = self.inner.replay(rest, here)
            if isinstance(done, Replayed):
                every = (*dropped, *done.dropped)
                if self._hides_repeats(own, every):
                    return found
                return Replayed(done.tip, (*pairs, *done.pairs), every, tuple(resolved))
            found = done

    def _hides_repeats(self, own: Own, dropped: tuple[Oid, ...]) -> bool:
        """Tell whether a dropped commit repeats one of its own branch: replayed in pieces, it looks like it is there.

        In one piece only what was there before counts.
        """
        if not dropped:
            return False
        listing = self.repository.git("rev-list", "--no-merges", own.tip, f"^{own.base}").stdout
        patches = self.repository.git("diff-tree", "--stdin", "-p", "--root", "-r", input=listing).stdout
        lines = self.repository.git("patch-id", "--stable", input=patches).text.split("\n")
        ids = {words[1]: words[0] for line in lines if len(words := line.split()) == 2}
        known = list(ids.values())
        return any(known.count(ids[one]) > 1 for one in dropped if one in ids)

    def _pick(self, commit: Commit, here: Oid, conflict: Conflicted) -> tuple[Oid, list[Resolved]] | None:
        """Return the commit that stands for `commit` on top of `here`, its conflict solved; None where it stays."""
        solved = self._solve(conflict)
        if solved is None or conflict.tree is None:
            return None
        self.inner.keep_tree(conflict.tree)
        tree = _with_files(self.repository, conflict.tree, solved.blobs)
        picked = self._written(commit, tree, here)
        to_make = {
            path: regenerating_command(self._commands, path) for path, by in solved.by.items() if by == REGENERATE
        }
        if to_make and self._regenerate is not None:
            made = self._make(self._regenerate, picked, to_make)
            if made is None:
                return None
            picked = self._written(commit, _with_files(self.repository, tree, made), here)
        by = {word: tuple(path for path, one in solved.by.items() if one == word) for word in solved.by.values()}
        return picked, [Resolved(commit.oid, paths, word) for word, paths in by.items()]

    def _written(self, commit: Commit, tree: Oid, parent: Oid) -> Oid:
        return self.repository.write_commit(rewritten(commit.raw, tree, parent, self.repository.committer()))

    def _solve(self, conflict: Conflicted) -> _Solved | None:
        """Return what becomes of every file in conflict; None when one is left."""
        found = sides(conflict)
        made = {path for path in found if regenerating_command(self._commands, path)}
        known = {path: one for path, one in found.items() if one is not None}
        if made | known.keys() != found.keys() or not made <= known.keys():
            return None
        wanted = {path: one for path, one in known.items() if path not in made}
        recalled = self._memory.recall(wanted)
        left = {path: one for path, one in wanted.items() if path not in recalled}
        hunks = self._recall_hunks(left)
        if hunks.keys() != left.keys():
            return None
        return _Solved(
            blobs={path: known[path].ours for path in made} | recalled | hunks,
            by=dict.fromkeys(sorted(made), REGENERATE) | dict.fromkeys(recalled, MEMORY) | dict.fromkeys(hunks, RERERE),
        )

    def _recall_hunks(self, wanted: Mapping[str, Sides]) -> dict[str, Oid]:
        fresh = {path: one for path, one in wanted.items() if one not in self._recalled}
        if fresh:
            found = self._hunks.recall(fresh)
            self._recalled |= {one: found.get(path) for path, one in fresh.items()}
        return {path: blob for path, one in wanted.items() if (blob := self._recalled[one])}

    def _make(self, regenerate: Regenerate, commit: Oid, wanted: Mapping[str, str]) -> Mapping[str, Oid] | None:
        """Return what commands make of a commit's files: each once for the same tree."""
        tree = self.repository.tree(commit)
        if any((tree, path) not in self._made for path in wanted):
            made = regenerate(commit, wanted) or {}
            self._made |= {(tree, path): made.get(path) for path in wanted}
        found = {path: blob for path in wanted if (blob := self._made[tree, path])}
        return found if found.keys() == wanted.keys() else None

    def _learn_from_merges(self, own: Own) -> None:
        """Learn how people solved conflicts by merging into the branch: a replay leaves merges out.

        The first conflict asks for the merges of all branches that were read, in one process.
        """
        if own.tip in self._learned:
            return
        tips = self._read if own.tip in self._read else {own.tip: own.base}
        ends = [*tips, *(f"^{oid}" for oid in tips.values())]
        self._learned |= tips.keys()
        asked = "".join(f"{oid}\n" for oid in dict.fromkeys(ends)).encode()
        merges = self.repository.git("rev-list", "--min-parents=2", "--max-parents=2", "--stdin", input=asked).text
        solved: dict[Sides, Oid] = {}
        for commit in self.repository.commits(Oid(line) for line in merges.split("\n") if line):
            conflict = self.inner.merge(*commit.parents)
            if isinstance(conflict, Conflicted):
                solved |= outcomes(self.repository, commit.oid, sides(conflict))
        self.learn(solved)

    def learn(self, solved: Mapping[Sides, Oid]) -> None:
        """Remember how files in conflict were solved; a file that still has git's markers was not."""
        clean = {one: blob for one, blob in solved.items() if not is_marked(self._content(blob))}
        if clean:
            self._recalled.clear()
            self._memory.learn(clean)
            self._hunks.learn({one: blob for one, blob in clean.items() if self._is_here(one)})

    def _is_here(self, one: Sides) -> bool:
        # the base of a merge that has several is one that git made, and not kept
        return None not in self.repository.object_ids(*(blob for blob in (one.base, one.ours, one.theirs) if blob))

    def _content(self, blob: Oid) -> bytes:
        return self.repository.git("cat-file", "blob", blob, ok=(0, 128)).stdout


def outcomes(repository: Repository, commit: Oid, found: Mapping[str, Sides | None]) -> dict[Sides, Oid]:
    """Return what a commit has in the place of files that were in conflict."""
    known = {path: one for path, one in found.items() if one is not None}
    if not known:
        return {}
    blobs = repository.object_ids(*(f"{commit}:{path}" for path in known if "\n" not in path))
    places = [one for path, one in known.items() if "\n" not in path]
    return {one: blob for one, blob in zip(places, blobs, strict=True) if blob is not None}


def answers(repository: Repository, found: Mapping[str, Sides], base: Oid | None, tip: Oid) -> list[Oid]:
    """Return the commits of a branch that changed files from what was in their way: there a conflict was solved."""
    listing = repository.git("rev-list", "--no-merges", tip, *((f"^{base}",) if base else ()), "--", *found).text
    commits = repository.commits(Oid(line) for line in listing.split("\n") if line)
    ours = {one.ours for one in found.values()}
    return [
        commit.oid for commit in commits if commit.parents and ours & {*_blobs(repository, commit.parents[0], found)}
    ]


def _blobs(repository: Repository, commit: Oid, paths: Iterable[str]) -> list[Oid]:
    found = repository.object_ids(*(f"{commit}:{path}" for path in paths if "\n" not in path))
    return [blob for blob in found if blob is not None]


def regenerating_command(commands: Mapping[str, str], path: str) -> str:
    """Return the command that makes a file: that of the first pattern that matches its path."""
    return next((command for pattern, command in commands.items() if globs.matches(path, [pattern])), "")


def _with_files(repository: Repository, tree: Oid, blobs: Mapping[str, Oid]) -> Oid:
    """Return a tree with other contents in files that it has."""
    if not blobs:
        return tree
    entries = repository.git("ls-tree", "-z", tree, "--", *blobs, env={"GIT_LITERAL_PATHSPECS": "1"}).fields()
    modes = {path: words.split(" ")[0] for words, _, path in (entry.partition("\t") for entry in entries)}
    lines = "".join(f"{modes[path]} {blob}\t{path}\0" for path, blob in blobs.items())
    with tempfile.TemporaryDirectory(prefix="gitorch-") as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        repository.git("read-tree", tree, env=env)
        repository.git("update-index", "-z", "--index-info", input=lines.encode("utf-8", "surrogateescape"), env=env)
        return Oid(repository.git("write-tree", env=env).text)
