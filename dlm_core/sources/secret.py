"""What is never read, whatever a document says: keys, tokens, browser profiles, the kernel's folders (FORMAT §6)."""

from __future__ import annotations

import os
import re
from pathlib import Path

#: Folders whose whole content is secret, wherever they lie.
FOLDERS = frozenset(
    [".ssh", ".aws", ".gnupg", ".azure", ".kube", ".gcloud", ".mozilla", ".thunderbird", ".password-store", "keychains"]
)

#: Folders and files that are secret only in this place: browser profiles and what command lines log in with.
PLACES = tuple(
    f"/{place}/"
    for place in (
        ".config/gcloud",
        ".config/gh",
        ".config/google-chrome",
        ".config/chromium",
        ".config/bravesoftware",
        ".config/microsoft-edge",
        ".config/opera",
        ".config/vivaldi",
        "library/application support/google/chrome",
        "library/application support/chromium",
        "library/application support/bravesoftware",
        "library/application support/microsoft edge",
        "library/application support/firefox",
        "library/cookies",
        "library/safari",
        ".docker/config.json",
        ".cargo/credentials",
        ".cargo/credentials.toml",
        "huggingface/token",
        "huggingface/stored_tokens",
    )
)

FILES = frozenset(
    [
        ".netrc",
        "_netrc",
        ".git-credentials",
        ".npmrc",
        ".pypirc",
        ".pgpass",
        ".my.cnf",
        ".htpasswd",
        ".token",
        ".vault-token",
    ]
)
PREFIXES = ("id_rsa", "id_ed25519", "id_ecdsa", "id_dsa")
SUFFIXES = (".pem", ".key", ".ppk", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".token")

#: What the kernel shows as files.
KERNEL = ("/proc/", "/sys/", "/dev/")

_PRIVATE_KEY = re.compile(rb"\s*(-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-)")


def is_secret(path: Path) -> bool:
    """Whether the path, or what its links lead to, is secret by its name or by a folder above it."""
    return any(is_secret_name(found) for found in {os.path.abspath(path), os.path.realpath(path)})  # noqa: PTH100


def is_secret_name(path: str) -> bool:
    """The same for an absolute path as it stands, without a look at the disk.  Case never matters."""
    path = path.lower()
    *folders, name = path.split("/")
    return (
        name in FILES
        or name.startswith(PREFIXES)
        or name.endswith(SUFFIXES)
        or any(part in FOLDERS or part.startswith(".env") for part in (*folders, name))
        or f"{path}/".startswith(KERNEL)
        or any(place in f"{path}/" for place in PLACES)
    )


def is_private_key(head: bytes) -> bool:
    """Whether a file begins like a private key, whatever it is called."""
    return _PRIVATE_KEY.match(head) is not None
