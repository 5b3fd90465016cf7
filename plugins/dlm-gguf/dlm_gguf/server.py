"""llama.cpp's server, which alone puts files before a model, in a process of its own.

`python -m dlm_gguf.server FOLDER` reads `request.json` there (`model`, `mmproj`, `chats` in the form of
`/v1/chat/completions`, `most` tokens an answer, `context`) and leaves `reply.json`: answers, and tokens of each prompt.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def main(folder: Path) -> None:
    """Serve one request."""
    import xllamacpp

    request = json.loads((folder / "request.json").read_text("utf-8"))
    params = xllamacpp.CommonParams()
    params.model.path, params.mmproj.path = request["model"], request["mmproj"]
    params.hostnames, params.ui, params.warmup = ["socket.sock"], False, False
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads = request["context"], 1, 1
    params.mmproj_use_gpu, params.n_gpu_layers = False, 0
    server = xllamacpp.Server(params)
    found = [_answer(server, chat, request["most"]) for chat in request["chats"]]
    del server
    answers, tokens = [one for one, _ in found], [count for _, count in found]
    (folder / "reply.json").write_text(json.dumps({"answers": answers, "tokens": tokens}), "utf-8")


def _answer(server: Any, chat: Any, most: int) -> tuple[str, int]:
    body = {"messages": chat, "temperature": 0, "max_tokens": most, "cache_prompt": False}
    made = server.handle_chat_completions(body)
    reply: Mapping[str, Any] = json.loads(made) if isinstance(made, str | bytes) else made
    if "error" in reply:
        raise RuntimeError(f"llama.cpp does not answer: {reply['error'].get('message')}")
    return reply["choices"][0]["message"]["content"], reply["usage"]["prompt_tokens"]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
