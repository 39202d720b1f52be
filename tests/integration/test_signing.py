"""Signed commits: a merge by a person signs as git would, and what stays unsigned is said."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gitorch import services
from gitorch.errors import SetupNeeded
from gitorch.git.repository import Repository
from gitorch.git.signing import CommitSigner, is_signed
from gitorch.git.writing import unreferenced
from gitorch.model.naming import Oid
from gitorch.services.open import open_workspace
from tests.support.cli import OBEDIENT, Answer, Cli, does
from tests.support.git import DATE, commit, git

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


@pytest.fixture
def signing(repository_folder: Path, tmp_path: Path) -> Path:
    """A repository in which git signs with an SSH key, and knows it."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    mail = git("config", "user.email", cwd=repository_folder)
    (tmp_path / "allowed").write_text(f"{mail} {key.with_suffix('.pub').read_text()}")
    for name, value in {
        "gpg.format": "ssh",
        "user.signingKey": f"{key}.pub",
        "gpg.ssh.allowedSignersFile": str(tmp_path / "allowed"),
        "commit.gpgSign": "true",
    }.items():
        git("config", name, value, cwd=repository_folder)
    return repository_folder


def signatures(folder: Path, name: str) -> str:
    return git("log", "--format=%G?", name, cwd=folder).replace("\n", "")


def branch(folder: Path, name: str, *messages: str) -> None:
    git("checkout", "--quiet", "-b", name, "main", cwd=folder)
    for number, message in enumerate(messages):
        commit(folder, message, {f"{name}{number}": "x\n"})
    git("checkout", "--quiet", "main", cwd=folder)


def approved(folder: Path) -> Cli:
    """Two adopted branches, one of which would be fast-forwarded, and a base that is signed."""
    git("commit", "--quiet", "--amend", "--no-edit", "-S", cwd=folder)
    cli = Cli(folder)
    branch(folder, "one", "One\n", "Two\n")
    branch(folder, "two", "Three\n\nbody\n")
    git("-c", "commit.gpgSign=false", "rebase", "--force-rebase", "--quiet", "main", "one", cwd=folder)
    git("checkout", "--quiet", "main", cwd=folder)
    cli("adopt", "one", "two")
    cli("approve", "--all", "--force")
    return cli


