"""Messages to a running agent, in a folder that the agent can write."""

from __future__ import annotations

from pathlib import Path

from gitorch.model.naming import TaskId
from gitorch.rooms.mailbox import NAME, Mailboxes

TASK = TaskId("t1")


def test_a_message_replaces_the_one_before(tmp_path: Path) -> None:
    """The file of an earlier attempt is gone at the start; messages are whole, and end with the attempt."""
    (tmp_path / NAME).write_text("of the last attempt", "utf-8")
    boxes = Mailboxes()
    assert not boxes.deliver(TASK, "too early")
    file = boxes.open(TASK, tmp_path)
    assert not file.exists()
    for text in ("one", "two \udc80"):
        assert boxes.deliver(TASK, text)
    assert file.read_text("utf-8") == "two \\udc80"
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    boxes.close(TASK)
    assert not boxes.deliver(TASK, "too late")


def test_links_of_an_agent_lead_nowhere(tmp_path: Path) -> None:
    """A link at the place of the file is replaced, one at the place of the folder is not followed."""
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    secret.write_text("mine", "utf-8")
    folder.mkdir()
    boxes = Mailboxes()
    boxes.open(TASK, folder)
    (folder / NAME).symlink_to(secret)
    assert boxes.deliver(TASK, "text")
    assert not (folder / NAME).is_symlink()
    (tmp_path / "link").symlink_to(folder)
    boxes.open(TASK, tmp_path / "link")
    assert not boxes.deliver(TASK, "text")
    (folder / NAME).unlink(missing_ok=True)
    (folder / NAME).mkdir()
    boxes.open(TASK, folder)
    assert not boxes.deliver(TASK, "text")
    assert secret.read_text("utf-8") == "mine"
