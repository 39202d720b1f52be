"""A repository without git: a graph of commits in memory that answers what `flow/adopt` asks."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

from gitorch.git.process import Output
from gitorch.git.repository import Commit, Repository
from gitorch.model.naming import Oid

Graph = Mapping[str, Sequence[str]]
"""Commits with their parents."""


class FakeRepository(Repository):
    """Commits are names; branches point at them; each message is in `messages`, or the commit's name."""

    def __init__(self, graph: Graph, branches: Mapping[str, str], messages: Mapping[str, str] | None = None) -> None:
        super().__init__(Path("/nowhere"), None)
        self.graph = graph
        self.branches = branches
        self.messages = messages or {}
        self.calls: list[str] = []

    def git(
        self,
        *args: str,
        input: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        git_dir: Path | None = None,
        ok: Container[int] = (0,),
    ) -> Output:
        """Answer `for-each-ref`, `rev-list` and `merge-base` as git does."""
        self.calls.append(args[0])
        match args:
            case ("for-each-ref", *_):
                lines = [f"{tip} refs/{kind_of(name)}/{name} " for name, tip in self.branches.items()]
            case ("rev-list", "--topo-order", *options, "--stdin"):
                lines = self._listed((input or b"").decode().split(), parents="--parents" in options)
            case ("merge-base", "--octopus", "--all", *commits):
                lines = self._best_common(commits)
            case _:
                raise AssertionError(f"git {' '.join(args)}")
        return Output("".join(f"{line}\n" for line in lines).encode(), b"", 0)

    def commits(self, oids: Iterable[Oid]) -> list[Commit]:
        """Return commits whose messages are known."""
        found = []
        for oid in oids:
            headers = "".join(f"parent {parent}\n" for parent in self.graph[oid])
            raw = f"tree t\n{headers}\n{self.messages.get(oid, oid)}".encode()
            found.append(Commit(oid=oid, raw=raw, tree=Oid("t"), parents=tuple(map(Oid, self.graph[oid]))))
        return found

    def reached(self, commits: Iterable[str]) -> set[str]:
        """Return commits with all their ancestors."""
        reached: set[str] = set()
        pending = [*commits]
        while pending:
            commit = pending.pop()
            if commit not in reached:
                reached.add(commit)
                pending += self.graph[commit]
        return reached

    def _listed(self, words: Sequence[str], *, parents: bool) -> list[str]:
        tips = [word for word in words if not word.startswith("^")]
        wanted = self.reached(tips) - self.reached(word[1:] for word in words if word.startswith("^"))
        ancestors_first = TopologicalSorter({oid: self.graph[oid] for oid in sorted(wanted)}).static_order()
        order = [oid for oid in ancestors_first if oid in wanted][::-1]
        return [" ".join([oid, *(self.graph[oid] if parents else ())]) for oid in order]

    def _best_common(self, commits: Sequence[str]) -> list[str]:
        common = set.intersection(*(self.reached([commit]) for commit in commits))
        return sorted(common - {older for oid in common for older in self.reached([oid]) - {oid}})


def kind_of(branch: str) -> str:
    """Return the folder of refs that a branch is in: `up/...` is of a remote."""
    return "remotes" if branch.startswith("up/") else "heads"
