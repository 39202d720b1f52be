"""How an extra is added depends on what installed gitorch, and from where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitorch.extras import install_command

METADATA = """\
Name: gitorch
Provides-Extra: mcp
Requires-Dist: click>=8
Requires-Dist: mcp<3,>=2.3; extra == 'mcp'
Requires-Dist: textual<9,>=8; extra == 'tui'
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with gitorch from an index, and with pip."""
    record = tmp_path / "lib" / "gitorch-0.1.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text(METADATA)
    (tmp_path / "lib" / "pip").mkdir()
    return tmp_path


def command(environment: Path, **origin: object) -> str:
    if origin:
        record = environment / "lib" / "gitorch-0.1.0.dist-info"
        (record / "direct_url.json").write_text(json.dumps(origin))
    return install_command("mcp", [str(environment / "lib")], environment)


def test_from_an_index_and_from_addresses(environment: Path) -> None:
    pip = f"{environment}/bin/python -m pip install"
    assert command(environment) == f"{pip} 'gitorch[mcp]'"
    wheel = "https://example.org/gitorch-0.1.0-py3-none-any.whl"
    assert command(environment, url=wheel, archive_info={}) == f"{pip} 'gitorch[mcp] @ {wheel}'"
    clone = "https://example.org/gitorch.git"
    assert command(environment, url=clone, vcs_info={"vcs": "git"}) == f"{pip} 'gitorch[mcp] @ git+{clone}'"


def test_from_a_clone_and_from_a_wheel(environment: Path, tmp_path: Path) -> None:
    pip, clone = f"{environment}/bin/python -m pip install", tmp_path / "my clone"
    clone.mkdir()
    assert command(environment, url=clone.as_uri(), dir_info={}) == f"{pip} '{clone}[mcp]'"
    editable = command(environment, url=clone.as_uri(), dir_info={"editable": True})
    assert editable == f"{pip} --editable '{clone}[mcp]'"
    wheel = tmp_path / "gitorch-0.1.0-py3-none-any.whl"
    wheel.touch()
    assert command(environment, url=wheel.as_uri(), archive_info={}) == f"{pip} '{wheel}[mcp]'"
    wheel.unlink()
    assert command(environment) == f"{pip} 'mcp<3,>=2.3'", "what is gone cannot be installed again"


def test_with_uv_and_with_pipx(environment: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    (environment / "lib" / "pip").rmdir()
    plain = command(environment, url=clone.as_uri(), dir_info={})
    assert plain == f"uv pip install --python {environment}/bin/python '{clone}[mcp]'"
    (environment / "uv-receipt.toml").touch()
    assert command(environment) == f"uv tool install --force '{clone}[mcp]'"
    (environment / "pipx_metadata.json").touch()
    assert command(environment) == f"pipx install --force '{clone}[mcp]'"
    clone.rmdir()
    assert command(environment) == "pipx inject gitorch 'mcp<3,>=2.3'"
