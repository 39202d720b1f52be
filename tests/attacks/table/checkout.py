"""Attacks on the user's checkout, other worktrees, and other folders of the user's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.attacks.attack import (
    FAILED,
    Attack,
    World,
    by_path,
    encoded,
    gone,
    holds,
    linked,
    lists,
    lost,
    mode,
    moved,
    there,
)
from tests.support.git import git


def _repo(name: str) -> Callable[[World], Path]:
    return lambda world: world.repo / name


def _common(name: str) -> Callable[[World], Path]:
    return lambda world: world.common / name


def _side(name: str) -> Callable[[World], Path]:
    return lambda world: world.side / name


def _other(name: str) -> Callable[[World], Path]:
    return lambda world: world.other / name


def _outside(name: str) -> Callable[[World], Path]:
    return lambda world: world.outside / name


def _hidden(world: World) -> bool:
    return git("ls-files", "-v", "run.sh", cwd=world.repo, ok=range(256)).startswith(("S", "h"))


FILES = (
    by_path(
        "C01",
        "HEAD",
        "echo ref: refs/heads/keep > $COMMON/HEAD",
        holds(_common("HEAD"), "refs/heads/keep"),
        "HEAD changed",
        night="head",
    ),
    by_path("C02", "the index", "rm -f $COMMON/index", gone(_common("index")), "index disappeared", night="objects"),
    by_path(
        "C03",
        "garbage in the index",
        "echo garbage > $COMMON/index",
        holds(_common("index"), "garbage"),
        FAILED,
        ruins=True,
        night="index2",
    ),
    by_path(
        "C04",
        "a file that git has",
        "echo evil >> $REPO/README.md",
        holds(_repo("README.md"), "evil"),
        "file README.md changed",
    ),
    by_path(
        "C05",
        "a file that git has not",
        "echo evil >> $REPO/dirty.txt",
        holds(_repo("dirty.txt"), "evil"),
        "file dirty.txt changed",
    ),
    by_path("C06", "a new file", "echo evil > $REPO/evil", there(_repo("evil")), "file evil changed"),
    by_path("C07", "remove a file", "rm -f $REPO/src/lib.py", gone(_repo("src/lib.py")), "file src/lib.py changed"),
    by_path(
        "C08",
        "the mode of a file",
        "chmod 755 $REPO/src/app.py",
        mode(_repo("src/app.py"), 0o755),
        "file src/app.py changed",
        landlock="hits",
    ),
    by_path("C09", "a link", "ln -s /etc $REPO/leak", linked(_repo("leak")), "file leak changed"),
    by_path(
        "C10",
        "through a link of its own",
        "ln -s $REPO through; echo evil > through/evil-link",
        there(_repo("evil-link")),
        "file evil-link changed",
    ),
    by_path(
        "C11",
        "a file in the place of a folder",
        "rm -rf $REPO/docs; echo evil > $REPO/docs",
        lambda world: (world.repo / "docs").is_file(),
        "file docs",
    ),
    by_path("C12", "a FIFO", "mkfifo $REPO/pipe", there(_repo("pipe")), "pipe pipe appeared", night="clean"),
    by_path(
        "C13",
        "a name with an escape",
        "touch \"$REPO/$(printf 'a\\033]0;evil\\007b')\"",
        lambda world: any("evil\a" in path.name for path in world.repo.iterdir()),
        "file a",
    ),
    by_path(
        "C14",
        "a nested repository",
        "git init -q $REPO/nested; touch $REPO/nested/x",
        there(_repo("nested/.git")),
        "file nested",
    ),
    by_path(
        "C15",
        "hide an edit",
        "GIT_DIR=$COMMON GIT_WORK_TREE=$REPO git update-index --skip-worktree run.sh; echo evil >> $REPO/run.sh",
        _hidden,
        "index changed",
        night="clean",
    ),
    by_path(
        "C16",
        "stage something",
        "echo evil > $REPO/staged; GIT_DIR=$COMMON GIT_WORK_TREE=$REPO git add staged",
        lambda world: "staged" in git("ls-files", cwd=world.repo),
        "index changed",
        night="head",
    ),
    by_path(
        "C17",
        "remove what is not committed",
        "git -C $REPO clean -qfdx",
        gone(_repo("dirty.txt")),
        "file dirty.txt changed",
        night="clean",
    ),
    by_path(
        "C18",
        "an edit of another mode and time",
        "touch -r $REPO/README.md mark; printf '# Evil...\\n' > $REPO/README.md; touch -r mark $REPO/README.md",
        holds(_repo("README.md"), "Evil"),
        "file README.md changed",
        night="clean",
    ),
    by_path(
        "C19",
        "a folder that nobody can read",
        "mkdir $REPO/closed; touch $REPO/closed/x; chmod 0 $REPO/closed",
        there(_repo("closed")),
        "f*closed",
        night="clean",
    ),
    by_path(
        "C20",
        "a file in the place of .gitignore",
        "echo '*' > $REPO/.gitignore",
        holds(_repo(".gitignore"), "*\n"),
        "file .gitignore changed",
        night="head",
    ),
    by_path(
        "C21",
        "settings of gitorch",
        "printf '[checks]\\nevil = \"true\"\\n' > $REPO/.orchestrate.toml",
        there(_repo(".orchestrate.toml")),
        "file .orchestrate.toml changed",
        night="config",
    ),
    by_path(
        "C22",
        "personal settings of gitorch",
        "printf '[checks]\\nevil = \"true\"\\n' > $REPO/.orchestrate.local.toml",
        there(_repo(".orchestrate.local.toml")),
        "file .orchestrate.local.toml changed",
        night="config",
    ),
)

UNSEEN = (
    by_path(
        "C50",
        "let everybody write a file",
        "chmod 646 $REPO/src/lib.py",
        mode(_repo("src/lib.py"), 0o646),
        "mode of src/lib.py changed",
        landlock="hits",
        night="unseen",
    ),
    by_path(
        "C51",
        "let everybody write into a folder",
        "chmod 777 $REPO/docs",
        mode(_repo("docs"), 0o777),
        "mode of docs changed",
        landlock="hits",
        night="unseen",
    ),
    by_path(
        "C52",
        "a script that runs with the rights of its owner",
        "chmod 4755 $REPO/run.sh",
        mode(_repo("run.sh"), 0o4755),
        "mode of run.sh changed",
        night="unseen",
    ),
    by_path(
        "C53",
        "an empty folder",
        "mkdir -p $REPO/hollow/deep",
        there(_repo("hollow")),
        "folder hollow/deep appeared",
        night="unseen",
    ),
    by_path(
        "C54",
        "a socket",
        encoded(
            "import os, socket\nos.chdir(os.environ['REPO'])\nsocket.socket(socket.AF_UNIX).bind('planted.sock')\n"
        ),
        there(_repo("planted.sock")),
        "socket planted.sock appeared",
        night="unseen",
    ),
    by_path(
        "C55",
        "a program in an ignored folder",
        "echo evil > $REPO/vendor/evil.js",
        there(_repo("vendor/evil.js")),
        "file vendor/evil.js appeared",
        night="unseen",
    ),
    by_path(
        "C56",
        "an ignored file of the same size and time",
        "touch -r $REPO/vendor/run.js mark && printf 'evil\\n' > $REPO/vendor/run.js && touch -r mark $REPO/vendor/run.js",
        holds(_repo("vendor/run.js"), "evil"),
        "file vendor/run.js changed",
        night="unseen",
    ),
    by_path(
        "C57",
        "a file in the place of an ignored one",
        "echo evil > $OUTSIDE/planted; mv $OUTSIDE/planted $REPO/build/private.log",
        holds(_repo("build/private.log"), "evil"),
        "file build/private.log changed",
        night="unseen",
    ),
    by_path(
        "C58",
        "remove an ignored folder",
        "rm -rf $REPO/vendor",
        gone(_repo("vendor")),
        "folder vendor disappeared",
        night="unseen4",
    ),
    by_path(
        "C59",
        "a file of a submodule",
        "echo evil >> $REPO/library/run.sh",
        holds(_repo("library/run.sh"), "evil"),
        "file library/run.sh changed",
        night="unseen",
    ),
    by_path(
        "C60",
        "a file that git takes for unchanged",
        "echo evil >> $REPO/settings.py",
        holds(_repo("settings.py"), "evil"),
        "file settings.py changed",
        night="unseen",
    ),
    by_path(
        "C61",
        "the settings of a repository in an ignored folder",
        "printf '[core]\\n\\tfsmonitor = evil\\n' >> $REPO/vendor/tool/.git/config",
        holds(_repo("vendor/tool/.git/config"), "evil"),
        "file vendor/tool/.git/config changed",
        night="unseen",
    ),
    by_path(
        "C62",
        "a hook of a repository in an ignored folder",
        "mkdir -p $REPO/vendor/tool/.git/hooks; echo evil > $REPO/vendor/tool/.git/hooks/post-checkout",
        there(_repo("vendor/tool/.git/hooks/post-checkout")),
        "f*vendor/tool/.git/hooks",
        night="unseen",
    ),
    by_path(
        "C63",
        "an ignored file, with the file that says so",
        "cp $COMMON/info/exclude ex; : > $COMMON/info/exclude; echo evil > $REPO/vendor/run.js; cp ex $COMMON/info/exclude",
        holds(_repo("vendor/run.js"), "evil"),
        "file vendor/run.js changed",
        night="unseen2",
    ),
    by_path(
        "C64",
        "an ignored file in the user's worktree",
        "mkdir $SIDE/build; echo evil > $SIDE/build/evil.js",
        there(_side("build/evil.js")),
        "worktree {side}: folder build appeared",
        night="unseen",
    ),
    by_path(
        "C65",
        "read what was private",
        "chmod 644 $REPO/vendor/private.key",
        mode(_repo("vendor/private.key"), 0o644),
        "file vendor/private.key changed",
        landlock="hits",
        night="unseen",
    ),
    by_path(
        "C66",
        "many files, to hide one",
        "for n in $(seq 200); do echo > $REPO/vendor/noise$n; done; echo evil > $REPO/vendor/evil2.js",
        there(_repo("vendor/evil2.js")),
        "201 files appeared in vendor: vendor/evil2.js",
        night="unseen3",
    ),
    by_path(
        "C67",
        "a link in the place of an ignored folder",
        "mv $REPO/build $OUTSIDE/build; ln -s $WT $REPO/build",
        linked(_repo("build")),
        "f*build",
        night="unseen3",
    ),
)
"""What `git status` says nothing of."""

THROUGH_GIT = (
    Attack(
        id="C30",
        what="commit in the checkout",
        script="git -C $REPO commit -q --allow-empty -m x",
        hit=moved("refs/heads/main"),
        private="hits",
        off="refused",
        told="refs/heads/main",
        alarm="HEAD",
        night="b",
    ),
    Attack(
        id="C31",
        what="delete a branch",
        script="git -C $REPO branch -D keep",
        hit=moved("refs/heads/keep"),
        private="hits",
        off="refused",
        told="refs/heads/keep",
        night="b",
    ),
    Attack(
        id="C32",
        what="move a tag",
        script="echo x > x; git add x; git commit -qm x; git push -q -f $REPO HEAD:refs/tags/v1",
        hit=moved("refs/tags/v1"),
        private="refused",
        off="refused",
        told="push to",
        night="b",
    ),
    Attack(
        id="C33",
        what="take the stash",
        script="git -C $REPO stash drop -q",
        hit=lambda world: len(git("stash", "list", cwd=world.repo).splitlines()) < 2,
        private="hits",
        off="hits",
        told="stash ",
        night="b",
    ),
    Attack(
        id="C34",
        what="throw changes away",
        script="echo mine >> $REPO/README.md; git -C $REPO checkout -q -f keep",
        hit=holds(_common("HEAD"), "refs/heads/keep"),
        private="hits",
        off="hits",
        told="HEAD changed",
        night="c",
    ),
    Attack(
        id="C35",
        what="remove a worktree",
        script="git -C $REPO worktree remove -f -f $SIDE2",
        hit=gone(lambda world: world.top / "side2"),
        private="hits",
        off="hits",
        told="worktree {side2}",
        night="b",
    ),
    Attack(
        id="C36",
        what="collect garbage",
        script="git -C $REPO -c gc.pruneExpire=now gc -q --prune=now",
        hit=lost("secret-object"),
        private="hits",
        off="hits",
        told="objects disappeared",
        night="b",
    ),
    Attack(
        id="C37",
        what="write notes",
        script="T=$(git -C $REPO mktree < /dev/null); git -C $REPO update-ref refs/notes/gitorch $(git -C $REPO commit-tree $T -m forged)",
        hit=lists("log", "-1", "--format=%B", "refs/notes/gitorch", text="forged"),
        private="hits",
        off="refused",
        told="refs/notes/gitorch",
        night="b",
    ),
    Attack(
        id="C38",
        what="commit in another worktree",
        script="cd $SIDE && git commit -q --allow-empty -m x",
        hit=moved("refs/heads/side"),
        private="hits",
        off="refused",
        told="refs/heads/side",
        alarm="HEAD",
        night="c",
    ),
    Attack(
        id="C39",
        what="commit on another task",
        script="cd $OTHER && git commit -q --allow-empty -m x",
        hit=moved("refs/heads/orch/other"),
        private="hits",
        off="refused",
        told="refs/heads/orch/other",
        alarm="HEAD",
        night="c",
    ),
    Attack(
        id="C40",
        what="go round the hooks",
        script="git -C $REPO -c core.hooksPath=/dev/null update-ref refs/heads/packed $BASE~2",
        hit=moved("refs/heads/packed"),
        private="hits",
        off="hits",
        told="refs/heads/packed moved",
        night="b",
    ),
    Attack(
        id="C41",
        what="scrub the environment",
        script='env -i PATH="$PATH" HOME="$HOME" git -C $REPO update-ref refs/heads/kept $BASE~2',
        hit=moved("refs/heads/kept"),
        private="hits",
        off="hits",
        told="refs/heads/kept moved",
        night="b",
    ),
    Attack(
        id="C42",
        what="reset the checkout",
        script="env -u GIT_CONFIG_COUNT git -C $REPO reset -q --hard HEAD~1",
        hit=moved("refs/heads/main"),
        private="hits",
        off="hits",
        told="refs/heads/main moved",
        night="trees",
    ),
)
"""Through git in the user's folders: hooks that only agents see refuse it there where there is no private repository."""

