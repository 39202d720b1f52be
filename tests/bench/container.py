"""A clean Debian in a folder, and programs that run in it as somebody without rights.

    python -m tests.bench.container make FOLDER nodejs npm     # needs root, debootstrap, and Debian's packages
    python -m tests.bench.container enter FOLDER HOME          # a shell in it

Nothing of this machine is visible in it but its network and its certificates.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

RELEASE = "bookworm"
PACKAGES = ("bubblewrap", "ca-certificates", "git", "less", "procps", "python3", "python3-venv")
"""What gitorch needs and recommends; a language's own packages come on top."""

USER, ID = "una", 1000
HOME = Path("/home", USER)
PATH = f"{HOME}/venv/bin:/usr/local/bin:/usr/bin:/bin"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

# not bubblewrap: below its masked /proc nobody can open another sandbox, which gitorch wants to do
_ENTER = """
root=$1 home=$2 user=$3 id=$4
shift 4
mount --rbind "$root" "$root"
mount --options remount,bind,ro "$root"
mount --bind "$home" "$root/home/$user"
mount --types proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --types devpts --options newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount --bind "$root/dev/pts/ptmx" "$root/dev/ptmx"
for folder in dev/shm tmp; do mount --types tmpfs --options mode=1777 tmpfs "$root/$folder"; done
mount --types tmpfs --options mode=755 tmpfs "$root/run"
for file in /etc/resolv.conf "$CERTIFICATES"; do mount --bind "$(realpath "$file")" "$root$file"; done
cd "$root"
pivot_root . .
umount --lazy .
hostname laptop
exec setpriv --reuid="$id" --regid="$id" --clear-groups --inh-caps=-all --bounding-set=-all -- "$@"
"""
"""What root does in namespaces of its own; `home` becomes the home folder of `user`, the rest cannot be written."""


class Container(msgspec.Struct, frozen=True):
    """A root file system, read-only for the user, and the folder of this machine that is the user's home."""

    root: Path
    home: Path

    def command(self, words: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> list[str]:
        """Return what runs `words` in it; `cwd` is a path inside."""
        enter = f"CERTIFICATES={_CERTIFICATES}\nset -e{_ENTER}"
        variables = [f"{name}={text}" for name, text in environment.items()]
        return [
            *("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--ipc", "--uts"),
            *("sh", "-c", enter, "sh", str(self.root), str(self.home), USER, str(ID)),
            *("env", "--ignore-environment", f"--chdir={cwd}", *variables, *words),
        ]

    def own(self) -> None:
        """Give the user all that is in the home."""
        for folder, folders, files in os.walk(self.home):
            for name in (".", *folders, *files):
                os.chown(Path(folder, name), ID, ID, follow_symlinks=False)

    def which(self, program: str) -> bool:
        """Return whether a program is installed in it."""
        folders = (self.root / folder.lstrip("/") for folder in PATH.split(":"))
        return any((folder / program).is_symlink() or (folder / program).exists() for folder in folders)


def make(root: Path, packages: Sequence[str]) -> None:
    """Install a clean Debian with these packages and one user."""
    if root.exists():
        sys.exit(f"error: {root} exists")
    if not shutil.which("debootstrap"):
        sys.exit("error: debootstrap is not installed: apt-get install debootstrap")
    unfinished = root.with_name(f"{root.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    subprocess.run(["debootstrap", "--variant=minbase", RELEASE, str(unfinished)], check=True)
    # apt, because debootstrap configures no packages that depend on each other or on virtual ones (npm, rustc)
    _inside(unfinished, "apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES, *packages)
    _inside(unfinished, "apt-get", "clean")
    _inside(unfinished, "useradd", "--create-home", f"--uid={ID}", "--shell=/bin/bash", USER)
    unfinished.rename(root)


def _inside(root: Path, *words: str) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    # Java's installation reads /proc
    script = 'mount --types proc proc "$0/proc" && exec chroot "$0" "$@"'
    namespaces = ("unshare", "--mount", "--propagation=private", "--pid", "--fork")
    subprocess.run([*namespaces, "sh", "-c", script, str(root), *words], env=environment, check=True)


def main() -> None:
    """Make a container, or open a shell in one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    acts = parser.add_subparsers(dest="act", required=True)
    making = acts.add_parser("make")
    making.add_argument("root", type=Path)
    making.add_argument("packages", nargs="*", help="of Debian, beside git, Python and bubblewrap")
    entering = acts.add_parser("enter")
    entering.add_argument("root", type=Path)
    entering.add_argument("home", type=Path, help="an existing folder of this machine")
    options = parser.parse_args()
    if options.act == "make":
        make(options.root, options.packages)
        return
    container = Container(options.root.resolve(), options.home.resolve())
    container.own()
    environment = {"HOME": str(HOME), "PATH": PATH, "LANG": "C.UTF-8", "TERM": os.environ.get("TERM", "dumb")}
    sys.exit(subprocess.run(container.command(["bash"], HOME, environment)).returncode)


if __name__ == "__main__":
    main()
