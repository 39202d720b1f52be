"""Whether a message of an agent ends with a question to the person who gave it the task."""

from __future__ import annotations

import re

_MARKS = "?\uff1f\u061f\u037e\u055e"
"""Question marks: Latin, full-width, Arabic, Greek, Armenian."""

_CLOSING = " \t*_`\"'\u201d\u2019\u00bb\u300d)\uff09"
_ITEM = re.compile(r"\s*([-*+\u2022]|\(?\w{1,2}[.):])\s+\S")
_REQUEST = re.compile(
    r"(please|kindly|could you|can you|let me know|tell me)\b.{0,80}\b(which|whether|what|how|who|where|confirm|clarify"
    r"|specify|choose|pick|decide|prefer|provide)\b",
    re.IGNORECASE | re.DOTALL,
)
_COURTESY = re.compile(
    r"(anything|something) else|further (help|questions)|(help|assist) (you )?(with|further)", re.IGNORECASE
)
_CHOICE = re.compile(
    r"\b(which|what|how|should (i|we)|do you want|would you (like|prefer))\b.*:$", re.IGNORECASE | re.DOTALL
)
_WAITS = re.compile(
    r"\bwait|once you|when you|as soon as|let me know|your (answer|reply|decision|choice)", re.IGNORECASE
)
_TO_READER = re.compile(
    r"\b(should|shall|may|must) (i|we|it|this|that|they|the)\b|\b(do|would|could|can) you\b|\bwant me to\b",
    re.IGNORECASE,
)
"""What makes a question one to the person, and not one that the agent has asked itself."""

_AWAITS = re.compile(
    r"\blet me know (and|so|before|then)\b|\b(need|await(ing)?|wait(ing)? for) your "
    r"(answer|approval|choice|confirmation|decision|go-ahead|input|reply|response)\b",
    re.IGNORECASE,
)
"""What asks for an answer without a question of its own: that is in the paragraph before."""

_THANKS = re.compile(r"\W*(thanks|thank you|cheers|many thanks|regards)\b[^?]{0,40}", re.IGNORECASE)
_SENTENCE_END = re.compile(f"(?<=[.!{_MARKS}])\\s+")
_ASIDE = re.compile(r"\s*[(\[][^()\[\]]{1,60}[)\]][\s*_.]*$")
_LONGEST = 2_000


def at_end_of(message: str) -> str:
    """Return the question that a message ends with, with the answers that it lists; "" if it ends otherwise.

    A polite last line, such as "anything else?", is none.
    """
    blocks = [block.strip() for block in re.split(r"\n\s*\n", message.strip()) if block.strip()]
    answers: list[str] = []
    while blocks:
        last = blocks.pop()
        if _THANKS.fullmatch(last):
            continue
        text, items = _split(last)
        if _AWAITS.search(text) and not _ends_with_mark(text):
            return _question(" ".join([*blocks[-1:], text]), [*items, *answers], is_asked=True)
        answers = [*items, *answers]
        if text:
            return _question(text, answers)
    return ""


def _split(block: str) -> tuple[str, list[str]]:
    """Split a paragraph from the list items at its end."""
    lines = block.splitlines()
    count = len(lines)
    while count and _ITEM.match(lines[count - 1]):
        count -= 1
    return "\n".join(lines[:count]), lines[count:]


def _question(paragraph: str, answers: list[str], *, is_asked: bool = False) -> str:
    is_choice = bool(answers and _CHOICE.search(paragraph)) or any(map(_ends_with_mark, answers))
    if not (is_asked or is_choice or _asks(paragraph)) or _COURTESY.search(paragraph):
        return ""
    return " ".join(" ".join([paragraph, *answers]).split())[:_LONGEST]


def _asks(paragraph: str) -> bool:
    *before, last = _SENTENCE_END.split(_ASIDE.sub("", paragraph))
    if _ends_with_mark(last) or _REQUEST.search(last):
        return True
    if before and _ends_with_mark(before[-1]) and _WAITS.search(last):
        return True
    return any(_ends_with_mark(sentence) and _TO_READER.search(sentence) for sentence in before)


def _ends_with_mark(text: str) -> bool:
    return text.rstrip(_CLOSING).endswith(tuple(_MARKS))
