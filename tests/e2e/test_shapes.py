"""Repositories of every shape: one task from the queue to the integration branch, and nothing else moves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gitorch.git.user_hooks import script
from tests.support.cli import OBEDIENT, Cli, does, saved
from tests.support.git import commit, commit_on_branch, git, run

OFF = {"GITORCH_SANDBOX_MODE": "off"}
COMMIT = "git commit --quiet --message=work"
POINTERS = """\
#!/bin/sh
cd {store} && mkdir -p store && if [ $1 = clean ]
then cat > store/new && name=$(sha1sum < store/new | cut -c1-40) && mv store/new store/$name && echo "pointer $name"
else read -r _ name && cat store/$name
fi
"""
CHECK = '[checks]\ntest = "test -e README.md"\n'


def beside(source: Path, name: str, *worktrees: str) -> Path:
    """Make a bare clone in a folder of its own, with worktrees of these branches next to it; return the folder."""
    folder = source.parent / "project"
    git("clone", "--quiet", "--bare", str(source), str(folder / name), cwd=source.parent)
    if name != ".git":
        (folder / ".git").write_text(f"gitdir: ./{name}\n")
    for branch in worktrees:
        git("worktree", "add", "--quiet", branch, branch, cwd=folder)
    return folder


# a bare repository with worktrees next to it


@pytest.fixture
def source(repository_folder: Path) -> Path:
    """A repository with a check in its configuration, and a branch that is one commit ahead."""
    tip = commit(repository_folder, "Configure", {".orchestrate.toml": CHECK})
    commit_on_branch(repository_folder, "feature", tip, ("Feature", {"feature.txt": "1"}))
    return repository_folder


@pytest.mark.parametrize("name", [".bare", ".git", "repo.git"])
def test_worktrees_next_to_a_bare_repository(source: Path, name: str) -> None:
    """The file of the worktree with HEAD's branch is in force everywhere, and only that one follows a merge."""
    folder = beside(source, name, "main", "feature")
    cli = Cli(folder / "main", **OFF)
    assert cli.json("config", "get", "checks.test", cwd=folder / "feature")["value"] == "test -e README.md"
    assert cli.json("config", "get", "checks.test", cwd=folder)["value"] == "test -e README.md"
    cli("config", "trust", "--yes")
    cli("adopt", "--check", "feature")
    cli("approve", "--all")
    cli("merge")
    before = git("rev-parse", "HEAD", cwd=folder / "feature")
    cli("merge", "--into", "main")
    assert (folder / "main" / "feature.txt").read_text() == "1"
    assert [git("status", "--porcelain", cwd=folder / tree) for tree in ("main", "feature")] == ["", ""]
    assert git("rev-parse", "HEAD", cwd=folder / "feature") == before
    assert not (folder / "README.md").exists()


def test_a_task_in_a_bare_repository_with_worktrees(source: Path) -> None:
    """Its worktree is next to the user's, and the personal file and ignored files come from the user's worktree.

    The preflight names those that are not copied.
    """
    folder = beside(source, ".bare", "main")
    cli = Cli(folder / "main", **OFF, GITORCH_RUN_TRY_BASE="true")
    (folder / ".bare/info/exclude").write_text(".env*\n.orchestrate.local.toml\n")
    (folder / "main" / ".env.local").write_text("secret")
    (folder / "main" / ".orchestrate.local.toml").write_text('[prepare]\ncopy = [".env"]\n')
    (folder / "main" / ".env").write_text("secret")
    cli("config", "trust", "--yes")
    cli.queue(does("One", "test -e .env", saved("one.txt", "1")))
    told = cli.run()
    assert "worktrees will lack .env.local, which git ignores" in told.text + told.stderr
    assert cli.tasks()["one"]["worktree"] == str(folder / "project.orch" / "one")
    cli("approve", "one")
    cli("merge")
    assert git("show", "orch/integration:one.txt", cwd=folder) == "1"


