"""The demo: the whole loop, with scripts for agents. `test_readme.py` runs it as a stranger does."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import Cli
from tests.support.git import git


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
