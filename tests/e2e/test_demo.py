"""The demo: the whole loop, with scripts for agents, anywhere, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import Cli, left_behind
from tests.support.git import git


def test_the_demo_shows_the_loop_and_leaves_nothing(tmp_path: Path) -> None:
    """With no key and no repository: each command of the loop, and then the folder is gone."""
    (tmp_path / "anywhere").mkdir()
    (tmp_path / "scratch").mkdir()
    cli = Cli(tmp_path / "anywhere", TMPDIR=str(tmp_path / "scratch"))
    assert not any("KEY" in name or "TOKEN" in name for name in cli.environment)
    answer = cli("demo")
    text = answer.text + answer.stderr
    assert "scripts" in text.lower()
    assert "no model" in text
    for command in ("submit", "run", "status", "review", "diff", "approve", "merge --dry-run", "merge"):
        assert f"$ orchestrate {command}" in answer.stderr
    assert "git log --oneline --graph orch/integration" in answer.stderr
    assert "Traceback" not in text
    assert list((tmp_path / "anywhere").iterdir()) == []
    assert list((tmp_path / "scratch").iterdir()) == []
    assert left_behind(tmp_path) == []


def test_the_demos_repository_can_be_kept(tmp_path: Path) -> None:
    """With `--keep` it stays: three tasks merged, one conflicted, one sent back for its check; main untouched."""
    (tmp_path / "scratch").mkdir()
    cli = Cli(tmp_path, TMPDIR=str(tmp_path / "scratch"))
    found = cli.json("demo", "--keep")
    codes = {command: code for command, code in found["exit_codes"].items() if code}
    assert codes == {
        "orchestrate run --max-agents 3": 6,
        "orchestrate merge --dry-run": 7,
        "orchestrate merge": 7,
    }
    shop = Path(found["repository"])
    assert shop.is_relative_to(tmp_path / "scratch")
    kept = Cli(shop)
    assert kept.states() == {
        "add-a-users-table": "merged",
        "add-a-login-page": "merged",
        "make-the-search-ignore-case": "merged",
        "sort-the-search-results": "conflicted",
        "give-everybody-a-discount": "queued",
    }
    assert git("status", "--porcelain", cwd=shop) == ""
    assert git("rev-list", "--count", "main", cwd=shop) == "1"
    log = git("log", "--format=%s", "main..orch/integration", cwd=shop).splitlines()
    assert log.index("Add a login page") < log.index("Add a users table")
