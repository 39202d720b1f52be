"""Secrets are taken out before text is stored or shown."""

from __future__ import annotations

import pytest

from gitorch.model.redact import redacted


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
