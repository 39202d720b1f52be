"""The settings of git that decide which bytes a rewritten commit has."""

from __future__ import annotations

import msgspec

from gitorch.git.settings import Settings


class CommitSettings(msgspec.Struct, frozen=True):
    """The encoding of commits (`i18n.commitEncoding`), and how messages are cleaned up (`commit.cleanup`).

    `cleanup` is `none`, `whitespace` or `strip`; only `strip` removes lines that start with `comment`.
    """

    encoding: str = "UTF-8"
    cleanup: str = "none"
    comment: bytes = b"#"

    @property
    def is_utf8(self) -> bool:
        """Whether commits are in UTF-8, however that is spelled."""
        return _is_utf8(self.encoding)

    def is_same_encoding(self, other: str) -> bool:
        """Return whether another name means the same encoding, as far as git compares them."""
        return self.encoding.lower() == other.lower() or (self.is_utf8 and _is_utf8(other))


DEFAULT = CommitSettings()

_CLEANUPS = {"strip": "strip", "whitespace": "whitespace", "scissors": "whitespace"}


def commit_settings_in(settings: Settings) -> CommitSettings:
    """Return what the settings of git say about commits."""
    comment = settings.get("core.commentchar")
    return CommitSettings(
        encoding=settings.get("i18n.commitencoding") or DEFAULT.encoding,
        cleanup=_CLEANUPS.get(settings.get("commit.cleanup") or "", "none"),
        comment=(comment if comment and comment != "auto" else "#").encode("utf-8", "surrogateescape"),
    )


def _is_utf8(name: str) -> bool:
    return name.lower().replace("-", "", 1) == "utf8"
