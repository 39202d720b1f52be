"""The profile of macOS's sandbox for a program: what it may read, write and connect to, as `sandbox-exec -p` takes it.

Not run on a Mac: no test has started a program with it, and `sandbox.mode` does not offer it. Only its text is tested.
"""

from __future__ import annotations

from collections.abc import Iterable

from gitorch.rooms.sandbox.reach import Reach

_HEAD = (
    "(version 1)",
    "(deny default)",
    "(allow process-exec process-fork)",
    "(allow signal (target same-sandbox))",
    "(allow sysctl-read)",
    "(allow file-read-metadata)",
    '(allow file-read* (literal "/") (literal "/dev/random") (literal "/dev/urandom") (subpath "/dev/fd"))',
    '(allow file-read* file-write-data file-ioctl (literal "/dev/null") (literal "/dev/zero"))',
    '(allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo"))',
)
_SYSTEM = ("/usr", "/bin", "/sbin", "/System", "/Library/Developer", "/Library/Apple", "/opt/homebrew")
"""Folders of the system and its tools; the rest of `/Library` holds keychains and settings."""


def profile(reach: Reach) -> str:
    """Return the text of a profile; raise `ValueError` for a path that it cannot name.

    Of rules that match, the last one counts: what is protected comes after what may be written. Paths must be real, as
    the sandbox sees them after all links (`/private/tmp`, not `/tmp`).
    """
    rules = [
        *_HEAD,
        _rule("allow file-read*", (*_SYSTEM, *reach.read, *reach.write)),
        _rule("allow file-write*", reach.write),
        # also against being renamed, or being removed with a folder that holds it
        _rule("deny file-write*", reach.protect),
    ]
    rules += [f'(allow network-outbound (remote ip "localhost:{int(port)}"))' for port in reach.ports or ()]
    rules += ["(allow network*)"] if reach.ports is None else []
    return "\n".join((*filter(None, rules), ""))


def quoted(path: str) -> str:
    """Return a path as a string of the profile's language, so that no part of it is read as a rule."""
    is_plain = path.startswith("/") and path != "/" and all(letter.isprintable() for letter in path)
    if not is_plain or ".." in path.split("/"):
        raise ValueError(f"a sandbox profile cannot name {path!r}")
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _rule(action: str, paths: Iterable[str]) -> str:
    filters = " ".join(f"(subpath {quoted(path)})" for path in dict.fromkeys(paths))
    return f"({action} {filters})" if filters else ""
