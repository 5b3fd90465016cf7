"""What is never read, whatever a document says: keys, tokens, browser profiles, the kernel's folders (FORMAT §6)."""

from __future__ import annotations

import os
import re
import unicodedata
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
        ".config/rclone",
        ".config/hub",
        ".local/share/keyrings",
        ".terraform.d/credentials.tfrc.json",
        "library/cookies",
        "library/safari",
        ".docker/config.json",
        ".git/config",
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
        ".s3cfg",
        ".boto",
        ".dockercfg",
        ".bash_history",
        ".zsh_history",
        ".python_history",
        ".psql_history",
        ".mysql_history",
        "secrets.json",
        "secrets.yaml",
        "secrets.yml",
        "secrets.toml",
        "credentials.json",
    ]
)
PREFIXES = ("id_rsa", "id_ed25519", "id_ecdsa", "id_dsa")
SUFFIXES = (".pem", ".key", ".ppk", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".token")

#: What the kernel shows as files.
KERNEL = ("/proc/", "/sys/", "/dev/")

_KERNEL_ROOTS = frozenset(place.rstrip("/") for place in KERNEL)
_NAMES = FOLDERS | FILES
_STARTS = (*PREFIXES, ".env")
_ENDS_OF_PLACES = tuple(place.rstrip("/") for place in PLACES)
_LAST_OF_PLACES = frozenset(place.rpartition("/")[2] for place in _ENDS_OF_PLACES)

_PRIVATE_KEY = re.compile(rb"\s*(-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-)")


def is_secret(path: Path) -> bool:
    """Whether the path, or what its links lead to, is secret by its name or by a folder above it."""
    return any(is_secret_name(found) for found in {os.path.abspath(path), os.path.realpath(path)})  # noqa: PTH100


def is_secret_name(path: str) -> bool:
    """The same for an absolute path as it stands, without a look at the disk.  Case never matters."""
    names = path.split("/")[1:]
    above = [""]
    for name in names:
        above.append(name)
        if is_secret_entry(name, "/".join(above)):
            return True
    return _folded(path).startswith(KERNEL) or _folded(path) in _KERNEL_ROOTS


def is_secret_entry(name: str, path: str) -> bool:
    """Whether what is called `name`, at `path` in a folder that is not secret itself, is secret."""
    low = name.lower() if name.isascii() else _folded(name)
    return (
        low in _NAMES
        or low.endswith(SUFFIXES)
        or low.startswith(_STARTS)
        or (low in _LAST_OF_PLACES and _folded(f"{path.rpartition('/')[0]}/{low}").endswith(_ENDS_OF_PLACES))
    )


def _folded(text: str) -> str:
    """Without case, letters that look alike made one, and without what a file system may leave out of a name."""
    text = unicodedata.normalize("NFKC", text).lower()
    return text if text.isascii() else "".join(char for char in text if unicodedata.category(char) != "Cf")


def is_private_key(head: bytes) -> bool:
    """Whether a file begins like a private key, whatever it is called."""
    return _PRIVATE_KEY.match(head) is not None