def test_a_signature_is_that_of_git(signing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes as `git commit-tree -S` makes: an Ed25519 signature is always the same."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)
    repository = Repository.discover(signing)
    tip = Oid(git("rev-parse", "HEAD", cwd=signing))
    tree = git("rev-parse", "HEAD^{tree}", cwd=signing)
    arguments = ("-p", tip, "-m", "Words", tree)
    unsigned = git("commit-tree", *arguments, cwd=signing, env={"GIT_AUTHOR_DATE": DATE})
    signed = git("commit-tree", "-S", *arguments, cwd=signing, env={"GIT_AUTHOR_DATE": DATE})
    (raw,) = repository.commits([Oid(unsigned)])
    signer = CommitSigner(repository)
    assert signer.is_configured
    assert not is_signed(raw.raw)
    assert unreferenced.store_commit(repository, signer.sign(raw.raw)) == signed


def test_a_literal_key_of_an_agent_is_given_as_such(signing: Path, tmp_path: Path) -> None:
    """`user.signingKey` may hold the key itself: the program then asks the agent of ssh, which has the other half."""
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nfor last; do :; done\necho "$*" > "$last.sig"\ncat "$6" >> "$last.sig"\n')
    program.chmod(0o755)
    git("config", "user.signingKey", "ssh-ed25519 AAAA me", cwd=signing)
    git("config", "gpg.ssh.program", str(program), cwd=signing)
    (raw,) = Repository.discover(signing).commits([Oid(git("rev-parse", "HEAD", cwd=signing))])
    signed = CommitSigner(Repository.discover(signing)).sign(raw.raw)
    assert b"gpgsig -Y sign -n git -f " in signed
    assert b" -U " in signed
    assert b"\n ssh-ed25519 AAAA me\n\n" in signed


def test_openpgp_uses_the_program_that_is_configured(signing: Path, tmp_path: Path) -> None:
    """With the committer as the key if none is named, as git does; only a signature that was made counts."""
    program = tmp_path / "gpg"
    program.write_text('#!/bin/sh\necho "SIGNED $3 $(wc -l)"\necho >&2\necho "[GNUPG:] SIG_CREATED x" >&2\n')
    program.chmod(0o755)
    git("config", "gpg.format", "openpgp", cwd=signing)
    git("config", "gpg.program", str(program), cwd=signing)
    git("config", "--unset", "user.signingKey", cwd=signing)
    repository = Repository.discover(signing)
    (raw,) = repository.commits([Oid(git("rev-parse", "HEAD", cwd=signing))])
    who = git("var", "GIT_COMMITTER_IDENT", cwd=signing).rpartition(">")[0] + ">"
    assert f"gpgsig SIGNED {who}".encode() in CommitSigner(repository).sign(raw.raw)
    program.write_text("#!/bin/sh\necho no secret key >&2\n")
    with pytest.raises(SetupNeeded, match="could not be signed") as failure:
        CommitSigner(repository).sign(raw.raw)
    assert "no secret key" in failure.value.why


def test_a_person_merges_signed_commits(signing: Path) -> None:
    """All of them, also those that stay where they are; and the base that moved on is rebased onto, signed again."""
    cli = approved(signing)
    assert signatures(signing, "one").startswith("NNG")
    cli("merge")
    assert signatures(signing, "orch/integration").startswith("GGGG")
    commit(signing, "main moves\n", {"moved": "x\n"})
    branch(signing, "three", "Four\n")
    cli("adopt", "three")
    cli("approve", "three", "--force")
    cli("merge", "--into", "main")
    assert signatures(signing, "main").startswith("GGGGGG")
    assert git("fsck", "--strict", "--no-dangling", cwd=signing) == ""


@pytest.mark.parametrize("squash", [(), ("--squash",)])
def test_the_choice_of_the_command_wins(signing: Path, squash: tuple[str, ...]) -> None:
    """`--no-sign` and `--sign`, whatever is configured; a squashed commit is signed once."""
    cli = approved(signing)
    cli("merge", "one", "--no-sign")
    assert "N" in signatures(signing, "orch/integration")
    git("config", "commit.gpgSign", "false", cwd=signing)
    cli("merge", "--sign", *squash)
    assert signatures(signing, "orch/integration")[0] == "G"


def test_what_stays_unsigned_is_said(signing: Path) -> None:
    """`merge.sign = "never"` and a run merge without a signature, and say so."""
    cli = approved(signing)
    answer = cli("-c", "merge.sign=never", "merge", "one")
    assert "2 commits are not signed, although commit.gpgSign is on: merge.sign is never" in answer.stderr
    assert signatures(signing, "orch/integration~1")[0] == "N"


def test_a_signature_that_cannot_be_made_moves_nothing(signing: Path) -> None:
    """The merge ends with the reason and the way on; tasks and branches stay."""
    cli = approved(signing)
    git("config", "user.signingKey", "/nowhere/key.pub", cwd=signing)
    answer = cli("merge", ok=4)
    assert "could not be signed" in answer.stderr
    assert "orchestrate merge --no-sign" in answer.stderr
    assert git("rev-parse", "--verify", "--quiet", "orch/integration", cwd=signing, ok=(0, 1)) == ""
    cli("merge", "--no-sign")


def test_a_run_signs_only_if_told_to(signing: Path) -> None:
    """Nobody may be there to unlock a key: `auto` leaves a run's merges unsigned, `always` signs them."""
    approved(signing)
    for setting, is_signed_by_run in (("auto", False), ("always", True)):
        workspace = open_workspace(signing, [f"merge.sign={setting}"])
        with services.merging.replaying.open_replayer(workspace) as replayer:
            plan = services.merging.merge.plan_merge(workspace, replayer, None)
            replayer.keep(plan.tip)
            signed = services.merging.merge_signing.sign(workspace, plan, by_person=False)
        assert (signed != plan) == is_signed_by_run
        notice = "3 commits are not signed, although commit.gpgSign is on: a run does not sign; "
        assert any(text.startswith(notice) for text in workspace.store.notices) != is_signed_by_run


def test_suggestions_are_applied_in_a_signed_commit(signing: Path) -> None:
    """`apply` signs as a merge would: by git's setting, by `merge.sign`, or by its own option; and says what is not."""
    cli = Cli(signing, OBEDIENT, GITORCH_SANDBOX_MODE="off")
    cli.queue(does("Work", "seq 9 > a.txt; git add -A; git -c commit.gpgSign=false commit -qm One", id="work"))
    cli.run()

    def apply(*words: str, ok: int = 0) -> Answer:
        number = int(git("show", "orch/work:a.txt", cwd=signing).split()[0])
        if not cli.tasks()["work"]["comments"]:
            cli("comment", "work", "a.txt:1", "-m", f"```suggestion\n{number + 10}\n```")
        return cli("apply", "work", *words, ok=ok)

    for words, is_signed_then in (
        ((), True),
        (("--no-sign",), False),
        (("-c", "merge.sign=never"), False),
        (("-c", "merge.sign=never", "--sign"), True),
    ):
        said = apply(*words).stderr
        assert signatures(signing, "orch/work")[0] == ("G" if is_signed_then else "N"), words
        notice = "1 commit is not signed, although commit.gpgSign is on: merge.sign is never"
        assert (notice in said) is ("merge.sign=never" in words and "--sign" not in words), words
    tip = git("rev-parse", "orch/work", cwd=signing)
    git("config", "user.signingKey", "/nowhere/key.pub", cwd=signing)
    assert "orchestrate apply work --no-sign" in apply(ok=4).stderr
    assert git("rev-parse", "orch/work", cwd=signing) == tip
    assert len(cli.tasks()["work"]["comments"]) == 1
    git("config", "commit.gpgSign", "false", cwd=signing)
    apply()
    assert signatures(signing, "orch/work")[0] == "N"