WORKTREES = (
    by_path(
        "O01",
        "a file in the user's worktree",
        "echo evil > $SIDE/evil",
        there(_side("evil")),
        "worktree {side}: file evil changed",
        night="trees",
    ),
    by_path(
        "O02",
        "a file in another task's worktree",
        "echo evil > $OTHER/evil",
        there(_other("evil")),
        "worktree {other}: file evil changed",
        night="trees",
    ),
    by_path(
        "O03",
        "remove uncommitted work",
        "rm -f $SIDE/plans.txt",
        gone(_side("plans.txt")),
        "worktree {side}: file plans.txt changed",
        night="trees",
    ),
    by_path(
        "O04",
        "remove another task's uncommitted work",
        "rm -f $OTHER/wip.txt",
        gone(_other("wip.txt")),
        "worktree {other}: file wip.txt changed",
        night="trees",
    ),
    by_path(
        "O05",
        "the .git file of the user's worktree",
        "echo gitdir: $WT/fake > $SIDE/.git",
        holds(_side(".git"), "fake"),
        "worktree {side}: .git changed",
        night="pointer",
    ),
    by_path(
        "O06",
        "the .git file of another task's worktree",
        "echo gitdir: $WT/fake > $OTHER/.git",
        holds(_other(".git"), "fake"),
        "worktree {other}",
        night="pointer",
    ),
    by_path(
        "O07",
        "a link in the place of another task's worktree",
        "mv $OTHER $OUTSIDE/other; ln -s $REPO $OTHER",
        linked(_other("")),
        "worktree {other}",
        night="swap",
    ),
    by_path(
        "O08",
        "a link in the place of the user's worktree",
        "mv $SIDE $OUTSIDE/side; ln -s $WT $SIDE",
        linked(_side("")),
        "worktree {side}",
        night="swap",
    ),
    by_path(
        "O09", "remove another task's worktree", "rm -rf $OTHER", gone(_other("")), "worktree {other}", night="away"
    ),
    by_path(
        "O14",
        "an ignored file in another task's worktree",
        "echo evil > $OTHER/build/tool.js",
        holds(_other("build/tool.js"), "evil"),
        "worktree {other}: file build/tool.js changed",
        night="trees",
    ),
    by_path(
        "O15",
        "an ignored folder in another task's worktree",
        "mkdir $OTHER/vendor; echo evil > $OTHER/vendor/a.js",
        there(_other("vendor/a.js")),
        "worktree {other}: folder vendor appeared",
        night="trees",
    ),
    by_path("O10", "remove the user's worktree", "rm -rf $SIDE", gone(_side("")), "worktree {side}", night="away"),
    by_path(
        "O11",
        "stage in another task's worktree",
        "cd $OTHER && git add wip.txt",
        lambda world: "wip.txt" in git("ls-files", cwd=world.other, ok=range(256)),
        "worktree {other}",
        night="stage",
    ),
    by_path(
        "O12",
        "a half-done merge in another worktree",
        "echo $BASE > $COMMON/worktrees/side/MERGE_HEAD",
        there(_common("worktrees/side/MERGE_HEAD")),
        "worktree {side}: MERGE_HEAD appeared",
        night="stage",
    ),
    by_path(
        "O13",
        "a half-done rebase in another worktree",
        "mkdir $COMMON/worktrees/side/rebase-merge; echo exec evil > $COMMON/worktrees/side/rebase-merge/git-rebase-todo",
        there(_common("worktrees/side/rebase-merge")),
        "worktree {side}: rebase-merge/git-rebase-todo appeared",
        night="stage",
    ),
)

