"""Content that an agent leaves in its own worktree and on its own branch, to harm whoever reads it."""

from __future__ import annotations

from typing import Literal

import msgspec

Told = Literal["refused", "kept out"]
"""What comes of it: the attempt fails and says why, or the good work comes home and this stays behind."""

PRELUDE = """\
blob() { printf '%s' "$1" | git hash-object -w --stdin; }
raw() {
    python3 -c 'import sys; a = sys.argv[1:]; sys.stdout.buffer.write(b"".join(
        a[i].encode() + b" " + a[i + 1].encode("utf-8", "surrogateescape") + b"\\0" + bytes.fromhex(a[i + 2])
        for i in range(0, len(a), 3)))' "$@" | git hash-object -t tree -w --stdin --literally
}
take() { git update-ref HEAD "$(git commit-tree "$1" -p HEAD -m evil)"; }
x=$(blob x)
"""
"""A blob, a tree that nothing checks (mode, name, id, ...), and a commit of a tree."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent makes, and the words with which it is refused or told.

    `bare` is a command that succeeds in a worktree that nobody guards once the content is there: the control.
    `roots`: only root can make it, and only outside of a sandbox.
    """

    id: str
    what: str
    script: str
    words: str
    told: Told = "refused"
    bare: str = 'test "$(git rev-parse HEAD)" != "$(git rev-parse main)"'
    roots: bool = False


def _named(id: str, what: str, name: str, words: str = "which git uses itself") -> Content:
    """Return content with a file in a folder of this name."""
    return Content(
        id=id, what=what, script=f"inner=$(raw 100644 config $x); take $(raw 40000 '{name}' $inner)", words=words
    )


def _linked(id: str, what: str, target: str) -> Content:
    return Content(
        id=id,
        what=what,
        script=f"ln -s '{target}' out; git add out; git commit -qm link",
        words="is a symbolic link that leads out of the worktree",
    )


_BOMB = "tree=$(raw 100644 f $x); for level in 1 2 3 4 5 6 7; do tree=$(raw {entries}); done; take $tree"

CONTENT: tuple[Content, ...] = (
    Content(
        id="N01",
        what="a tree that stands for ten million files",
        script=_BOMB.format(entries=" ".join(f"40000 d{number} $tree" for number in range(10))),
        words="a tree stands for",
    ),
    Content(
        id="N02",
        what="folders in folders in folders",
        script="tree=$(raw 100644 f $x); for level in $(seq 300); do tree=$(raw 40000 d $tree); done; take $tree",
        words="folders are more than 256 levels deep",
    ),
    _named("N03", "a repository", ".git"),
    _named("N04", "one in capitals", ".GIT"),
    _named("N05", "one for macOS", ".g\u200cit"),
    _named("N06", "one with a short name of Windows", "git~1"),
    _named("N07", "one with an end that Windows drops", ".git. ."),
    _named("N08", "one as a stream", ".git::$INDEX_ALLOCATION"),
    _named("N09", "a way out", "..", "no name of a file"),
    _named("N10", "a place of its own", ".", "no name of a file"),
    _named("N11", "a path as a name", "../../evil", "no name of a file"),
    _named("N12", "no name", "", "no name of a file"),
    Content(
        id="N13",
        what="two files of one name",
        script="take $(raw 100644 a $x 100644 a $(blob y))",
        words="twice, or not in its place",
    ),
    Content(
        id="N14",
        what="a file where nobody looks for it",
        script="take $(raw 100644 z $x 100644 a $x)",
        words="twice, or not in its place",
    ),
    Content(id="N15", what="an odd mode", script="take $(raw 107777 a $x)", words="has the mode 107777"),
    Content(id="N16", what="a device in a tree", script="take $(raw 20666 a $x)", words="has the mode 20666"),
    Content(
        id="N17",
        what="another repository",
        script="take $(raw 160000 lib $(git rev-parse HEAD))",
        words="is a link to another repository",
    ),
    _linked("N18", "a link to a secret", "/etc/passwd"),
    _linked("N19", "a link that climbs", "../../../../etc/passwd"),
    _linked("N20", "a link that goes down first", "src/../../../x"),
    Content(
        id="N21",
        what="a link that is longer than a path",
        script='ln=$(printf "a%.0s" $(seq 5000)); take $(raw 120000 link $(blob "$ln"))',
        words="is a symbolic link that leads out of the worktree",
    ),
    Content(
        id="N22",
        what="a huge file",
        script="truncate -s 600M huge; git add huge; git commit -qm huge",
        words="has 600 MB, more than 512",
    ),
    Content(
        id="N23",
        what="a sparse file of 20 GB, not committed",
        script="truncate -s 20G sparse",
        words="has 20480 MB, more than 512",
        bare="test -e sparse",
    ),
    Content(
        id="N24",
        what="a FIFO in the place of a tracked file",
        script="rm README.md; mkfifo README.md",
        words="is neither a file nor a folder nor a symbolic link",
        bare="test -p README.md",
    ),
    Content(
        id="N25",
        what="a socket in the place of a tracked file",
        script="rm README.md; python3 -c \"import socket; socket.socket(1).bind('README.md')\"",
        words="is neither a file nor a folder nor a symbolic link",
        bare="test -S README.md",
    ),
    Content(
        id="N26",
        what="a device",
        script="rm README.md; mknod README.md b 8 0",
        words="is neither a file nor a folder nor a symbolic link",
        bare="test -b README.md",
        roots=True,
    ),
    Content(
        id="N27",
        what="a FIFO beside good work",
        script="echo good > good; git add good; git commit -qm good; mkfifo pipe",
        told="kept out",
        words="",
        bare="test -p pipe",
    ),
    Content(
        id="N28",
        what="a repository that is not committed",
        script="git init -q lib; echo '[core] fsmonitor = ./evil' >> lib/.git/config; echo x > lib/x",
        words="the worktree contains a git repository: lib/",
        bare="test -e lib/.git/config",
    ),
    Content(
        id="N29",
        what="an option as the address of a submodule",
        script="printf '[submodule \"a\"]\\n path = a\\n url = -u./evil\\n' > .gitmodules; git add .gitmodules;"
        " git commit -qm modules",
        words=".gitmodules has url = -u./evil",
    ),
    Content(
        id="N30",
        what="a link in the place of .gitmodules",
        script="take $(raw 120000 .gitmodules $(blob README.md))",
        words="names submodules, and is no file",
    ),
    Content(
        id="N31",
        what="a program in the place of a submodule's address",
        script="printf '[submodule \"a\"]\\n path = a\\n url = ext::sh -c evil\\n' > .gitmodules; git add .gitmodules;"
        " git commit -qm modules",
        words=".gitmodules has url = ext::sh",
    ),
    Content(
        id="N32",
        what="a program that updates a submodule",
        script="printf '[submodule \"a\"]\\n path = a\\n url = ./x\\n update = !evil\\n' > .GITMODULES; git add -A;"
        " git commit -qm modules",
        words=".gitmodules has update = !evil",
    ),
)
