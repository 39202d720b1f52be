"""Secrets are taken out before text is stored or shown."""

from __future__ import annotations

import time

import pytest

from gitorch.model.credentials.redaction import redacted


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-" + "api03-abcdefghijklmnop",
        "sk-proj-" + "a" * 40,
        "ghp_" + "b" * 36,
        "github_pat_" + "c" * 40,
        "glpat-" + "d" * 20,
        "AKIA" + "E" * 16,
        "xoxb-" + "1234567890-abc",
        "pypi-" + "f" * 50,
        "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + "abcdefghijkl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_a_credential_is_replaced_and_the_rest_is_kept(secret: str) -> None:
    """What stood around it still reads; nothing of it is left."""
    text = redacted(f"before {secret} after")
    assert text.startswith("before [redacted ")
    assert text.endswith("] after")
    assert secret not in text


def test_a_password_in_an_address_goes_and_the_host_stays() -> None:
    """Which server it was is worth knowing."""
    assert redacted("https://me:hunter2@host/x") == "https://[redacted url-password]@host/x"


def test_ordinary_text_is_left_alone() -> None:
    """Commit ids, prose and code are not secrets."""
    text = "fix 9f3c21a0b7d1e4c8a2f6b5d3e1c9a7f4b2d8e6c0: the task-runner skips sk-learn"
    assert redacted(text) == text


def test_a_line_with_all_kinds_of_ends_is_read_once() -> None:
    """Two hundred bytes of such a line once took seconds, and these would have taken days."""
    text = redacted("curl " + "\r a" * 600 + " -u me:hunter2pass")
    assert text.startswith("curl \r a")
    assert "hunter2" not in text


@pytest.mark.parametrize("word", ["okta", "etsy", "asana"])
def test_a_line_of_keywords_costs_little_more_than_other_text(word: str) -> None:
    """No expression tries each beginning with each end: a line of keywords would take a thousand times as long."""
    size = 60_000
    redacted(word)

    def seconds(text: str) -> float:
        start = time.process_time()
        redacted(text)
        return time.process_time() - start

    other = min(seconds(f"{'x' * 9} " * (size // 10)) for _ in range(3))
    assert seconds((word * size)[:size]) < 0.05 + 500 * other


@pytest.mark.parametrize(
    ("start", "unit"),
    [
        ("", "eyJ"),
        ("", "eyJ_"),
        ("", "-----BEGIN PRIVATE KEY-----"),
        ("-----BEGIN PRIVATE KEY-----", " "),
        ("-----BEGIN PRIVATE KEY-----", "\\n"),
    ],
    ids=["token", "token and line", "key", "key and spaces", "key and escaped line ends"],
)
def test_a_text_of_beginnings_is_read_once(start: str, unit: str) -> None:
    """Forty times the text costs about forty times as much, and not 1,600 times."""
    redacted(start)

    def seconds(count: int) -> float:
        text = start + unit * count
        begin = time.process_time()
        redacted(text)
        return time.process_time() - begin

    short, long = (min(seconds(count) for _ in range(3)) for count in (500, 20_000))
    assert long < 0.02 + 80 * short


def test_what_follows_a_text_of_beginnings_is_redacted() -> None:
    """What looks like a token and is none hides no token after it, and no key."""
    token = f"eyJ{'a' * 20}.eyJ{'b' * 20}.{'c' * 20}"
    key = "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END PRIVATE KEY-----"
    start = "-----BEGIN PRIVATE KEY-----" + " " * 33_000
    text = redacted(f"{'eyJ' * 9000} {token}\n{start}{key}\nafter")
    assert token not in text
    assert text.endswith("[redacted private-key]\nafter")
