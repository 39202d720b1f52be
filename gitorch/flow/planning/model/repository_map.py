"""A map of a commit's files for the planner's prompt, of limited size for any repository."""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from gitorch.git.repository import Repository
from gitorch.model.credentials.redaction import redacted
from gitorch.model.markdown_fences import fenced
from gitorch.model.naming import Oid

WHOLE_LISTING = 150
"""Up to this many files are listed by name."""

FOLDERS = 100
TOP_FOLDERS = 50
DEPTH = 6
TOP_FILES = 40
HEAD_CHARACTERS = 4_000
COMMITS = 20
LINE = 160

_LANGUAGES = {
    **dict.fromkeys((".py", ".pyi"), "Python"),
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx"), "JavaScript"),
    **dict.fromkeys((".ts", ".tsx", ".mts"), "TypeScript"),
    **dict.fromkeys((".c", ".h"), "C"),
    **dict.fromkeys((".cc", ".cpp", ".cxx", ".hpp", ".hh"), "C++"),
    **dict.fromkeys((".sh", ".bash", ".zsh"), "shell"),
    **dict.fromkeys((".yml", ".yaml"), "YAML"),
    **dict.fromkeys((".html", ".htm"), "HTML"),
    **dict.fromkeys((".css", ".scss", ".less"), "CSS"),
    **dict.fromkeys((".md", ".rst", ".adoc", ".txt"), "prose"),
    **dict.fromkeys((".tf", ".tfvars"), "Terraform"),
    **{".go": "Go", ".rs": "Rust", ".java": "Java", ".kt": "Kotlin", ".swift": "Swift", ".rb": "Ruby", ".php": "PHP"},
    **{".cs": "C#", ".scala": "Scala", ".ex": "Elixir", ".dart": "Dart", ".lua": "Lua", ".r": "R", ".sql": "SQL"},
    **{
        ".vue": "Vue",
        ".svelte": "Svelte",
        ".json": "JSON",
        ".toml": "TOML",
        ".ipynb": "notebooks",
        ".proto": "protobuf",
    },
}
_INTRODUCTIONS = re.compile(r"(readme|agents|claude|contributing)(\.(md|rst|txt|adoc))?", re.IGNORECASE)


def survey(repository: Repository, commit: Oid | None, checks: Mapping[str, str]) -> str:
    """Return what a planner needs to know about a commit, in at most about 25,000 characters.

    All text from the repository is in code fences, with secrets and unprintable characters replaced.
    """
    if commit is None:
        return "The repository has no commits yet: it is empty."
    paths = repository.git("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit).fields()
    parts = [
        f"{len(paths)} tracked files, by language: {_languages(paths)}.",
        "Its files:"
        if len(paths) <= WHOLE_LISTING
        else "Its folders, each with all files below it, and the files at the top:",
        fenced("\n".join(_listing(paths))),
        *_heads(repository, commit, paths),
        *_checked(checks),
        "The subjects of its newest commits, newest first:",
        fenced("\n".join(_history(repository, commit))),
    ]
    return "\n\n".join(parts)


def _languages(paths: Iterable[str]) -> str:
    return _counts(Counter(map(_language, paths)), 10) or "none"


def _language(path: str) -> str:
    """Return a file's language; its suffix if that is unknown; "" if it has no usual suffix."""
    stem, dot, suffix = path.rpartition("/")[2].rpartition(".")
    if not (stem and dot and suffix.isalnum() and len(suffix) <= 12):
        return ""
    return _LANGUAGES.get(f".{suffix.lower()}", f".{suffix.lower()}")


def _listing(paths: Sequence[str]) -> list[str]:
    if len(paths) <= WHOLE_LISTING:
        return [_one_line(path) for path in paths] or ["(no files)"]
    top = [path for path in paths if "/" not in path]
    omitted = [f"({len(top) - TOP_FILES} more files at the top)"] if len(top) > TOP_FILES else []
    return [*_folders(paths), *(_one_line(path) for path in top[:TOP_FILES]), *omitted]


def _folders(paths: Iterable[str]) -> list[str]:
    """Return a line for each top-level folder, then for the folders below the largest ones, up to a limit."""
    kinds = _kinds(paths)
    subfolders: defaultdict[str, list[str]] = defaultdict(list)
    for folder in kinds:
        subfolders[folder.rpartition("/")[0]].append(folder)
    largest = sorted(subfolders[""], key=lambda folder: -kinds[folder].total())
    listed = set(largest[:TOP_FOLDERS])
    pending = [(-kinds[inner].total(), inner) for folder in largest for inner in subfolders[folder]]
    heapq.heapify(pending)
    while pending and len(listed) < FOLDERS:
        _, folder = heapq.heappop(pending)
        listed.add(folder)
        for inner in subfolders[folder]:
            heapq.heappush(pending, (-kinds[inner].total(), inner))
    omitted = len(kinds) - len(listed)
    lines = [f"{_one_line(folder)}/  {kinds[folder].total()}: {_counts(kinds[folder], 4)}" for folder in sorted(listed)]
    return [*lines, *([f"({omitted} smaller folders are not shown)"] if omitted else [])]


def _kinds(paths: Iterable[str]) -> dict[str, Counter[str]]:
    """Return the languages of all files below each folder down to a depth, with their counts."""
    # limit the depth: a crafted tree can be deeper than it is large
    direct = Counter(("/".join(path.split("/", DEPTH)[:-1]), _language(path)) for path in paths)
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (folder, language), count in direct.items():
        while folder:
            kinds[folder][language] += count
            folder = folder.rpartition("/")[0]
    return kinds


def _counts(kinds: Counter[str], limit: int) -> str:
    counts = [(name, count) for name, count in kinds.most_common() if name][:limit]
    other = kinds.total() - sum(count for _, count in counts)
    return ", ".join(f"{name} {count}" for name, count in [*counts, *([("others", other)] if other else [])])


def _one_line(text: str) -> str:
    """Return text from the repository on one line: unprintable characters as escapes, cut where it is long."""
    printable = text if text.isprintable() else ascii(text)
    return redacted(printable if len(printable) <= LINE else printable[:LINE] + "…")


def _heads(repository: Repository, commit: Oid, paths: Iterable[str]) -> list[str]:
    """Return the beginnings of the README and similar files at the top level."""
    parts = []
    for path in [path for path in paths if _INTRODUCTIONS.fullmatch(path)][:4]:
        text = (repository.file(commit, path) or b"")[: 4 * HEAD_CHARACTERS].decode("utf-8", "replace")
        clean = "".join(character for character in text if character.isprintable() or character in "\n\t")
        # redact before cutting: half a secret would not be recognized
        parts += [f"The beginning of {path}:", fenced(redacted(clean)[:HEAD_CHARACTERS].strip())]
    return parts


def _checked(checks: Mapping[str, str]) -> list[str]:
    if not checks:
        return ["No checks are configured: nothing but a reviewer judges the work."]
    lines = [f"{_one_line(name)}: {_one_line(command)}" for name, command in checks.items()]
    return ["These commands judge each finished task:", fenced("\n".join(lines))]


def _history(repository: Repository, commit: Oid) -> list[str]:
    oids = repository.git("rev-list", f"--max-count={COMMITS}", commit).text.split("\n")
    return [_one_line(entry.subject) for entry in repository.commits(map(Oid, oids))]