ELSEWHERE = (
    by_path(
        "W05", "a folder of the user's", "echo evil > $OUTSIDE/evil", there(_outside("evil")), "warned", night="trees"
    ),
    by_path(
        "W06",
        "a document",
        "echo evil > $VICTIM/Documents/letter.txt",
        holds(lambda world: world.home / "Documents/letter.txt", "evil"),
        "warned",
        night="trees",
    ),
    by_path(
        "W07",
        "an ignored file of the checkout",
        "echo evil > $REPO/build/private.log",
        holds(_repo("build/private.log"), "evil"),
        "file build/private.log changed",
        night="trees",
    ),
    by_path(
        "W08",
        "the memory that programs share",
        "echo evil > /dev/shm/evil-$PID; cp /dev/shm/evil-$PID $OUTSIDE/shm; rm -f /dev/shm/evil-$PID",
        there(_outside("shm")),
        "warned",
        night="trees",
    ),
    by_path(
        "W09",
        "a remote repository by its path",
        "git --git-dir=$OUTSIDE/origin.git update-ref refs/heads/evil refs/heads/main",
        there(_outside("origin.git/refs/heads/evil")),
        "warned",
        night="trees",
    ),
    by_path(
        "W11",
        "open a private folder",
        "chmod 777 $VICTIM/.ssh",
        mode(lambda world: world.home / ".ssh", 0o777),
        "mode of {victim}/.ssh changed",
        landlock="hits",
        night="trees",
    ),
)
"""What no comparison sees (other files of the user's) is told by the standing warning."""

ATTACKS: tuple[Attack, ...] = (*FILES, *UNSEEN, *THROUGH_GIT, *WORKTREES, *ELSEWHERE)
