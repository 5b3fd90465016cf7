"""Blocks that are freed and asked for again cost no page faults while a process trains, and none are hoarded after."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import torch
from dlm_hf import heap

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(12_000_000)  # more than glibc ever keeps by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
usual = faults()
heap.keep_freed()
faults()
kept = faults()
heap.give_back()
print(usual, kept, faults())
"""


def counted(**settings: str) -> list[int]:
    environment = {**os.environ, **settings}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=environment)
    return [int(one) for one in done.stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_freed_memory_is_kept_and_given_back() -> None:
    usual, kept, after = counted()
    assert kept * 10 < usual
    assert kept * 10 < after < usual, "what was given back is cleared once more"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_what_the_user_set_up_stays() -> None:
    usual, kept, _ = counted(MALLOC_MMAP_THRESHOLD_="1000000")
    assert kept * 2 > usual
