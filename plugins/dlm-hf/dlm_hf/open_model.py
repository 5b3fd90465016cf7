"""A base with its adapters, loaded and ready to answer, to be scored and to be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlm_core.api import Blend, LocatedBase, Message, OpenModel, Precision, Row, RunFailedError, Sampling, Score

from .adapters import active, adapter_folders, attach, detach
from .blend import See, blended, see_nothing
from .embeddings import fit_embeddings
from .loading import load_model, release_model
from .tokens import Coder, Example, all_examples, load_coder

if TYPE_CHECKING:
    from peft import PeftModel

    from .modalities import Senses

_ENCODED = 1024  # rows encoded, or read from the cache, at a time
_WINDOW = 64  # prompts or rows sorted by length at a time; results still come in order
_SCORED_LENGTH = 2048  # tokens; longer texts are scored in pieces


class HfOpenModel(OpenModel):
    """One engine's open model.  The loaded base returns to the pool of `loading` when it is closed."""

    blends = True

    def __init__(
        self,
        base: LocatedBase,
        adapters: Path | None,
        precision: Precision,
        system_prompt: str | None,
        senses: Senses | None = None,
    ) -> None:
        self.base, self.system_prompt = base, system_prompt
        self.coder: Coder = load_coder(base.folder, senses)
        folders = adapter_folders(adapters) if adapters else {}
        if adapters and not folders:
            raise RunFailedError(f"{adapters} holds no adapter", "train the document first: `dlm train`")
        self.model = load_model(base, precision)
        self.peft: PeftModel | None = None
        try:
            fit_embeddings(self.model, self.coder.vocabulary_size)
            if folders:
                self.peft = attach(self.model, folders)
        except BaseException:
            release_model(self.model)
            raise

    def generate(
        self, prompts: Sequence[Sequence[Message]], sampling: Sampling, adapter: str | Blend | None = "default"
    ) -> Iterator[str]:
        from .generation import answers

        ids = [self._ask(prompt) for prompt in prompts]
        for start in range(0, len(ids), _WINDOW):
            window = ids[start : start + _WINDOW]
            with self._answering(adapter, start, len(window)) as see:

                def media(place: int, start: int = start) -> dict[str, Any]:
                    return self._beside(prompts[start + place], ids[start + place])

                found = answers(self.model, window, sampling, self.coder.stop_ids, self.base.shape.context, see, media)
            yield from (self.coder.decode(answer) for answer in found)

    def stream(
        self, prompt: Sequence[Message], sampling: Sampling, adapter: str | Blend | None = "default"
    ) -> Iterator[str]:
        from .generation import steps

        ids = self._ask(prompt)
        with self._answering(adapter, 0, 1) as see:
            beside = self._beside(prompt, ids)
            new = steps(self.model, [ids], sampling, self.coder.stop_ids, self.base.shape.context, see, beside)
            yield from pieces(self.coder, (token for tokens in new for _, token in tokens))

    def score(self, rows: Sequence[Row], adapter: str | Blend | None = "default") -> Iterator[Score]:
        length = min(_SCORED_LENGTH, self.base.shape.context)
        # Behind the body of a model it is no longer known of which row a position is, which an adapted head must know.
        plain = self._has_plain_head and not (isinstance(adapter, Blend) and self._has_adapted_head)
        for place in range(0, len(rows), _ENCODED):
            some = rows[place : place + _ENCODED]
            made: list[list[Example]] = [[] for _ in some]
            for one in self._scored(some, length):
                made[one.row].append(one)
            for start in range(0, len(some), _WINDOW):
                window = made[start : start + _WINDOW]
                with self._answering(adapter, place + start, len(window)) as see:
                    found = self._scores(window, see, plain)
                yield from found

    def _scored(self, rows: Sequence[Row], length: int) -> Iterator[Example]:
        """The examples that rows are scored by, of at most `length` tokens; what shows media is never cut."""
        for place, row in enumerate(rows):
            if row.media:
                for one in all_examples(self.coder, [row], self.system_prompt, self.base.shape.context, "skip"):
                    one.row = place
                    yield one
        plain = [place for place, row in enumerate(rows) if not row.media]
        texts = [rows[place] for place in plain]
        for one in all_examples(self.coder, texts, self.system_prompt, length, "cut", self.base.cache):
            one.row = plain[one.row]
            yield one

    def render(self, messages: Sequence[Message], *, answer_next: bool = True) -> str:
        return self.coder.render(messages, self.system_prompt, answer_next)

    def encode(self, text: str) -> list[int]:
        return self.coder.encode(text)

    def logits(self, ids: Sequence[int], adapter: str | Blend | None = "default") -> Any:
        import torch

        from .cpu_linear import exact

        with torch.no_grad(), exact(), self._answering(adapter, 0, 1):
            batch = torch.tensor([list(ids)], device=self.model.device)
            return self.model(input_ids=batch, use_cache=False).logits[0].float().cpu().numpy()

    def features(self, texts: Sequence[str]) -> Any:
        from .features import text_features

        return text_features(self.base.folder, self.coder, texts).numpy()

    @contextmanager
    def _answering(self, adapter: str | Blend | None, start: int, count: int) -> Iterator[See]:
        """A context in which `count` prompts, the first of them at place `start`, are answered as asked."""
        if not isinstance(adapter, Blend):
            with active(self.peft, adapter):
                yield see_nothing
            return
        with blended(self.peft, Blend(tuple(adapter.of(start + one) for one in range(count))), count) as see:
            yield see

    def close(self) -> None:
        """Take the adapters off and give the base back.  Closing twice does no harm."""
        if self.peft is not None:
            detach(self.peft)
            self.peft = None
        release_model(self.model)

    @cached_property
    def _has_plain_head(self) -> bool:
        from .loss import plain_head

        return plain_head(self.model) is not None

    @property
    def _has_adapted_head(self) -> bool:
        import torch

        return not isinstance(self.model.get_output_embeddings(), torch.nn.Linear)

    def _beside(self, prompt: Sequence[Message], ids: Sequence[int]) -> dict[str, Any]:
        """What the forward pass takes beside a prompt's ids: the files that it shows."""
        parts = [part for message in prompt for part in message.media]
        if not parts or self.coder.senses is None:
            return {}
        import torch

        from .loss import in_dtype

        found = self.coder.senses.tensors(parts, torch.tensor([list(ids)]))
        return {name: one.to(self.model.device) for name, one in in_dtype(found, self.model.dtype).items()}

    def _ask(self, prompt: Sequence[Message]) -> list[int]:
        ids = self.coder.encode(self.render(prompt))
        if len(ids) >= self.base.shape.context:
            raise RunFailedError(
                f"the question has {len(ids):,} tokens; this base reads {self.base.shape.context:,}",
                "ask a shorter question, or choose a base with a longer context",
            )
        return ids

    def _scores(self, made: Sequence[Sequence[Example]], see: See, plain: bool) -> list[Score]:
        """Scores of some rows, given as their examples, in their order; `see` is told of rows by their places."""
        whose = [place for place, row in enumerate(made) for _ in row]
        losses = iter(self._losses([one for row in made for one in row], whose, see, plain))
        return [Score(sum(next(losses) for _ in row), sum(one.labelled for one in row)) for row in made]

    def _losses(self, found: Sequence[Example], whose_row: Sequence[int], see: See, plain: bool) -> list[float]:
        """The summed loss of each example, computed in batches of similar length."""
        import torch

        from .batches import collate
        from .generation import batches
        from .loss import label_losses

        losses = [0.0] * len(found)
        for batch in batches([len(one.ids) for one in found], rows=16, tokens=8192):
            rows = collate([found[place] for place in batch], self.coder.pad_id, self.coder.senses)
            see([whose_row[place] for place in batch])
            with torch.no_grad():
                each = label_losses(self.model, rows.to(self.model.device), plain).double().cpu()
            whose = rows.positions // rows.ids.shape[1]
            sums = torch.zeros(len(batch), dtype=torch.float64).index_add_(0, whose, each)
            for place, total in zip(batch, sums.tolist(), strict=True):
                losses[place] = total
        return losses


def pieces(coder: Coder, tokens: Iterator[int]) -> Iterator[str]:
    """Text as it grows, token by token; bytes of an unfinished character are held back.

    The joined pieces equal the decoding of all tokens at once.
    """
    ids: list[int] = []
    text, shown = "", 0
    for token in tokens:
        ids.append(token)
        text = coder.decode(ids)
        if len(text) > shown and not text.endswith("\ufffd"):
            yield text[shown:]
            shown = len(text)
    if len(text) > shown:
        yield text[shown:]
