"""llama.cpp's own process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dlm_gguf import peer

SCRIPT = """#!{python}
import json, os
reply = {{"vocabulary": os.getsid(0), "ids": [], "answers": [], "answer_ids": [], "chats": []}}
open("reply.json", "w").write(json.dumps(reply))
"""


def test_a_terminals_interrupt_does_not_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C goes to every process of a session's foreground group: this one is in a session of its own."""
    script = tmp_path / "python"
    script.write_text(SCRIPT.format(python=sys.executable), "utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    found = peer.ask(tmp_path / "any.gguf", peer.Questions([], [], [], []))
    assert found.vocabulary != os.getsid(0)
