"""`report`: the night as text, JSON, Markdown and one page on which nothing of what agents wrote can act."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.cli import OBEDIENT, Cli, does

EVIL = "</script><script>document.title='PWNED'</script><img src=x onerror=alert(1)>"


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder, OBEDIENT + '[checks]\nok = "test ! -e broken"\n', GITORCH_SANDBOX_MODE="off")


class Elements(HTMLParser):
    """Every element and attribute of a page, and the text of its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.sources: dict[str, str] = {}
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] and self.tags[-1] in ("script", "style") and self.tags[-1] not in self.sources:
            self.sources[self.tags[-1]] = data
        else:
            self.text += data


def policy_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def hostile_night(cli: Cli) -> None:
    """Work through tasks whose names, prompts, files, messages and lines are markup, and steer text."""
    script = (
        f"cat > 'x<img src=y onerror=alert(2)>.py' <<'END'\n{EVIL}\nvalue = \"\u202etxt.exe\"  # {EVIL}\nEND\n"
        f"git add -A; git commit -qm '<script>alert(3)</script>'"
    )
    cli.queue(does(f"{EVIL}\u202e", script, id="first"))
    cli.queue(does("Second", "echo 2 > 2.txt; git add -A; git commit -qm 2", id="second", after=["first"]))
    cli.queue(does("Third", "touch broken; git add -A; git commit -qm 3", id="third"))
    cli.queue(does("Fourth", "exit 3", id="fourth"))
    end = cli.run(ok=6)
    assert re.search(r"^report: .*/gitorch/reports/.*\.html$", end.stderr, re.MULTILINE)


def test_the_night_in_four_forms(cli: Cli, tmp_path: Path) -> None:
    """What needs a person, in review order, and what is planted in the page stays text."""
    hostile_night(cli)
    (written,) = (cli.folder / ".git/gitorch/reports").iterdir()
    with cli.untouched():
        text = cli("report").text
        answer = cli.json("report")
        markdown = cli("report", "--format", "markdown").text
        path = Path(cli.json("report", "--format", "html", "-o", str(tmp_path / "night.html"))["path"])
    assert "3 of 4 tasks finished" in text
    assert text.index("first   review: unlocks 1 task") < text.index("third")
    assert "fourth   exit code 3" in text
    assert answer["needs_person"] == ["first", "third", "second", "fourth"]
    assert cli("report", "--format", "json").json["schema"] == "gitorch/report/1"
    assert "**first** review: unlocks 1 task" in markdown

    for page in (path.read_text("utf-8"), written.read_text("utf-8")):
        found = Elements(page)
        assert (found.tags.count("script"), found.tags.count("style"), found.tags.count("img")) == (1, 1, 0)
        assert {name for name, _ in found.attributes if name.startswith("on") or name in ("src", "style")} == set()
        assert {value[0] for name, value in found.attributes if name == "href"} == {"#"}
        policy = next(value for name, value in found.attributes if value.startswith("default-src 'none'"))
        assert policy_hash(found.sources["script"]) in policy
        assert policy_hash(found.sources["style"]) in policy
        assert "http" not in found.sources["style"] + found.sources["script"]
        assert "\u202e" not in page
        assert EVIL in found.text
        assert {"svg", "table", "details"} <= set(found.tags)
        assert 'class="k"' in page or 'class="c"' in page
        assert 'id="task-first"' in page


def test_an_empty_night_is_bad_news(cli: Cli) -> None:
    """Without work the report says so, and exits with 6."""
    assert "nothing ran" in cli("report", ok=6).text
    assert cli.json("report", ok=6)["tasks"] == []
    cli.queue(does("First", "true"))
    assert "nothing ran: 1 task queued" in cli("report", ok=6).text
