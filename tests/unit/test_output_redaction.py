"""Credentials do not get into the stored output of a program, however its output is cut into pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from gitorch.executors.output_redaction import WINDOW, OutputRedactor
from gitorch.model.credentials import redaction
from gitorch.model.credentials.scan import Scanner

TOKEN = "ghp_" + "b" * 36
KEY = "x7Kq-" + "Zt9Lw2Vn8Rb4" + "\"\\'"
"""The value of a variable, with characters that JSON escapes."""

SCANNER = Scanner(redaction.table(), {"SHOP_KEY": KEY})
PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + ("MIIEowIBAAKCAQEA7" * 4)[:64] + "\nq3Xk\n-----END RSA PRIVATE KEY-----"


def stored(*pieces: bytes) -> bytes:
    """Return what is stored of a stream that comes in these pieces."""
    redactor = OutputRedactor(SCANNER)
    return b"".join([*map(redactor.feed, pieces), redactor.finish()])


def cut(data: bytes, size: int) -> list[bytes]:
    """Return data in pieces of one size."""
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 3, 7, 64, 5000])
@pytest.mark.parametrize("secret", [TOKEN, KEY, PEM, f"{TOKEN[:20]}\n{TOKEN[20:]}", f"{KEY[:9]}\r\n{KEY[9:]}"])
def test_a_credential_in_pieces(secret: str, size: int) -> None:
    """Pieces of any size, and a line break within."""
    text = stored(*cut(f"before {secret} after\nnext\n".encode(), size)).decode()
    assert text.startswith("before [redacted ")
    assert text.endswith(" after\nnext\n")
    for part in ("bbbb", "MIIE", "Zt9L"):
        assert part not in text


def test_a_line_break_in_the_first_letters() -> None:
    """Seen when both lines come at once."""
    text = stored(b"x gh\n" + TOKEN[2:].encode() + b" y\n")
    assert text == b"x [redacted github-token]\n y\n"


TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
SIZES = st.lists(st.integers(1, 90), min_size=1, max_size=30)


def in_sizes(data: bytes, sizes: list[int]) -> list[bytes]:
    """Return data in pieces of these sizes, over and over."""
    pieces = []
    while data:
        for size in sizes:
            pieces.append(data[:size])
            data = data[size:]
    return pieces


@given(TEXT, TEXT, SIZES, st.sampled_from([TOKEN, KEY, PEM]))
def test_no_piece_of_a_credential_is_stored(before: str, after: str, sizes: list[int], secret: str) -> None:
    """Whatever stands around it."""
    data = f"{before} {secret} {after}".encode()
    text = stored(*in_sizes(data, sizes)).decode()
    for part in (TOKEN[4:20], KEY[:12], "MIIEowIBAAKCAQEA7"):
        assert part not in text


@given(st.binary(max_size=400), SIZES)
def test_other_bytes_stay(data: bytes, sizes: list[int]) -> None:
    """Also those that are not UTF-8."""
    assert stored(*in_sizes(data, sizes)) == data


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.sampled_from([TOKEN, KEY, PEM, "x"]) | TEXT,
    lambda values: st.lists(values, max_size=4) | st.dictionaries(TEXT, values, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, JSON, max_size=4), SIZES)
def test_an_object_stays_an_object(record: dict[str, object], sizes: list[int]) -> None:
    """Its strings are redacted one by one, also behind escapes, and nothing else changes."""
    line = json.dumps(record).encode() + b"\n"
    output = stored(*in_sizes(line, sizes))

    def expected(value: object) -> object:
        if isinstance(value, str):
            return value.replace(KEY, "[redacted SHOP_KEY]") if value == KEY else redaction.redacted(value)
        if isinstance(value, list):
            return [expected(item) for item in value]
        if isinstance(value, dict):
            return {expected(name): expected(item) for name, item in value.items()}
        return value

    assert json.loads(output) == expected(record)


def test_the_last_event_after_the_beginning_of_a_key() -> None:
    """A key that is only mentioned does not swallow the rest of a transcript."""
    result = b'{"type":"result","result":"done"}\n'
    event = json.dumps({"text": "it says -----BEGIN RSA PRIVATE KEY-----"}).encode() + b"\n"
    output = stored(event, b"-----BEGIN RSA PRIVATE KEY-----\n", result)
    assert output.endswith(result)
    assert json.loads(output.split(b"\n")[0]) == {"text": "it says [redacted private-key]"}


def test_two_addresses_in_an_object_are_no_password() -> None:
    """What looks like a password reaches over the quotes between two strings."""
    line = b'{"a":"https://example.org","b":"me@example.org"}\n'
    assert stored(line) == line


@pytest.mark.parametrize(
    "position", [0, 1000, WINDOW - 8192 - 20, WINDOW - 8192, WINDOW - 20, WINDOW - 1, 3 * WINDOW - 9]
)
def test_a_line_without_an_end(position: int) -> None:
    """It is stored in parts, and a credential on the border of two is found."""
    data = ("é" * (position // 2) + f" {TOKEN} " + "x " * WINDOW).encode()
    output = stored(*cut(data, 60_000))
    assert output == data.replace(TOKEN.encode(), b"[redacted github-token]")


def test_an_endless_credential() -> None:
    """A token of megabytes is one, and what follows it is stored."""
    output = stored(*cut(b"key sk-ant-" + b"a" * 1_000_000 + b" and more\n", 65_536))
    assert output.startswith(b"key [redacted anthropic-key]")
    assert output.endswith(b" and more\n")
    assert b"aaa" not in output


def test_memory_of_a_long_line_is_bounded() -> None:
    """What waits never exceeds the window by more than a piece."""
    redactor = OutputRedactor(SCANNER)
    total = sum(len(redactor.feed(b"x" * 65_536)) for _ in range(10))
    assert 10 * 65_536 - total <= WINDOW


def test_output_after_a_gap() -> None:
    """The rest of a line, and the rest of a key, are not stored: their beginning was not looked at."""
    redactor = OutputRedactor(SCANNER)
    redactor.feed(b"half a li")
    body = ("MIIEowIBAAKCAQEA7" * 4)[:64].encode()
    lost, data = redactor.skip(b"bbbbbbbbbb\n" + body + b"\n-----END RSA PRIVATE KEY-----\nok\n")
    assert lost == len(b"half a li" + b"bbbbbbbbbb\n")
    assert redactor.feed(data) == b"\n\nok\n"