def test_doctor_and_trust_are_about_the_same_repository_from_every_worktree(source: Path) -> None:
    """What is trusted or repaired in one worktree is in the others and in the folder; a changed file is asked about."""
    folder = beside(source, ".bare", "main", "feature")
    cli = Cli(folder / "main", **OFF)
    assert cli.error("run", exit=5, cwd=folder / "feature")["code"] == "untrusted"
    assert "test -e README.md" in cli("config", "trust", "--yes", cwd=folder / "feature").stderr
    for place in (folder, folder / "main", folder / "feature"):
        answer = cli.json("doctor", ok=(0, 4), cwd=place)
        trusted = [found["ok"] for found in answer["findings"] if "commands are trusted" in found["what"]]
        assert trusted == [True]
    cli("hooks", "install", cwd=folder / "feature")
    hook = folder / ".bare" / "hooks" / "post-rewrite"
    current = hook.read_bytes()
    hook.write_bytes(script("exit 0\n", {}))
    assert cli.json("doctor", "--fix", "--yes", ok=(0, 4), cwd=folder)["repaired"] == ["hooks"]
    assert hook.read_bytes() == current
    assert not (folder / "hooks").exists()
    (folder / "main" / ".orchestrate.toml").write_text(CHECK.replace("-e", "-f"))
    assert cli.error("run", exit=5, cwd=folder / "feature")["code"] == "untrusted"
    cli("config", "trust", "--yes", cwd=folder)
    cli.run(cwd=folder / "feature")


def test_a_bare_repository_without_a_worktree_has_the_file_of_head(source: Path) -> None:
    """Its configuration is what HEAD has; a worktree on another branch counts for the commands started in it."""
    folder = beside(source, ".bare")
    cli = Cli(folder, **OFF)
    assert cli.json("config", "get", "checks.test")["value"] == "test -e README.md"
    git("worktree", "add", "--quiet", "feature", "feature", cwd=folder)
    (folder / "feature" / ".orchestrate.toml").write_text('[checks]\ntest = "true"\n')
    assert cli.json("config", "get", "checks.test", cwd=folder / "feature")["value"] == "true"
    assert cli.json("config", "get", "checks.test")["value"] == "test -e README.md"


def test_a_linked_worktree_has_its_own_file_where_the_main_one_has_none(repository_folder: Path) -> None:
    """The branch that a person works on there may be the only one that is configured."""
    cli = Cli(repository_folder, **OFF)
    other = repository_folder.parent / "other"
    git("worktree", "add", "--quiet", "-b", "feature", str(other), cwd=repository_folder)
    commit(other, "check", {".orchestrate.toml": CHECK})
    (other / "sub").mkdir()
    assert "test -e README.md" in cli("config", "trust", "--yes", cwd=other / "sub").stderr
    cli("submit", does("One", saved("one.txt", "1", "one"))["prompt"], cwd=other)
    cli.run(cwd=other)
    assert cli.tasks()["one"]["checks"]["passed"] is True
    assert cli.json("config", "get", "checks")["value"] == {}
    assert "ignores" not in cli("config", "get", "checks", cwd=other).stderr
    (repository_folder / ".orchestrate.toml").write_text(CHECK.replace("-e", "-f"))
    assert cli.json("config", "get", "checks.test", cwd=other)["value"] == "test -f README.md"


def test_files_of_a_linked_worktree_that_do_not_count_are_named(repository_folder: Path) -> None:
    """Once, by what shows the configuration or uses it, and only if they say something else than those that count."""
    cli = Cli(repository_folder, **OFF)
    commit(repository_folder, "check", {".orchestrate.toml": CHECK})
    other = repository_folder.parent / "other"
    git("worktree", "add", "--quiet", "-b", "feature", str(other), cwd=repository_folder)
    shown = ("config", "show", "--origin")
    assert "ignores" not in cli(*shown, cwd=other).stderr
    (other / ".orchestrate.toml").write_text(CHECK.replace("-e", "-f"))
    (other / ".orchestrate.local.toml").write_text("[run]\nmax_agents = 7\n")
    names = f"{other}/.orchestrate.toml and {other}/.orchestrate.local.toml"
    words = f"gitorch ignores {names}, and reads the configuration of {repository_folder}"
    for command in (shown, ("config", "get", "run"), ("config", "validate"), ("run", "-n")):
        assert cli(*command, cwd=other).stderr.count(words) == 1
        assert "ignores" not in cli(*command).stderr


