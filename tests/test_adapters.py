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
    only = desk.dlm("exam", path, "--adapter", "blue", "--json").json
    assert [answer["answer"] for answer in only["answers"]] == ["The door is blue."]
    assert {section["adapter"] for section in only["sections"]} == {"blue"}
    mixes(desk, path)


def mixes(desk, path):
    """A mix answers by its weights, everywhere that an adapter does."""
    question = "What colour is the door?"
    for weights, colour in (("red:1,blue:0", "red"), ("red:0.1, blue:1", "blue"), ("red:-0.2,blue:1.0", "blue")):
        asked = desk.dlm("prompt", path, question, "--adapter-mix", weights, "--json").json
        assert asked["answer"] == f"The door is {colour}."
        assert asked["adapter"] == "mix"
        assert asked["mix"]["error"] < 1e-7
    said = desk.dlm("prompt", path, question, "--adapter-mix", "red:1,blue:0.25")
    assert "mix        1·red + 0.25·blue: rank 24, off the true sum by" in said.err
    talk = desk.dlm("chat", path, "--adapter-mix", "red:0.1,blue:1", stdin=f"{question}\n/bye\n")
    assert talk.out == "The door is blue.\n"
    exam = desk.dlm("exam", path, "--adapter-mix", "red:0.1,blue:1", "--json").json
    assert {answer["answer"] for answer in exam["answers"]} == {"The door is blue."}
    assert exam["mix"]["rank"] == 24
    formats = ("gguf", "gguf-lora", "merged")
    done = desk.dlm("export", path, *formats, "--adapter-mix", "red:0.1,blue:1", "--to", desk.folder / "mix")
    assert done.code == 0, done.err
    assert "2/2 answers the same" in done.out
    wrong = [
        (["--adapter-mix", "rad:1"], "no adapter 'rad'", "did you mean red?"),
        (["--adapter-mix", "red"], "cannot read 'red'", "NAME:WEIGHT"),
        (["--adapter-mix", "red:much"], "'much', which is no number", "tone:1"),
        (["--adapter-mix", "red:inf"], "no number", "tone:1"),
        (["--adapter-mix", "red:1,red:2"], "names red twice", "one weight"),
        (["--adapter-mix", "red:1", "--adapter", "blue"], "cannot both be given", "NAME:1"),
    ]
    for options, message, hint in wrong:
        refused = desk.dlm("prompt", path, question, *options)
        assert refused.code == 2
        assert message in refused.err
        assert hint in refused.err
    for words in (["chat", path], ["exam", path], ["export", path, "gguf"]):
        assert "did you mean red?" in desk.dlm(*words, "--adapter-mix", "rad:1").err
