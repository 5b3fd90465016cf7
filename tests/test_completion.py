"""Shell completion, asked as the shells ask: live values, nothing on stderr, nothing heavy, never a traceback."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from tests.test_plugins import BROKEN, POEM, install

TWO = "  adapters: {tone: {}, facts: {}}\n"
LORA = ("r", "alpha", "dropout")
BODY = "Hello.\n\n::instruction::\n### Q\na\n### A\nb\n\n```\n::prose::\n```\n::prose::\nlast\n"


def words(desk, line: str, shell: str = "bash", env=None) -> list[str]:
    """What the shell is offered at the end of a line; bash cuts words at colons and equals signs."""
    parts = line.replace(":", " : ").replace("=", " = ").split() if shell == "bash" else line.split()
    open_word = not line.endswith(" ")
    asked = {
        "_DLM_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(parts if shell != "fish" else parts[: len(parts) - open_word]),
        "COMP_CWORD": str(len(parts) - open_word) if shell != "fish" else (parts[-1] if open_word else ""),
    }
    result = desk.dlm(env={**asked, **(env or {})})
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    if shell == "zsh":
        return lines[1::3]
    return [value.partition(",")[2].partition("\t")[0] for value in lines if value]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dlm ru", ["run"]),
        ("dlm run --min", ["--min-exam"]),
        ("dlm run n", ["notes.dlm"]),
        ("dlm run ./n", ["./notes.dlm"]),
        ("dlm run deep", ["deep/other.dlm"]),
        ("dlm run notes.dlm --export gg", ["gguf", "gguf-lora"]),
        ("dlm run notes.dlm --export gguf --export gg", ["gguf-lora"]),
        ("dlm run notes.dlm --long-rows c", ["cut"]),
        ("dlm train notes.dlm --runner ", ["here"]),
        ("dlm export notes.dlm mer", ["merged"]),
        ("dlm export notes.dlm gguf -o quant=Q8", ["Q8_0"]),
        ("dlm prompt notes.dlm --adapter ", ["tone", "facts"]),
        ("dlm prompt notes.dlm --adapter=t", ["tone"]),
        ("dlm init new.dlm --base ti", ["tiny", "tinyllama-1.1b"]),
        ("dlm init new.dlm --base=tiny", ["tiny", "tinyllama-1.1b"]),
        ("dlm init new.dlm --template m", ["manual"]),
        ("dlm bases --fetch smollm3", ["smollm3-3b"]),
        ("dlm -P no:gg", ["gguf"]),
        ("dlm -P no:", sorted(point.name for point in entry_points(group="dlm"))),
        ("dlm -P no:gguf run notes.dlm --export g", []),
        ("dlm plugins --why t", ["tiny"]),
        ("dlm set notes.dlm training.lora_", ["training.lora_r", "training.lora_alpha", "training.lora_dropout"]),
        ("dlm set notes.dlm training.adapters.tone.lora_", [f"training.adapters.tone.lora_{end}" for end in LORA]),
        ("dlm set notes.dlm training.adapters.tone.adapter ", ["lora", "qlora", "dora"]),
        ("dlm set notes.dlm dlm_", []),
        ("dlm set notes.dlm training.adapter ", ["lora", "qlora", "dora"]),
        ("dlm set notes.dlm training.lora_r 8 training.cache.enabled f", ["false"]),
        ("dlm set notes.dlm base_model tin", ["tiny", "tinyllama-1.1b"]),
        (
            "dlm set notes.dlm --unset training.",
            ["training.adapters", "training.adapters.tone", "training.adapters.facts"],
        ),
        ("dlm plugin new x --kind sec", ["section-type"]),
        ("dlm completion ", ["bash", "zsh", "fish"]),
        ("dlm tokens no", ["notes.dlm"]),
        ("dlm tokens notes.dlm:", ["8", "10", "19"]),
        ("dlm tokens notes.dlm:1", ["10", "19"]),
        ("dlm nosuch ", []),
        ("dlm prompt missing.dlm --adapter ", []),
        ("dlm prompt broken.dlm --adapter ", []),
        ("dlm rollback broken.dlm ", []),
        ("dlm tokens broken.dlm:", []),
        ("dlm prompt binary.dlm --adapter ", []),
    ],
)
def test_bash_is_offered(desk, line, expected):
    desk.write(BODY, TWO)
    (desk.folder / "deep").mkdir()
    shutil.copy(desk.folder / "notes.dlm", desk.folder / "deep" / "other.dlm")
    (desk.folder / "broken.dlm").write_text("---\ntraining: [\n---\n")
    (desk.folder / "binary.dlm").write_bytes(bytes(range(256)))
    assert words(desk, line) == expected


def test_every_line_that_is_offered_has_a_section(desk):
    path = desk.write(f"\n \n{BODY}", TWO)
    offered = words(desk, "dlm tokens notes.dlm:")
    assert len(offered) == 3
    for line in offered:
        assert desk.dlm("tokens", f"{path}:{line}").code == 0, line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_offered_the_same(desk, shell):
    desk.write(BODY, TWO)
    assert words(desk, "dlm prompt notes.dlm --adapter ", shell) == ["tone", "facts"]
    assert words(desk, "dlm expor", shell) == ["export"]


def test_zsh_and_fish_have_whole_words(desk):
    desk.write(BODY, TWO)
    assert words(desk, "dlm -P no:gg", "fish") == ["no:gguf"]
    assert words(desk, "dlm -P no:gg", "zsh") == [r"no\:gguf"]


def test_versions_of_the_document(trained):
    desk, _, _ = trained
    assert words(desk, "dlm rollback notes.dlm ") == ["1"]
    assert words(desk, "dlm prompt notes.dlm --version ") == ["1"]


def test_broken_plugins_say_nothing_and_take_nothing(desk):
    for name, (code, _) in BROKEN.items():
        install(desk.folder / "site", name, code)
    install(desk.folder / "site", "loud", f"print('hello')\nimport os\nos.write(2, b'shout')\n{POEM}")
    env = {"PYTHONPATH": str(desk.folder / "site"), "DLM_PLUGINS": "hf,tiny,nothing," + ",".join(BROKEN)}
    assert words(desk, "dlm ru", env=env) == ["run"]


def test_an_unclosed_quote_and_nonsense(desk):
    for asked in ("bash_complete", "nothing_complete", "bash_nothing", ""):
        env = {"_DLM_COMPLETE": asked, "COMP_WORDS": "dlm 'run", "COMP_CWORD": "x"}
        result = desk.dlm(env=env)
        assert "Traceback" not in result.err + result.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_a_program_of_that_shell(desk, shell):
    script = desk.dlm("completion", shell).out
    assert "_DLM_COMPLETE" in script
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=script, text=True, check=False).returncode == 0


def test_a_real_bash_completes(desk, tmp_path):
    """Bash loads the script and its completion function is called as readline calls it."""
    desk.write(BODY, TWO)
    run = f'exec {sys.executable} -m dlm_core.cli "$@"'
    command = tmp_path / "bin" / "dlm"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\n{run}\n")
    command.chmod(0o755)
    lines = [
        'eval "$(dlm completion bash)"',
        "COMP_WORDS=(dlm prompt notes.dlm --adapter t); COMP_CWORD=4",
        "_dlm_completion dlm",
        'echo "${COMPREPLY[@]}"',
        "complete -p dlm",
    ]
    env = desk.environment({"PATH": f"{command.parent}:{os.environ['PATH']}"})
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(lines)],
        cwd=desk.folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == "tone"
    assert "_dlm_completion" in done.stdout.splitlines()[1]


def test_an_answer_is_quick_and_imports_nothing_heavy(desk):
    desk.write(BODY, TWO)
    code = (
        "import sys\nfrom dlm_core.cli import invoke\ntry:\n    invoke([])\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('torch', 'transformers', 'pydantic', 'rich') if m in sys.modules])"
    )
    asked = {"_DLM_COMPLETE": "bash_complete", "COMP_WORDS": "dlm prompt notes.dlm --adapter ", "COMP_CWORD": "4"}
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=desk.folder,
        env=desk.environment(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.splitlines() == ["plain,tone", "plain,facts", "[]"]

    def cpu(*command: str) -> float:
        def once() -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, cwd=desk.folder, env=desk.environment(asked), stdout=subprocess.DEVNULL, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        return min(once() for _ in range(3))

    assert cpu(sys.executable, "-m", "dlm_core.cli") < 25 * cpu(sys.executable, "-c", "pass")


def test_a_folder_that_is_not_there(desk):
    assert words(desk, "dlm run /nowhere/at/all/") == []
