"""Named adapters: each learns the sections routed to it, in one run."""

from __future__ import annotations

TRAINING = """  num_epochs: 14
  adapters:
    red: {lora_r: 16, lora_alpha: 32, lora_dropout: 0, learning_rate: 5e-3}
    blue: {lora_r: 8, lora_alpha: 16, lora_dropout: 0, learning_rate: 5e-3}
"""
BODY = """::instruction#red::
### Q
What colour is the door?
### A
The door is red.

::instruction#blue::
### Q
What colour is the door?
### A
The door is blue.
"""


def test_each_adapter_learns_its_own_sections(desk):
    path = desk.write(BODY, TRAINING)
    result = desk.dlm("run", path)
    assert result.code == 0, result.err
    assert "2 of 2" in result.out
    assert "1/1 answers the same in llama.cpp" in result.out
    exported = desk.dlm("export", path, "gguf", "--adapter", "blue", "--to", desk.folder / "blue")
    assert exported.code == 0, exported.err
    assert "1/1 answers the same" in exported.out
    assert desk.dlm("prompt", path, "What colour is the door?").out == "The door is red.\n", "the first declared"
    assert desk.dlm("export", path, "gguf", "--adapter", "blue").code == 0
    again = desk.dlm("run", path)
    assert "nothing changed" in again.err
    assert "answers the same in llama.cpp" in again.out, "the store held blue's file, so red's is written again"
    for name in ("red", "blue"):
        asked = desk.dlm("prompt", path, "What colour is the door?", "--adapter", name)
        assert asked.out == f"The door is {name}.\n"
    unknown = desk.dlm("prompt", path, "What colour is the door?", "--adapter", "green")
    assert unknown.code == 2
    assert "red, blue" in unknown.err
    assert "adapter red is exported; another: dlm export" in result.out
