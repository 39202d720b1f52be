"""Plain git, as a person would use it, and the standard repository that tests start from."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Collection, Mapping
from pathlib import Path

DATE = "2026-11-22T12:00:00+00:00"

CONFIG = """\
[user]
\tname = Una User
\temail = una@example.com
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
"""


def run(
    *args: str,
    cwd: Path,
    input: bytes | None = None,
    env: Mapping[str, str] | None = None,
    ok: Collection[int] = (0,),
) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder; fail the test when its exit code is not in `ok`."""
    done = subprocess.run(
        ["git", *args], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, input=input or b""
    )
    assert done.returncode in ok, f"git {' '.join(args)}: {done.returncode}\n{done.stderr.decode(errors='replace')}"
    return done


def git(
    *args: str,
    cwd: Path,
    input: bytes | None = None,
    env: Mapping[str, str] | None = None,
    ok: Collection[int] = (0,),
) -> str:
    """Run git in a folder and return what it printed, without the last line's end."""
    done = run(*args, cwd=cwd, input=input, env=env, ok=ok)
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


def commit(cwd: Path, message: str, files: Mapping[str, str | bytes | None], **env: str) -> str:
    """Write files (None deletes one), commit everything, and return the commit's id."""
    for name, content in files.items():
        path = cwd / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    git("add", "--all", cwd=cwd)
    git("commit", "--quiet", "--allow-empty", "--file=-", cwd=cwd, input=message.encode(), env=env)
    return git("rev-parse", "HEAD", cwd=cwd)


Files = Mapping[str, str | bytes | tuple[str, str] | None]
"""Paths and their contents; None deletes a file, and a pair is a mode and a content (a submodule's: its commit)."""


def commit_on_branch(folder: Path, branch: str, base: str, *changes: tuple[str, Files]) -> str:
    """Make plain commits (message, files) on a branch that starts at `base`, and return the last one's id.

    One `git fast-import` instead of a checkout and five processes per commit; no index and no work tree is touched.
    """
    stream = b"feature done\n" + branch_stream(branch, base, *changes) + b"get-mark :%d\ndone\n" % len(changes)
    return git("fast-import", "--quiet", "--force", cwd=folder, input=stream)


def branch_stream(branch: str, base: str, *changes: tuple[str, Files]) -> bytes:
    """Return the commits of a branch as `git fast-import` reads them."""
    stream = bytearray()
    for number, (message, files) in enumerate(changes, start=1):
        text = message.encode()
        who = f"committer Una User <una@example.com> {int(time.time())} +0000"
        stream += f"commit refs/heads/{branch}\nmark :{number}\n{who}\ndata {len(text)}\n".encode() + text + b"\n"
        if number == 1:
            stream += f"from {base}\n".encode()
        for path, content in files.items():
            stream += _file_change(path, content)
    return bytes(stream)


def _file_change(path: str, content: str | bytes | tuple[str, str] | None) -> bytes:
    quoted = b'"' + b"".join(b"\\%03o" % byte for byte in path.encode("utf-8", "surrogateescape")) + b'"'
    if content is None:
        return b"D " + quoted + b"\n"
    mode, content = content if isinstance(content, tuple) else ("100644", content)
    data = content.encode() if isinstance(content, str) else content
    if mode == "160000":
        return b"M 160000 %s %s\n" % (data, quoted)
    return b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), quoted, len(data), data)


def standard(folder: Path) -> Path:
    """Make the repository that most tests start from: three commits on `main`, an ordinary mix of files."""
    folder.mkdir(parents=True)
    git("init", "--quiet", cwd=folder)
    lines = "".join(f"line {number}\n" for number in range(1, 21))
    commit(folder, "Start\n", {"README.md": "# Example\n", "src/app.py": lines, ".gitignore": "*.log\nbuild/\n"})
    (folder / "run.sh").write_text("#!/bin/sh\necho hello\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("README.md")
    commit(folder, "Add a script and a link\n", {"docs/naïve file.md": "text\n"})
    commit(folder, "Add a library\n\nWith a body.\n", {"src/lib.py": "def f():\n    return 1\n", "data.bin": bytes(64)})
    # it is copied a thousand times: the fewer files, the better
    git("repack", "-adq", cwd=folder)
    git("prune-packed", cwd=folder)
    for sample in (folder / ".git" / "hooks").glob("*.sample"):
        sample.unlink()
    return folder
