"""Writing answers: one loop over batches with a key-value cache, greedy or sampled.

A batch is padded on the left, finished rows leave it at once, and every prompt draws from its own random generator,
so an answer does not depend on the prompts beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlm_core.api import Sampling

from .blend import See, see_nothing

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NOTHING: Mapping[str, Tensor] = {}

#: From a prompt's place to what the forward pass takes beside its ids.
Beside = Callable[[int], Mapping[str, Tensor]]


def nothing_beside(_place: int) -> Mapping[str, Tensor]:
    """What a prompt of text alone has beside its ids."""
    return NOTHING


_ROWS = 32  # prompts in one batch
_TOKENS = 32_768  # tokens of one batch with the answers to come, which bounds the cache


def answers(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    stop_ids: frozenset[int],
    context: int,
    see: See = see_nothing,
    media: Beside = nothing_beside,
) -> list[list[int]]:
    """The answer to each prompt as token ids, without the stop token.  Prompts must be shorter than `context`.

    `see` is told before each forward pass which prompts it is of.  `media` gives, for one prompt, what the forward pass
    takes beside its ids; a prompt that has any is answered alone.
    """
    found: list[list[int]] = [[] for _ in prompts]
    beside = [media(place) for place in range(len(prompts))]
    plain = [place for place, some in enumerate(beside) if not some]
    groups = [[plain[at] for at in some] for some in batches([len(prompts[at]) for at in plain], sampling.max_tokens)]
    for batch in [*groups, *([place] for place, some in enumerate(beside) if some)]:

        def see_rows(rows: Sequence[int], batch: Sequence[int] = batch) -> None:
            see([batch[row] for row in rows])

        mine = [prompts[place] for place in batch]
        for tokens in steps(model, mine, sampling, stop_ids, context, see_rows, beside[batch[0]]):
            for row, token in tokens:
                found[batch[row]].append(token)
    return found


def batches(lengths: Sequence[int], room: int = 0, rows: int = _ROWS, tokens: int = _TOKENS) -> list[list[int]]:
    """Indices into `lengths` in groups of similar length, each of at most `rows` and, with `room` each, `tokens`."""
    groups: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        group = groups[-1] if groups else None
        if group and len(group) < rows and (len(group) + 1) * (lengths[group[0]] + room) <= tokens:
            group.append(place)
        else:
            groups.append([place])
    return groups


@torch.no_grad()
def steps(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    stop_ids: frozenset[int],
    context: int,
    see: See = see_nothing,
    beside: Mapping[str, Tensor] = NOTHING,
) -> Iterator[list[tuple[int, int]]]:
    """After each forward pass, the (prompt's index, new token) pairs of the prompts that are still being answered.

    `beside` is what the first forward pass takes beside the ids.
    """
    _forget_shifts(model)
    ids, mask = _left_padded(prompts, model.device)
    padded = not bool(mask.all())
    dice = [torch.Generator().manual_seed(sampling.seed) for _ in prompts]
    room = [min(sampling.max_tokens, context - len(prompt)) for prompt in prompts]
    alive = [row for row in range(len(prompts)) if room[row] > 0]
    cache: Any = None
    count = 0
    while alive:
        extra = {"attention_mask": mask, "position_ids": _positions(mask, ids.shape[1])} if padded else {}
        extra |= beside if not count else {}
        see(alive)
        output = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1, **extra)
        cache, count = output.past_key_values, count + 1
        chosen = choose(output.logits[:, -1].float(), sampling, [dice[row] for row in alive])
        new = [(row, token) for row, token in zip(alive, chosen, strict=True) if token not in stop_ids]
        if new:
            yield new
        kept = [row for row, _ in new if count < room[row]]
        if len(kept) < len(alive) and kept:
            places = torch.tensor([alive.index(row) for row in kept], device=ids.device)
            cache.batch_select_indices(places)
            mask = mask[places]
        alive = kept
        latest = dict(new)
        ids = torch.tensor([[latest[row]] for row in alive], device=ids.device)
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)


def _forget_shifts(model: PreTrainedModel) -> None:
    """Some models keep by how much the files of a batch shifted its positions, and would shift the next one's too."""
    for module in model.modules():
        if getattr(module, "rope_deltas", None) is not None:
            module.rope_deltas = None  # type: ignore[assignment]


def choose(logits: Tensor, sampling: Sampling, dice: Sequence[torch.Generator]) -> list[int]:
    """The next token of each row of `logits`, shape (rows, vocabulary): the likeliest, or drawn from the top p."""
    if sampling.temperature <= 0:
        greedy: list[int] = logits.argmax(-1).tolist()
        return greedy
    probabilities = (logits / sampling.temperature).softmax(-1).cpu()
    if sampling.top_p < 1:
        ordered, places = probabilities.sort(-1, descending=True)
        ordered[ordered.cumsum(-1) - ordered >= sampling.top_p] = 0
        probabilities = torch.zeros_like(probabilities).scatter_(-1, places, ordered)
    return [int(torch.multinomial(row, 1, generator=die)) for row, die in zip(probabilities, dice, strict=True)]


def _left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt, dtype=torch.long)
        mask[row, longest - len(prompt) :] = 1
    return ids.to(device), mask.to(device)


def _positions(mask: Tensor, length: int) -> Tensor:
    """Positions of the last `length` columns, counted from each row's first real token."""
    return (mask.cumsum(-1) - 1).clamp(min=0)[:, -length:]
