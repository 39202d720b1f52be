"""`help`."""

from __future__ import annotations

import click

from gitorch import data
from gitorch.cli import schema, views
from gitorch.cli.choices import TOPIC
from gitorch.cli.session import Session, pass_session
from gitorch.errors import NotFound, did_you_mean


@click.command("help")
@click.argument("topic", required=False, type=TOPIC, metavar="[TOPIC]")
@pass_session
@click.pass_context
def help_command(ctx: click.Context, session: Session, topic: str | None) -> None:
    """Explain a topic, or a command.

    Without TOPIC, list the topics.
    """
    topics = data.topics()
    if topic is None:
        rows = [(name, _title(text)) for name, text in topics.items()]
        answer = schema.start.HelpAnswer(topics=dict(rows))
        session.answer(None if session.json else views.help.topics(rows), answer)
        return
    if topic in topics:
        text = topics[topic]
        answer = schema.start.HelpAnswer(topic=topic, text=text)
        session.answer(None if session.json else views.help.page(text), answer)
        return
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)
    command = root.command.get_command(root, topic)
    if command is None:
        hint = did_you_mean(topic, [*topics, *root.command.list_commands(root)], lead="; ")
        raise NotFound("no-such-topic", f"there is no topic {topic}{hint}", fix=("orchestrate help",))
    context = click.Context(command, info_name=topic, parent=root, **command.context_settings)
    text = command.get_help(context)
    session.answer(text, schema.start.HelpAnswer(topic=topic, text=text))


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")