def test_files_of_a_tasks_worktree_configure_nothing(source: Path) -> None:
    """What an agent wrote in its own worktree of a bare repository is not read as the user's configuration."""
    folder = beside(source, ".bare")
    cli = Cli(folder, **OFF)
    cli("config", "trust", "--yes")
    cli.queue(does("One", saved(".orchestrate.toml", 'agent = "evil"\n')))
    cli.run(ok=(0, 6))
    worktree = Path(cli.tasks()["one"]["worktree"])
    assert cli.json("config", "get", "agent", cwd=worktree)["value"] == "sh"


# the commands of the commit that a task starts on


@pytest.fixture
def edited(source: Path) -> Cli:
    """A repository whose configuration file was edited and not committed."""
    (source / ".orchestrate.toml").write_text('[checks]\ntest = "test -e one.txt"\n')
    return Cli(source, **OFF)


def work(cli: Cli) -> Mapping[str, str]:
    cli("config", "trust", "--yes")
    cli.run(ok=(0, 6))
    return cli.states()


def test_trust_covers_the_commit_that_a_task_starts_on(edited: Cli) -> None:
    """`config trust` shows the checks of the base commit next to those of the file, and agrees to both."""
    edited.queue(does("One", saved("one.txt", "1")))
    shown = edited("config", "trust", "--no-input", ok=9).stderr
    assert "test -e one.txt" in shown
    assert "test -e README.md" in shown
    assert work(edited) == {"one": "finished"}
    assert edited.json("config", "trust") == edited.json("config", "trust", "--yes")


def test_trust_covers_other_bases(edited: Cli) -> None:
    """So does a base that was asked for, and the tip of a dependency that changed the file."""
    old = git("rev-parse", "HEAD", cwd=edited.folder)
    commit_on_branch(edited.folder, "old", old, ("Other", {".orchestrate.toml": '[checks]\nother = "true"\n'}))
    edited.queue({**does("One", saved("one.txt", "1")), "base": "old"})
    assert work(edited) == {"one": "finished"}
    edited.queue(does("Two", saved(".orchestrate.toml", '[checks]\ntwo = "true"\n')))
    edited.queue(does("Three", saved("three.txt", "3"), after=["two"]))
    edited("run", ok=6)
    assert work(edited)["three"] == "finished"


def test_a_personal_file_does_not_hide_the_committed_checks(source: Path) -> None:
    """Checks of the personal file join those of the commit, which are trusted on their own."""
    (source / ".orchestrate.local.toml").write_text('[checks]\nmine = "true"\n')
    cli = Cli(source, **OFF)
    cli.queue(does("One", saved("one.txt", "1")))
    assert work(cli) == {"one": "finished"}


# one task in a repository of every shape


def plain(folder: Path) -> Path:
    return folder


def bare(folder: Path) -> Path:
    git("clone", "--quiet", "--bare", str(folder), "bare.git", cwd=folder.parent)
    return folder.parent / "bare.git"


def bare_with_worktrees(folder: Path) -> Path:
    return beside(folder, ".bare", "main") / "main"


def detached(folder: Path) -> Path:
    git("checkout", "--quiet", "--detach", "HEAD~1", cwd=folder)
    return folder


def shallow(folder: Path) -> Path:
    git("clone", "--quiet", "--depth=1", folder.as_uri(), "shallow", cwd=folder.parent)
    return folder.parent / "shallow"


def partial(folder: Path) -> Path:
    git("config", "uploadpack.allowFilter", "true", cwd=folder)
    commit(folder, "Change", {"README.md": "changed\n"})
    git("clone", "--quiet", "--filter=blob:none", folder.as_uri(), "partial", cwd=folder.parent)
    return folder.parent / "partial"


def alternates(folder: Path) -> Path:
    git("clone", "--quiet", "--shared", str(folder), "borrowed", cwd=folder.parent)
    return folder.parent / "borrowed"


def separate_git_dir(folder: Path) -> Path:
    git("init", "--quiet", f"--separate-git-dir={folder.parent / 'elsewhere'}", cwd=folder)
    return folder


def sha256(folder: Path) -> Path:
    target = folder.parent / "sha256"
    git("init", "--quiet", "--object-format=sha256", str(target), cwd=folder.parent)
    commit(target, "Start\n", {"a.txt": "a\n"})
    return target


