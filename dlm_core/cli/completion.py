"""`dlm completion`: the shell's side of completion, and the answers to what it asks."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    split_arg_string,
)

#: The variable in which the shell's script says what it wants, as click's scripts do.
VARIABLE = "_DLM_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, /, shell: str) -> None:
    """Print the script that teaches SHELL to complete dlm's words, with the values there are now.

    To have it in every new shell, run the line for yours once:

    \b
    echo 'eval "$(dlm completion bash)"' >> ~/.bashrc
    echo 'eval "$(dlm completion zsh)"' >> ~/.zshrc
    dlm completion fish > ~/.config/fish/completions/dlm.fish
    """
    root = ctx.find_root().command
    click.echo(_shells()[shell](root, {}, "dlm", VARIABLE).source(), nl=False)


def answer(root: click.Command) -> int:
    """Answer the shell on stdout.  Never raises and says nothing on stderr: a broken document has no values."""
    shell, _, instruction = os.environ[VARIABLE].partition("_")
    kind = _shells().get(shell)
    if kind is None or instruction not in ("source", "complete"):
        return 1
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        complete = kind(root, {}, "dlm", VARIABLE)
        text = complete.source() if instruction == "source" else _completed(complete)
    click.echo(text.encode())
    return 0


def _completed(complete: ShellComplete) -> str:
    try:
        return complete.complete()
    except (Exception, SystemExit):
        return ""


def _shells() -> dict[str, type[ShellComplete]]:
    return {"bash": _Bash, "zsh": ZshComplete, "fish": FishComplete}


class _Bash(BashComplete):
    """Bash takes `no:gguf` and `notes.dlm:12` for several words and replaces only the last of them."""

    @staticmethod
    def _check_version() -> None:
        """Nothing: the script says what it needs, and asking costs a process."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one to complete, and that word, put together again."""
        words = split_arg_string(os.environ["COMP_WORDS"])
        last = int(os.environ["COMP_CWORD"])
        typed = [*words[1:last], words[last] if last < len(words) else ""]
        joined: list[str] = []
        for number, word in enumerate(typed):
            if joined and _belongs(word, joined[-1]):
                joined[-1] += word
            elif word != "=" or number == len(typed) - 1:  # `--option=value` goes on as two words
                joined.append(word)
        self._typed = joined[-1]
        return joined[:-1], joined[-1]

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Without what stands before the last colon or equals sign, which stays on the line."""
        kept = re.match(r"(?!-).*[:=]", self._typed)
        if kept and str(item.value).startswith(kept[0]):
            return f"{item.type},{str(item.value)[kept.end() :]}"
        return super().format_completion(item)


def _belongs(word: str, before: str) -> bool:
    """Whether bash cut `word` off the word before it."""
    return not before.startswith("-") and (word in (":", "=") or before.endswith((":", "=")))
