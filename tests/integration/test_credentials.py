"""Credentials in what a branch adds: found wherever they are, named by place and kind, and never by value."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest

from gitorch.flow.review import branch_facts
from gitorch.git.collecting import credentials
from gitorch.git.repository import Repository
from tests.support.git import git

TOKEN = "ghp_" + "aB3dE5gH7j" * 4
NPM = "npm_" + "aB3dE5gH7jK9" * 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    git("init", "-q", "-b", "main", cwd=tmp_path)
    (tmp_path / "old.txt").write_text(f"{TOKEN} was here before\n")
    git("add", "-A", cwd=tmp_path)
    git("commit", "-qm", "base", cwd=tmp_path)
    git("switch", "-qc", "work", cwd=tmp_path)
    return tmp_path


def commit(folder: Path, message: str = "work", **files: str) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    git("add", "-A", cwd=folder)
    git("commit", "-qm", message, cwd=folder)


def search(folder: Path) -> credentials.Search:
    repository = Repository.discover(folder)
    base, tip = repository.resolve("main"), repository.resolve("work")
    assert base
    assert tip
    return credentials.search(repository, base, tip)


def test_a_credential_has_its_kind_file_line_and_hash(folder: Path) -> None:
    """What the base has already is not what the branch adds; the value is in no answer."""
    commit(folder, settings=f"one\n++ two\nTOKEN = '{TOKEN}'\n", npmrc=f"//registry/:_authToken={NPM}\n")
    found = search(folder).credentials
    assert {(item.kind, item.place) for item in found} == {
        ("github-token", "settings:3"),
        ("npm-access-token", "npmrc:1"),
    }
    assert not any(TOKEN in str(item) or NPM in str(item) for item in found)
    assert all(len(item.digest) == 8 for item in found)


def test_one_that_a_later_commit_removes_is_found(folder: Path) -> None:
    """It would be merged with the history."""
    commit(folder, a=f"{TOKEN}\n")
    commit(folder, a="gone\n")
    assert [item.place for item in search(folder).credentials] == ["a:1"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_of_text(folder: Path, encoding: str) -> None:
    """Editors of Windows and PowerShell write UTF-16; git calls such a file binary."""
    (folder / "settings.reg").write_bytes(f"[a]\r\none=1\r\nTOKEN={TOKEN}\r\ntwo=2\r\n".encode(encoding))
    commit(folder)
    assert [(item.kind, item.place) for item in search(folder).credentials] == [("github-token", "settings.reg:3")]


def test_base64(folder: Path) -> None:
    """A secret of Kubernetes holds a credential in base64, with or without a line's end, and also in UTF-16."""
    for name, content in {"a": TOKEN, "b": f"user\n{TOKEN}\n", "c": f"{TOKEN}1"}.items():
        (folder / f"{name}.yaml").write_text(f"data:\n  token: {base64.b64encode(content.encode()).decode()}\n")
    (folder / "d.yaml").write_bytes(f"x: {base64.b64encode(TOKEN.encode()).decode()}\n".encode("utf-16"))
    commit(folder, other=f"{base64.b64encode(bytes(range(200))).decode()} {'abcd' * 3000}\n")
    assert [item.place for item in search(folder).credentials] == ["a.yaml:2", "b.yaml:2", "c.yaml:2", "d.yaml:1"]


def test_text_that_takes_long_is_left_out_in_words(folder: Path) -> None:
    """What a search may cost is limited, and not only how much it reads: what stood before is found all the same."""
    (folder / "a.reg").write_bytes(f"TOKEN={TOKEN}\r\n".encode("utf-16"))
    (folder / "b.yaml").write_text(f"token: {base64.b64encode(TOKEN.encode()).decode()}\n")
    commit(
        folder,
        message="work",
        c=f"{TOKEN}\n",
        d="words " * 200_000 + "\n",
        e="private key " * 50_000 + "\n",
        f=f"{NPM}\n",
    )
    found = search(folder)
    assert [item.place for item in found.credentials] == ["c:1", "a.reg:1", "b.yaml:1"]
    assert found.only is not None
    assert 1_200_000 < found.only < 1_450_000
    repository = Repository.discover(folder)
    base, tip = repository.resolve("main"), repository.resolve("work")
    assert base
    assert tip
    told = [entry.text for entry in branch_facts(repository, base, tip, ()).signals if entry.kind == "unsearched"]
    assert told == ["only the first 1.4 MB of what it adds were searched for credentials"]