def reftable(folder: Path) -> Path:
    target = folder.parent / "reftable"
    answer = run("init", "--quiet", "--ref-format=reftable", str(target), cwd=folder.parent, ok=range(256))
    if answer.returncode != 0:
        pytest.skip("this git has no reftable")
    commit(target, "Start\n", {"a.txt": "a\n"})
    return target


def sparse(folder: Path) -> Path:
    git("status", cwd=folder)  # a file whose time stamp is not the index's would stay
    git("sparse-checkout", "set", "--cone", "docs", cwd=folder)
    assert not (folder / "src").exists()
    return folder


def split_index(folder: Path) -> Path:
    git("config", "core.splitIndex", "true", cwd=folder)
    git("update-index", "--split-index", cwd=folder)
    return folder


def worktree_config(folder: Path) -> Path:
    git("config", "extensions.worktreeConfig", "true", cwd=folder)
    git("config", "--worktree", "core.fileMode", "false", cwd=folder)
    return folder


def autocrlf(folder: Path) -> Path:
    git("config", "core.autocrlf", "true", cwd=folder)
    commit(folder, "Lines", {"text.txt": "a\r\nb\r\n"})
    return folder


def dirty_from_the_start(folder: Path) -> Path:
    commit(folder, "Lines", {"text.txt": "a\r\nb\r\n"})
    (folder / ".gitattributes").write_text("*.txt text\n")
    git("add", ".gitattributes", cwd=folder)
    git("commit", "--quiet", "--message=Attributes", cwd=folder)
    return folder


def with_a_large_file_filter(folder: Path) -> Path:
    """Files are stored as pointers to a store of their own, as Git LFS does."""
    script = folder.parent / "filter"
    script.write_text(POINTERS.format(store=folder.parent))
    script.chmod(0o755)
    for word in ("clean", "smudge"):
        git("config", f"filter.large.{word}", f"{script} {word}", cwd=folder)
    git("config", "filter.large.required", "true", cwd=folder)
    (folder / ".gitattributes").write_text("*.bin filter=large -text\n")
    commit(folder, "Large", {"old.bin": "large\n"})
    assert git("cat-file", "blob", "HEAD:old.bin", cwd=folder).startswith("pointer ")
    return folder


def a_submodule(folder: Path) -> Path:
    outer = folder.parent / "outer"
    git("init", "--quiet", str(outer), cwd=folder.parent)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(folder), "libs/inner", cwd=outer)
    git("commit", "--quiet", "--message=Add inner", cwd=outer)
    return outer / "libs" / "inner"


def with_submodules(folder: Path) -> Path:
    other = folder.parent / "other"
    git("init", "--quiet", str(other), cwd=folder.parent)
    commit(other, "Start\n", {"inside.txt": "inside\n"})
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "sub", cwd=folder)
    git("commit", "--quiet", "--message=Add a submodule", cwd=folder)
    (folder / "sub" / "inside.txt").write_text("changed by the user\n")
    return folder


def with_a_strange_path(folder: Path) -> Path:
    return folder.rename(folder.parent / "a folder\nwith 'quotes' \"and\" $lines")


def with_names_that_are_not_utf8(folder: Path) -> Path:
    name = os.path.join(os.fsencode(folder), b"caf\xe9 \xff\n.txt")
    Path(os.fsdecode(name)).write_text("latin\n")
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message=Add a strange name", cwd=folder)
    Path(os.fsdecode(name + b"2")).write_text("not committed\n")
    return folder


def with_a_dirty_checkout(folder: Path) -> Path:
    (folder / "README.md").write_text("stashed\n")
    git("stash", cwd=folder)
    (folder / "README.md").write_text("staged\n")
    git("add", "README.md", cwd=folder)
    (folder / "README.md").write_text("and edited\n")
    (folder / "untracked.txt").write_text("untracked\n")
    return folder


