"""The Modelfile with which Ollama takes over an exported file."""

from __future__ import annotations

from collections.abc import Iterable


def modelfile(
    gguf: str,
    *,
    system: str | None,
    context: int,
    stops: Iterable[str],
    temperature: float | None = None,
    top_p: float | None = None,
    mmproj: str | None = None,
) -> str:
    """A Modelfile for the merged file `gguf` beside it, and for the file of the tower in front of it.

    It has no TEMPLATE: without one Ollama renders the chat template inside the GGUF, the one used in training.
    Raises ValueError when the system prompt cannot be quoted.
    """
    lines = [f"FROM ./{file}" for file in (gguf, mmproj) if file] + [f"PARAMETER num_ctx {context}"]
    lines += [f"PARAMETER stop {quote(stop)}" for stop in stops]
    if temperature is not None:
        lines.append(f"PARAMETER temperature {temperature:g}")
    if top_p is not None:
        lines.append(f"PARAMETER top_p {top_p:g}")
    if system:
        lines.append(f"SYSTEM {quote(system)}")
    return "\n".join(lines) + "\n"


def quote(text: str) -> str:
    """Ollama's quoting, which knows no escape: one pair of quotes, or three.  Raises ValueError."""
    if '"""' in text or text.endswith('"'):
        raise ValueError('a Modelfile cannot hold text with """ in it or with " at its end')
    return f'"""{text}"""' if '"' in text or "\n" in text else f'"{text}"'
