"""Certificates of tests, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def certify(folder: Path, name: str, authority: str = "") -> None:
    """Make a key and a certificate for localhost; without an authority, it is one."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key")
    extensions: tuple[str, ...] = ("-addext", "keyUsage=critical,keyCertSign")
    signer: tuple[str, ...] = ()
    if authority:
        extensions = ("-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE")
        signer = ("-CA", f"{authority}.pem", "-CAkey", f"{authority}.key")
    words = ("openssl", "req", "-x509", *key, "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}")
    subprocess.run([*words, *extensions, *signer], cwd=folder, check=True, capture_output=True)