SHAPES = (
    *(plain, bare, bare_with_worktrees, detached, shallow, partial, alternates, separate_git_dir, sha256, reftable),
    *(sparse, split_index, worktree_config, autocrlf, dirty_from_the_start, with_a_large_file_filter),
    *(a_submodule, with_submodules, with_a_strange_path, with_names_that_are_not_utf8, with_a_dirty_checkout),
)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_task_in_a_repository_of_this_shape(repository_folder: Path, shape: Callable[[Path], Path]) -> None:
    """It is done, approved and merged, its commit has the agent's file alone, and nothing of the user's moves."""
    cli = Cli(shape(repository_folder), **OFF)
    start, listing = git("rev-parse", "HEAD", cwd=cli.folder), sorted(cli.folder.parent.iterdir())
    with cli.untouched():
        cli.queue(does("One", "git status --porcelain | { ! grep .; }", "echo 1 > new.bin", "git add --all", COMMIT))
        cli.run()
        worktree = Path(cli.tasks()["one"]["worktree"])
        assert git("status", "--porcelain", cwd=worktree) == ""
        cli("approve", "one")
        cli("merge")
    assert git("diff", "--name-only", start, "orch/integration", cwd=cli.folder) == "new.bin"
    assert git("rev-parse", "orch/integration~1", cwd=cli.folder) == start
    assert not worktree.is_relative_to(cli.folder)
    assert sorted({*listing, worktree.parent}) == sorted({*cli.folder.parent.iterdir(), worktree.parent})


@pytest.mark.parametrize("way", ["link", "file"])
def test_the_folder_of_git_is_in_the_work_tree_under_another_name(repository_folder: Path, way: str) -> None:
    """As in folders that are synchronized (`.git -> .git.nosync`): what gitorch writes there is no alarm."""
    if way == "link":
        (repository_folder / ".git").rename(repository_folder / ".git.nosync")
        (repository_folder / ".git").symlink_to(".git.nosync")
    else:
        git("init", "--quiet", f"--separate-git-dir={repository_folder / '.git.nosync'}", cwd=repository_folder)
    (repository_folder / ".git.nosync/info/exclude").write_text(".git.nosync\n")
    cli = Cli(repository_folder, **OFF)
    cli.queue(does("One", saved("one.txt", "1")))
    assert "changed during a run" not in cli.run().text
    cli("approve", "one")
    cli("merge", "--into", "main")
    assert git("status", "--porcelain", cwd=repository_folder) == ""


def test_the_work_tree_is_not_around_its_repository(repository_folder: Path) -> None:
    """With `core.worktree`, as for files of a HOME; the preflight finds what is ignored there."""
    bare = repository_folder.parent / "files.git"
    (repository_folder / ".git").rename(bare)
    git("config", "core.worktree", str(repository_folder), cwd=bare)
    (bare / "info/exclude").write_text(".env\n")
    (repository_folder / ".env").write_text("secret")
    cli = Cli(bare, **OFF, GITORCH_RUN_TRY_BASE="true")
    cli.queue(does("One", saved("one.txt", "1")))
    told = cli.run()
    assert "worktrees will lack .env" in told.text + told.stderr
    cli("approve", "one")
    cli("merge", "--into", "main")
    assert (repository_folder / "one.txt").read_text() == "1\n"


def test_commits_are_collected_at_once_whatever_a_fetch_writes(repository_folder: Path) -> None:
    """`fetch.writeCommitGraph` would have each fetch of ours write one file of the user's, behind one lock."""
    git("config", "fetch.writeCommitGraph", "true", cwd=repository_folder)
    lock = repository_folder / ".git/objects/info/commit-graphs/commit-graph-chain.lock"
    lock.parent.mkdir()
    lock.touch()
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE="private")
    cli.queue(does("One", saved("one.txt", "1")))
    cli.run()
    assert cli.states() == {"one": "finished"}
    assert [*lock.parent.iterdir()] == [lock]


@pytest.mark.parametrize("is_shallow", [False, True])
def test_what_a_user_says_of_addresses_and_served_refs_is_not_about_ours(source: Path, is_shallow: bool) -> None:
    """`url.*.insteadOf` that begins like our paths, and `transfer.hideRefs`, keep no commits from being collected."""
    users = source.parent / "settings"
    earlier = Path(os.environ["GIT_CONFIG_GLOBAL"]).read_text()
    users.write_text(f'{earlier}[url "/nowhere/"]\n\tinsteadOf = {source.parent}/\n[transfer]\n\thideRefs = refs\n')
    folder = source.parent / "clone"
    depth = ("--depth=1",) if is_shallow else ()
    git("clone", "--quiet", *depth, source.as_uri(), str(folder), cwd=source.parent)
    cli = Cli(folder, GITORCH_SANDBOX_MODE="private", GIT_CONFIG_GLOBAL=str(users))
    cli("config", "trust", "--yes")
    cli.queue(does("One", saved("one.txt", "1")))
    cli.run()
    assert cli.states() == {"one": "finished"}


