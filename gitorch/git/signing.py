"""Sign commits as git does, with the user's own programs and keys: OpenPGP, X.509 or SSH, by `gpg.format`."""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path

from gitorch.errors import SetupNeeded
from gitorch.git.repository import Repository
from gitorch.git.settings import as_bool

_HEADERS = (b"gpgsig", b"gpgsig-sha256")
_SHA1_DIGITS = 40
_PROGRAMS = {"openpgp": "gpg", "x509": "gpgsm", "ssh": "ssh-keygen"}


def is_signed(raw: bytes) -> bool:
    """Return whether a commit has a signature."""
    headers = raw.partition(b"\n\n")[0].split(b"\n")
    return any(line.split(b" ")[0] in _HEADERS for line in headers)


class CommitSigner:
    """Signs commits with the key that git would use."""

    def __init__(self, repository: Repository, retry: str = "orchestrate merge --no-sign") -> None:
        self.repository = repository
        self._retry = retry  # the command that does without

    @cached_property
    def is_configured(self) -> bool:
        """Whether the user has switched `commit.gpgSign` on."""
        # gitorch's git always has it switched off on the command line
        own = self.repository.settings.users("commit.gpgsign")
        if not own:
            return False
        known = as_bool(own[-1])
        if known is not None:
            return known
        words = ("config", "--type=bool", "--show-scope", "--get-all", "commit.gpgSign")
        values = (line.partition("\t") for line in self.repository.git(*words).text.split("\n"))
        return [value for scope, _, value in values if scope != "command"][-1:] == ["true"]

    def sign(self, raw: bytes) -> bytes:
        """Return an unsigned commit's bytes with a signature; raise `SetupNeeded` if it cannot be made."""
        signature = self._sign_ssh(raw) if self._format == "ssh" else self._sign_gpg(raw)
        headers, _, message = raw.partition(b"\n\n")
        # the commit's ids are as long as its tree's
        is_sha1 = len(headers.partition(b"\n")[0].split(b" ")[1]) == _SHA1_DIGITS
        lines = signature.replace(b"\r\n", b"\n").rstrip(b"\n").replace(b"\n", b"\n ")
        return headers + b"\n" + _HEADERS[0 if is_sha1 else 1] + b" " + lines + b"\n\n" + message

    @cached_property
    def _format(self) -> str:
        return self._get("gpg.format") or "openpgp"

    @cached_property
    def _program(self) -> str:
        general = self._get("gpg.program", "path") if self._format == "openpgp" else ""
        return self._get(f"gpg.{self._format}.program", "path") or general or _PROGRAMS.get(self._format, "gpg")

    @cached_property
    def _key(self) -> str:
        key = self._get("user.signingKey", "path")
        if key or self._format != "ssh":
            return key or self.repository.committer().rpartition(">")[0] + ">"
        command = self._get("gpg.ssh.defaultKeyCommand")
        answer = self.repository.run_program(["sh", "-c", command]) if command else None
        key = answer.text.split("\n")[0] if answer and answer.code == 0 else ""
        if not key:
            raise self._failed("neither user.signingKey nor gpg.ssh.defaultKeyCommand names a key")
        return key

    def _get(self, name: str, kind: str = "") -> str:
        words = ("config", *([f"--type={kind}"] if kind else []), "--get", name)
        answer = self.repository.git(*words, ok=(0, 1))
        return answer.text if answer.code == 0 else ""

    def _sign_gpg(self, payload: bytes) -> bytes:
        command = [self._program, "--status-fd=2", "-bsau", self._key]
        answer = self.repository.run_program(command, input=payload)
        if answer.code != 0 or b"[GNUPG:] SIG_CREATED " not in answer.stderr:
            raise self._failed(answer.stderr.decode("utf-8", "replace"))
        return answer.stdout

    def _sign_ssh(self, payload: bytes) -> bytes:
        with tempfile.TemporaryDirectory(prefix="gitorch-") as folder:
            content, key = Path(folder, "commit"), self._key
            content.write_bytes(payload)
            options: list[str] = []
            if key.startswith(("key::", "ssh-")):  # the key itself, which the agent of ssh has
                file = Path(folder, "key")
                file.write_text(key.removeprefix("key::") + "\n")
                key, options = str(file), ["-U"]
            command = [self._program, "-Y", "sign", "-n", "git", "-f", key, *options, str(content)]
            answer = self.repository.run_program(command)
            signature = content.with_name("commit.sig")
            if answer.code != 0 or not signature.exists():
                raise self._failed(answer.stderr.decode("utf-8", "replace"))
            return signature.read_bytes()

    def _failed(self, why: str) -> SetupNeeded:
        return SetupNeeded(
            "signing-failed",
            "a commit could not be signed; nothing was moved",
            why=why.strip() or "the program that signs gave no reason",
            fix=("git config --get-regexp '^(gpg|user.signing)'", self._retry),
        )
