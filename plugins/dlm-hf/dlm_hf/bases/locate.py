"""Where a base's files lie on this machine: a folder, or a snapshot in the Hugging Face cache.  Opens no socket."""

from __future__ import annotations

import os
import re
from pathlib import Path

from dlm_core.api import BaseMissingError, BaseModel, LocatedBase
from dlm_core.files import expand_home

from ..shape import read_shape
from .files import check_folder, folder_sha256, what_is_missing

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REVISION = re.compile(r"\w[\w./-]*")


def locate(base: BaseModel, *, fetch: bool) -> LocatedBase:
    """The base with its folder, shape and hash.

    A hub model is looked for in the cache first; only with `fetch`, and only if it is not there, is the hub asked.
    Raises BaseMissingError.
    """
    if base.location.startswith("hub:"):
        folder = _hub_folder(base, fetch)
    else:
        folder = Path(base.location)
        check_folder(folder)
    return LocatedBase(base, folder, read_shape(folder), folder_sha256(folder))


def hub_cache() -> Path:
    """The folder in which Hugging Face libraries keep what they downloaded, by their own environment variables."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if value := os.environ.get(name):
            return expand_home(value)
    if home := os.environ.get("HF_HOME"):
        return expand_home(home) / "hub"
    return expand_home(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface" / "hub"


def cached_snapshot(repo: str, revision: str) -> Path | None:
    """The complete snapshot of `repo` at `revision` (a commit, a branch or a tag) in the cache, or None."""
    top = hub_cache() / f"models--{repo.replace('/', '--')}"
    reference = top / "refs" / revision
    commit = reference.read_text().strip() if reference.is_file() else revision
    folder = top / "snapshots" / commit
    return folder if what_is_missing(folder) is None else None


def find_folder(base: BaseModel) -> Path | None:
    """The base's folder if all its files lie on this machine, else None.  Raises BaseMissingError for an odd name."""
    if base.location.startswith("hub:"):
        return cached_snapshot(*_repo_and_revision(base))
    folder = Path(base.location)
    return folder if what_is_missing(folder) is None else None


def _hub_folder(base: BaseModel, fetch: bool) -> Path:
    folder = find_folder(base)
    if folder is not None:
        return folder
    repo, revision = _repo_and_revision(base)
    if not fetch:
        raise BaseMissingError(
            f"the base model {base.key} ({repo}) is not on this machine", f"fetch it: dlm bases --fetch {base.key}"
        )
    from .fetch import download

    folder = download(repo, revision)
    check_folder(folder)
    return folder


def _repo_and_revision(base: BaseModel) -> tuple[str, str]:
    repo, revision = base.location.removeprefix("hub:"), base.revision or "main"
    if not _REPO.fullmatch(repo) or not _REVISION.fullmatch(revision) or ".." in repo + revision:
        raise BaseMissingError(f"{repo}@{revision} is not the name of a hub model", "write `hf:org/name@revision`")
    return repo, revision