def test_a_submodule_leaves_its_superproject_alone(repository_folder: Path) -> None:
    """The worktrees of a submodule are next to the outermost superproject, which shows nothing new."""
    inner = a_submodule(repository_folder)
    outer = inner.parents[1]
    cli = Cli(inner, **OFF)
    cli.queue(does("One", saved("one.txt", "1")))
    cli.run()
    assert cli.tasks()["one"]["worktree"] == str(outer.parent / "outer.libs.inner.orch" / "one")
    assert git("status", "--porcelain", cwd=outer) == ""
    (inner / ".orchestrate.toml").write_text('worktrees = "../../../trees/{task}"\n')
    cli("revise", "one", "-m", "Again")
    cli.run(ok=(0, 6))
    assert cli.tasks()["one"]["worktree"] == str(outer.parent / "trees" / "one")


def test_submodules_inside_worktrees(repository_folder: Path) -> None:
    """`[prepare]` fills a worktree's submodules, the agent uses them, and the user's own submodule stays as it is."""
    folder = with_submodules(repository_folder)
    update = "git -c protocol.file.allow=always submodule --quiet update --init"
    cli = Cli(folder, f"{OBEDIENT}[prepare]\nrun = [{json.dumps(update)}]\n", **OFF)
    with cli.untouched():
        cli.queue(does("One", "cp sub/inside.txt new.txt", "git add --all", COMMIT))
        cli.run()
        cli("approve", "one")
        cli("merge")
    assert git("diff", "--name-only", "main", "orch/integration", cwd=folder) == "new.txt"
    assert git("show", "orch/integration:new.txt", cwd=folder) == "inside"
    assert (folder / "sub" / "inside.txt").read_text() == "changed by the user\n"


def test_a_checkout_that_is_dirty_from_the_start_follows_a_merge(repository_folder: Path) -> None:
    """A file that only attributes make differ stops no `merge --into`; one that was edited does."""
    folder = dirty_from_the_start(repository_folder)
    os.utime(folder / "text.txt", (1, 1))
    assert git("status", "--porcelain", cwd=folder) == " M text.txt"
    cli = Cli(folder, **OFF)
    cli.queue(does("One", saved("one.txt", "1")))
    cli.run()
    cli("approve", "one")
    cli("merge")
    before = (folder / "text.txt").read_bytes()
    (folder / "text.txt").write_bytes(before + b"edited")
    assert cli.error("merge", "--into", "main", exit=5)["code"] == "checkout-dirty"
    (folder / "text.txt").write_bytes(before)
    cli("merge", "--into", "main")
    assert (folder / "one.txt").exists()
    assert (folder / "text.txt").read_bytes() == before


# settings of git in variables, as containers and CI have them


def test_settings_in_variables_reach_the_agent(repository_folder: Path) -> None:
    """An identity that no file holds is that of the agent's commits, and a folder of another user's stays trusted."""
    settings = {"user.name": "Variable", "user.email": "variable@example.org", "safe.directory": "/srv/their folder"}
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    for name in ("user.name", "user.email"):
        run("config", "--unset", name, cwd=repository_folder, ok=(0, 5))
    cli = Cli(repository_folder, **OFF, **variables)
    for name in [*cli.environment]:
        if name.startswith(("GIT_AUTHOR_", "GIT_COMMITTER_")):
            del cli.environment[name]
    script = ("git config --get-all safe.directory > folders.txt", "git add --all", COMMIT)
    cli.queue(does("Off", *script))
    cli.run()
    cli("approve", "off")
    commit(repository_folder, "Move on", {"moved.txt": "1"})
    cli("merge")
    assert git("log", "-1", "--format=%an %cn", "orch/integration", cwd=cli.folder) == "Variable Variable"
    assert git("show", "orch/off:folders.txt", cwd=cli.folder) == "/srv/their folder"
    cli.queue(does("Private", "git config --unset-all safe.directory || true", "echo 1 > two.txt", *script[1:]))
    cli.run(env={"GITORCH_SANDBOX_MODE": "private"})
    assert git("log", "-1", "--format=%an", "orch/private", cwd=cli.folder) == "Variable"
