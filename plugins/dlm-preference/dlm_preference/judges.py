"""The judges that come with the plugin: the document's own answer, a command, a reward model in a folder."""

from __future__ import annotations

import json
import math
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlm_core.api import RunFailedError, UsageError
from dlm_core.files import expand_home

from .judge import Candidate, Judge

if TYPE_CHECKING:
    import torch

#: Seconds that a command may take for one answer.
PATIENCE = 30.0
_TOKENS = 4096  # the longest question with answer that a reward model is given


class OwnAnswer(Judge):
    """The likeness of an answer to the document's own: 1 for the same characters, 0 for none in common."""

    name = "answer"
    help = "likeness to the document's own answer"

    def scores(self, argument: str, candidates: Sequence[Candidate]) -> Iterator[float]:
        from difflib import SequenceMatcher

        if argument:
            raise UsageError("the judge `answer` takes no argument", "write `--judge answer`")
        for one in candidates:
            yield SequenceMatcher(None, one.answer.strip(), one.reference.strip(), autojunk=False).ratio()


class FromCommand(Judge):
    """A command that reads `{"prompt", "candidate", "reference"}` and writes `{"score": number}`; started without a
    shell, once for each answer."""

    name = "cli"
    help = "a command: JSON on its standard input, a score on its standard output"

    def label(self, argument: str) -> str:
        return f"{self.name}:{Path((argument.split() or [''])[0]).name}"

    def scores(self, argument: str, candidates: Sequence[Candidate]) -> Iterator[float]:
        try:
            words = shlex.split(argument)
        except ValueError as error:
            raise UsageError(f"the command {argument!r} cannot be read: {error}", "close its quotes") from error
        if not words:
            raise UsageError("the judge `cli` needs a command", "write `--judge 'cli:python judge.py'`")
        for one in candidates:
            yield _ask(words, one)


class RewardModel(Judge):
    """A sequence classifier with one output, in the layout of Hugging Face: what it says of prompt and answer."""

    name = "hf"
    help = "a reward model in a local folder"
    threshold = 1.0

    def label(self, argument: str) -> str:
        return f"{self.name}:{Path(argument).name}"

    def scores(self, argument: str, candidates: Sequence[Candidate]) -> Iterator[float]:
        folder = expand_home(argument)
        if not argument or not (folder / "config.json").is_file():
            raise UsageError(
                f"there is no reward model in {argument or 'nothing'!r}",
                "write `--judge hf:FOLDER`, with its config.json",
            )
        model, tokenizer = _load(folder)
        for one in candidates:
            yield _reward(model, tokenizer, one)


def _ask(words: Sequence[str], one: Candidate) -> float:
    question = {"prompt": one.prompt, "candidate": one.answer, "reference": one.reference}
    try:
        done = subprocess.run(
            words,
            input=json.dumps(question, ensure_ascii=False),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise RunFailedError(f"the judge {words[0]} took more than {PATIENCE:g} seconds for one answer") from None
    except (OSError, UnicodeError) as error:
        raise RunFailedError(f"the judge {words[0]} cannot be asked: {error}", "check the command") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing on standard error"]
        raise RunFailedError(f"the judge {words[0]} failed with exit code {done.returncode}: {said[0][:200]}")
    return read_score(done.stdout, words[0])


def read_score(text: str, who: str) -> float:
    """The score in a command's answer.  Raises RunFailedError for anything but an object with a finite `score`."""
    try:
        said: Any = json.loads(text)
    except ValueError:
        said = None
    score = said.get("score") if isinstance(said, dict) else None
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise RunFailedError(
            f"the judge {who} answered {text.strip()[:80]!r}", 'it must write one JSON object such as {"score": 0.8}'
        )
    return float(score)


def _load(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer of a reward model; nothing is fetched, no code of the folder is run, no pickle is read."""
    from dlm_hf.imports import prepare

    prepare()
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    from dlm_hf.loading import device

    logging.disable_progress_bar()
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        model = AutoModelForSequenceClassification.from_pretrained(str(folder), use_safetensors=True, **options)
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **options)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise RunFailedError(f"the reward model in {folder} cannot be loaded: {str(error).splitlines()[0]}") from error
    if model.config.num_labels != 1:
        raise RunFailedError(
            f"the model in {folder} has {model.config.num_labels} outputs", "a reward model has one (num_labels: 1)"
        )
    return model.to(device()).eval(), tokenizer


def _reward(model: Any, tokenizer: Any, one: Candidate) -> float:
    import torch

    with torch.no_grad():
        ids: torch.Tensor = torch.tensor([_reward_ids(tokenizer, one)], device=model.device)
        return float(model(input_ids=ids).logits[0, 0])


def _reward_ids(tokenizer: Any, one: Candidate) -> list[int]:
    """Prompt and answer by the model's chat template, or, where it has none, as a pair of texts; the end is kept."""
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": one.prompt}, {"role": "assistant", "content": one.answer}]
        found: list[int] = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"]
    else:
        found = tokenizer(one.prompt, one.answer)["input_ids"]
    return found[-_TOKENS:]