@pytest.mark.parametrize("lines", ["wide", "random"])
def test_a_long_branch_of_ordinary_text_is_searched_to_its_end(folder: Path, lines: str) -> None:
    """One line of megabytes in base64, or many words of high entropy, as in bundled JavaScript."""
    content = base64.b64encode(random.Random(1).randbytes(3_000_000)).decode()
    text = content if lines == "wide" else content.replace("/", '";var key="')
    commit(folder, a=f"{text}\n", b=f"{TOKEN}\n")
    found = search(folder)
    assert ("github-token", "b:1") in [(item.kind, item.place) for item in found.credentials]
    assert found.only is None


def test_messages_are_searched(folder: Path) -> None:
    """A log shows them for ever."""
    commit(folder, message=f"use {TOKEN}", a="x\n")
    (found,) = search(folder).credentials
    assert found.place.startswith("message of ")


def test_names_of_files_are_searched(folder: Path) -> None:
    """Also of an empty file, and of one that a later commit renames; the place does not repeat the name."""
    commit(folder, **{f"a b-{TOKEN}.txt": "", "plain": f"{NPM}\n"})
    git("mv", f"a b-{TOKEN}.txt", "other", cwd=folder)
    commit(folder, "rename")
    first = git("rev-parse", "--short=12", "work~1", cwd=folder)
    places = {item.kind: item.place for item in search(folder).credentials}
    assert places == {"github-token": f"name of a file in {first}", "npm-access-token": "plain:1"}


def test_attributes_and_configuration_hide_nothing(folder: Path) -> None:
    """Neither a file that is called binary, nor prefixes, an external diff or a textconv of the user."""
    for setting in ("diff.noprefix=true", "diff.external=true", "diff.x.textconv=true", "color.ui=always"):
        git("config", *setting.split("="), cwd=folder)
    commit(folder, **{".gitattributes": "* -diff\n*.b binary diff=x\n", "a.b": f"\0\0{TOKEN}\n"})
    assert [item.place for item in search(folder).credentials] == ["a.b:1"]


def test_a_private_key_and_long_lines(folder: Path) -> None:
    """A key is one finding; a line of megabytes is searched in parts."""
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----\n"
    commit(folder, id_rsa=key, long="x " * 1_000_000 + TOKEN + "\nend\n")
    assert {(item.kind, item.place) for item in search(folder).credentials} == {
        ("private-key", "id_rsa:1"),
        ("github-token", "long:1"),
    }


def test_what_another_branch_added_before_a_merge_is_not_the_tasks(folder: Path) -> None:
    """But what the merge commit itself adds is."""
    git("switch", "-q", "main", cwd=folder)
    commit(folder, other=f"{NPM}\n")
    git("switch", "-q", "work", cwd=folder)
    commit(folder, a="x\n")
    git("merge", "-q", "--no-commit", "main", cwd=folder)
    commit(folder, message="merge", a=f"{TOKEN}\n")
    assert [item.place for item in search(folder).credentials] == ["a:1"]


def test_ordinary_code_is_no_credential(folder: Path) -> None:
    """Names, examples, hashes and variables."""
    text = """password = os.environ["PASSWORD"]
    token: str = get_token()
    commit 9f3c21a0b7d1e4c8a2f6b5d3e1c9a7f4b2d8e6c0
    API_KEY=${API_KEY}
    Authorization: Bearer $TOKEN
    the password protects the page
    integrity sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17LhbZVGedAJv8XZ1tvj5FvSg==
    """
    commit(folder, code=text)
    assert search(folder).credentials == ()
