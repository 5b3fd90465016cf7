"""Downloading a base from the hub: nothing but weights, configuration and tokenizer, and offline is noticed at once."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from dlm_core.api import BaseMissingError

from .. import imports

_WANTED = ["*.safetensors", "*.json", "*.jinja", "LICENSE*", "NOTICE*", "USE_POLICY*"]
_UNWANTED = ["*/*", "consolidated*", "*.bin"]  # folders hold other programs' copies, and so does Mistral's own file
_SECONDS = 4.0

_ELSEWHERE = "connect to the network, use a local folder as `base_model`, or choose an embedded base (`dlm bases`)"


def download(repo: str, revision: str) -> Path:
    """The folder of the downloaded snapshot.  Raises BaseMissingError, without retries when there is no network."""
    if imports.USER_OFFLINE:
        raise BaseMissingError(f"{repo} is not on this machine, and HF_HUB_OFFLINE forbids fetching it", _ELSEWHERE)
    if not reachable():
        raise BaseMissingError(f"{repo} is not on this machine, and the hub cannot be reached", _ELSEWHERE)
    with imports.online():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        try:
            folder = snapshot_download(
                repo, revision=revision, allow_patterns=_WANTED, ignore_patterns=_UNWANTED, etag_timeout=_SECONDS
            )
        except GatedRepoError:
            raise BaseMissingError(
                f"{repo} is gated: its licence must be accepted on the hub first",
                f"accept it at https://huggingface.co/{repo}, then run `hf auth login` or set HF_TOKEN",
            ) from None
        except (RepositoryNotFoundError, RevisionNotFoundError) as error:
            missing = "commit or branch" if isinstance(error, RevisionNotFoundError) else "model that you may read"
            raise BaseMissingError(f"the hub has no such {missing}: {repo}@{revision}", "check the name") from None
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            raise BaseMissingError(f"{repo} could not be fetched: {_line(error)}", _ELSEWHERE) from None
    return Path(folder)


def reachable(seconds: float = _SECONDS) -> bool:
    """Whether the hub's host, or the proxy in front of it, takes a connection within `seconds`."""
    address = _address()
    found: list[bool] = []

    def connect() -> None:
        try:
            with socket.create_connection(address, seconds):
                found.append(True)
        except OSError:
            pass

    # A name server that does not answer blocks for longer than any socket timeout, hence the thread.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(found)


def _address() -> tuple[str, int]:
    url = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    host = url.hostname or "huggingface.co"
    proxy = getproxies().get(url.scheme)
    if proxy and not proxy_bypass(host):
        url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host = url.hostname or host
    return host, url.port or (443 if url.scheme == "https" else 80)


def _line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
