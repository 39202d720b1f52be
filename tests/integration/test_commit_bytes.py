"""The bytes of rebased commits are those of `git rebase`: messages, encodings and bytes that are in none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, MemoryReplayer, Replayed
from gitorch.replay.commit_bytes import rewrite_commit
from gitorch.replay.rebase import RebaseReplayer
from tests.support.git import DATE, commit, git

# (message, further headers)
COMMITS: list[tuple[bytes, bytes]] = [
    (b"Plain\n", b""),
    (b"  \n\t\n \r\nafter blank lines\n", b""),
    (b"\n\n  leading space  \n\n\nbody \n\n\n", b""),
    (b"caf\xe9 in no encoding\n", b""),
    (b"caf\xe9 declared\n", b"encoding ISO-8859-1\n"),
    (b"caf\xe9 unknown\n", b"encoding NOSUCH\n"),
    (b"caf\xe9 wrong\n", b"encoding UTF-8\n"),
    (b"caf\xc3\xa9 spelled\n", b"encoding utf8\n"),
    (b"\\u00e9 is not Python's\n", b"encoding unicode_escape\n"),
    (b"\x83\x65\x83\x58\x83\x67\n", b"encoding Shift_JIS\n"),
    ("Zażółć gęślą jaźń 🚀\n".encode(), b""),
    (b"noncharacters \xef\xbf\xbe \xef\xb7\x90 and a surrogate \xed\xa0\x80 and \xf8\x88\n", b""),
    (b"overlong \xc0\xaf cut \xe2\x82\n", b""),
    (b"# a comment?\nsubject\n# another\n\n\n\nbody\t\n", b""),
    (b"no newline", b""),
    (b" ", b""),
    (b"", b""),
    (b"crlf\r\n\r\nbody\r\n", b""),
    (b"signed\n", b"gpgsig -----BEGIN-----\n x\n -----END-----\n"),
]

SETTINGS: dict[str, dict[str, str]] = {
    "none": {},
    "commits in Latin-1": {"i18n.commitEncoding": "ISO-8859-1"},
    "commits in UTF-8, spelled": {"i18n.commitEncoding": "utf-8"},
    "log in Latin-1": {"i18n.logOutputEncoding": "ISO-8859-1"},
    "strip": {"commit.cleanup": "strip"},
    "whitespace": {"commit.cleanup": "whitespace"},
    "scissors": {"commit.cleanup": "scissors"},
    "verbatim": {"commit.cleanup": "verbatim"},
    "other comments": {"commit.cleanup": "strip", "core.commentChar": "s"},
    "both": {"commit.cleanup": "strip", "i18n.commitEncoding": "ISO-8859-2"},
}


def write_commits(folder: Path, headers: list[tuple[bytes, bytes]]) -> Oid:
    """Make a branch with a commit for each message and its headers."""
    parent = git("rev-parse", "HEAD", cwd=folder)
    for number, (message, more) in enumerate(headers):
        commit(folder, "file", {f"file{number}": "x\n"})
        tree = git("rev-parse", "HEAD^{tree}", cwd=folder)
        author = (
            "Ż".encode("iso-8859-1" if b"8859-1" in more else "utf-8", "replace") + b" <z@example.com> 1500000000 +0100"
        )
        lines = [b"tree " + tree.encode(), b"parent " + parent.encode(), b"author " + author, b"committer " + author]
        raw = b"\n".join(lines) + b"\n" + more + b"\n" + message
        parent = git("hash-object", "-t", "commit", "-w", "--stdin", cwd=folder, input=raw)
    return Oid(parent)


@pytest.mark.parametrize("configured", SETTINGS.values(), ids=SETTINGS)
def test_ids_are_those_of_git_rebase(
    repo: Repository, configured: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the messages and the settings are; the reference engine pairs the commits, too."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)
    folder = repo.work_tree
    assert folder is not None
    base = Oid(git("rev-parse", "HEAD", cwd=folder))
    tip = write_commits(folder, COMMITS)
    git("checkout", "--quiet", "--detach", base, cwd=folder)
    onto = Oid(commit(folder, "moved", {"moved": "x\n"}))
    for name, value in configured.items():
        git("config", name, value, cwd=folder)
    git("checkout", "--quiet", "--detach", tip, cwd=folder)
    git("rebase", "--quiet", onto, cwd=folder)
    expected = git("rev-list", f"{onto}..HEAD", cwd=folder).split()
    with MemoryReplayer(Repository.discover(folder)) as replayer:
        result = replayer.replay(CommitRange(base, tip), onto)
        assert isinstance(result, Replayed)
        replayer.keep(result.tip)
    assert git("rev-list", f"{onto}..{result.tip}", cwd=folder).split() == expected
    with RebaseReplayer(Repository.discover(folder), tmp_path / "rebases") as reference:
        assert reference.replay(CommitRange(base, tip), onto) == result


def test_a_header_of_another_tool_is_kept(repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deliberate difference: git drops jj's `change-id`, and with it what identifies the change."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)
    folder = repo.work_tree
    assert folder is not None
    base = Oid(git("rev-parse", "HEAD", cwd=folder))
    tip = write_commits(folder, [(b"of jj\n", b"change-id kxryzmorwvtuqlnspsvxmqtoqwklnpwr\n"), (b"next\n", b"")])
    git("checkout", "--quiet", "--detach", base, cwd=folder)
    onto = Oid(commit(folder, "moved", {"moved": "x\n"}))
    with MemoryReplayer(repo) as replayer:
        result = replayer.replay(CommitRange(base, tip), onto)
        assert isinstance(result, Replayed)
        replayer.keep(result.tip)
    assert "change-id kxryzmorwvtuqlnspsvxmqtoqwklnpwr" in git("cat-file", "commit", f"{result.tip}^", cwd=folder)
    with RebaseReplayer(repo, tmp_path / "rebases") as reference:
        other = reference.replay(CommitRange(base, tip), onto)
    assert isinstance(other, Replayed)
    assert [old for old, _ in other.pairs] == [old for old, _ in result.pairs]


@given(st.binary(max_size=12))
@settings(max_examples=300, deadline=None)
def test_a_commit_in_utf8_is_always_valid(message: bytes) -> None:
    """Valid text stays as it is, and every other byte becomes a character."""
    raw = b"tree 0\nauthor A <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\n\nx" + message
    result = rewrite_commit(raw, "1", "2", "C <c@d> 0 +0000").partition(b"\n\n")[2]
    text = result.decode()
    assert result == rewrite_commit(raw[: -len(message) - 1] + result, "1", "2", "").partition(b"\n\n")[2]
    assert text.startswith("x")
