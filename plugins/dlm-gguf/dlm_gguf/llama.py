"""llama.cpp itself, run in a process of its own: token ids, logits, greedy answers and rendered chats of a file.

`python -m dlm_gguf.llama FOLDER` reads `request.json` there and leaves `reply.json` and `logits.npy`.  A process of
its own, because llama.cpp aborts on some damaged files and logs to stderr, neither of which may reach the caller.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Iterable, Sequence
from ctypes import POINTER, Structure, byref, c_bool, c_char_p, c_float, c_int8, c_int32, c_size_t, c_ubyte, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import ggml

#: Bytes where `llama_context_params` holds what is set here, with the defaults of llama.cpp 0.6: an unexpected
#: default means another layout, and nothing is computed on a guess.
_FIELDS = {
    "n_ctx": (0, 512),
    "n_batch": (4, 2048),
    "n_ubatch": (8, 512),
    "n_seq_max": (12, 1),
    "n_outputs_max": (20, 0),
    "n_outputs_max_per_seq": (24, 1),
    "n_threads": (28, 4),
    "n_threads_batch": (32, 4),
    "flash_attn": (52, -1),
    "type_k": (104, 1),
    "type_v": (108, 1),
}
#: Bytes of a model file that one thread computes with.
_SMALL = 256 << 20


class _Params(Structure):
    """Room for either parameter structure; llama.cpp reads its own size from the front."""

    _fields_ = [("data", c_ubyte * 512)]


class _Batch(Structure):
    _fields_ = [
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", c_void_p),
        ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)),
        ("seq_id", POINTER(POINTER(c_int32))),
        ("logits", POINTER(c_int8)),
    ]


def _functions() -> ctypes.CDLL:
    lib = ctypes.CDLL(str(ggml.library_path()))
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "llama_context_default_params": (_Params, []),
        "llama_model_default_params": (_Params, []),
        "llama_model_load_from_file": (c_void_p, [c_char_p, _Params]),
        "llama_init_from_model": (c_void_p, [c_void_p, _Params]),
        "llama_free": (None, [c_void_p]),
        "llama_model_free": (None, [c_void_p]),
        "llama_model_get_vocab": (c_void_p, [c_void_p]),
        "llama_vocab_n_tokens": (c_int32, [c_void_p]),
        "llama_vocab_is_eog": (c_bool, [c_void_p, c_int32]),
        "llama_tokenize": (c_int32, [c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool]),
        "llama_detokenize": (c_int32, [c_void_p, POINTER(c_int32), c_int32, c_char_p, c_int32, c_bool, c_bool]),
        "llama_get_memory": (c_void_p, [c_void_p]),
        "llama_memory_clear": (None, [c_void_p, c_bool]),
        "llama_decode": (c_int32, [c_void_p, _Batch]),
        "llama_get_logits_ith": (POINTER(c_float), [c_void_p, c_int32]),
        "llama_adapter_lora_init": (c_void_p, [c_void_p, c_char_p]),
        "llama_set_adapters_lora": (c_int32, [c_void_p, POINTER(c_void_p), c_size_t, POINTER(c_float)]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    lib.llama_backend_init()
    return lib


class Llama:
    """A loaded GGUF, perhaps with a LoRA over it.  The cache of keys and values is F32, attention is exact."""

    def __init__(self, model: str, lora: str | None, context: int) -> None:
        self._lib, self._size = _functions(), Path(model).stat().st_size
        self._model = self._lib.llama_model_load_from_file(model.encode(), self._lib.llama_model_default_params())
        if not self._model:
            raise RuntimeError("llama.cpp does not load the file")
        self._vocab = self._lib.llama_model_get_vocab(self._model)
        self.vocabulary: int = self._lib.llama_vocab_n_tokens(self._vocab)
        self._context = self._lib.llama_init_from_model(self._model, self._params(context))
        if not self._context:
            raise RuntimeError("llama.cpp makes no context for the file")
        if lora is not None:
            adapter = self._lib.llama_adapter_lora_init(self._model, lora.encode())
            one = c_float(1.0)
            if not adapter or self._lib.llama_set_adapters_lora(self._context, byref(c_void_p(adapter)), 1, byref(one)):
                raise RuntimeError("llama.cpp does not apply the adapter")

    def _params(self, context: int) -> _Params:
        params: _Params = self._lib.llama_context_default_params()
        # llama.cpp's threads wait by spinning: on a busy machine two are ten times slower than one in a small model.
        threads = 1 if self._size < _SMALL else ggml.threads()
        wanted = dict.fromkeys(("n_ctx", "n_batch", "n_ubatch", "n_outputs_max", "n_outputs_max_per_seq"), context)
        wanted |= {"n_seq_max": 1, "n_threads": threads, "n_threads_batch": threads}
        wanted |= {"flash_attn": 0, "type_k": 0, "type_v": 0}
        for name, (offset, default) in _FIELDS.items():
            field = c_int32.from_buffer(params, offset)
            if field.value != default:
                raise RuntimeError(f"this xllamacpp has another layout of its parameters ({name} = {field.value})")
            field.value = wanted[name]
        return params

    def tokenize(self, text: str) -> list[int]:
        """Ids with special tokens recognised and none added."""
        data = text.encode()
        room = (c_int32 * (len(data) + 8))()
        count = self._lib.llama_tokenize(self._vocab, data, len(data), room, len(room), False, True)
        return list(room[:count])

    def detokenize(self, ids: Sequence[int]) -> str:
        room = ctypes.create_string_buffer(64 * len(ids) + 64)
        array = (c_int32 * max(1, len(ids)))(*ids)
        count = self._lib.llama_detokenize(self._vocab, array, len(ids), room, len(room), False, False)
        return room.raw[: max(count, 0)].decode("utf-8", "replace")

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Logits after every token, (len(ids), vocabulary)."""
        self._forget()
        self._decode(ids, 0, every=True)
        return np.stack([self._row(index) for index in range(len(ids))])

    def answer(self, prompt: Sequence[int], most: int) -> tuple[str, list[int]]:
        """The greedy continuation, at most `most` tokens, as text and as ids; what ends it is an id but no text."""
        self._forget()
        self._decode(prompt, 0)
        found: list[int] = []
        while len(found) < most:
            token = int(self._row(-1).argmax())
            if self._lib.llama_vocab_is_eog(self._vocab, token):
                return self.detokenize(found), [*found, token]
            found.append(token)
            self._decode([token], len(prompt) + len(found) - 1)
        return self.detokenize(found), found

    def _decode(self, ids: Sequence[int], start: int, *, every: bool = False) -> None:
        count = len(ids)
        zero = c_int32(0)
        sequence = ctypes.pointer(zero)
        batch = _Batch(
            count,
            (c_int32 * count)(*ids),
            None,
            (c_int32 * count)(*range(start, start + count)),
            (c_int32 * count)(*[1] * count),
            (POINTER(c_int32) * count)(*[sequence] * count),
            (c_int8 * count)(*[every or index == count - 1 for index in range(count)]),
        )
        status = self._lib.llama_decode(self._context, batch)
        if status:
            raise RuntimeError(f"llama.cpp cannot compute with the file (llama_decode returned {status})")

    def _row(self, index: int) -> NDArray[np.float32]:
        pointer = self._lib.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(pointer, (self.vocabulary,)).copy()

    def _forget(self) -> None:
        self._lib.llama_memory_clear(self._lib.llama_get_memory(self._context), True)

    def close(self) -> None:
        self._lib.llama_free(self._context)
        self._lib.llama_model_free(self._model)


def render(model: str, chats: Iterable[Any]) -> list[str]:
    """Chats in llama.cpp's own template engine, which only its server has: served on a socket file in this folder."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.hostnames = model, ["socket.sock"]
    params.n_ctx, params.n_parallel, params.warmup, params.ui = 64, 1, False, False
    server = xllamacpp.Server(params)
    found = [_post("socket.sock", "/apply-template", {"messages": chat})["prompt"] for chat in chats]
    del server
    return found


def _post(path: str, route: str, body: Any) -> Any:
    import http.client
    import socket

    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(path)
    connection.request("POST", route, json.dumps(body), {"Content-Type": "application/json"})
    reply = json.loads(connection.getresponse().read())
    connection.close()
    if "error" in reply:
        raise RuntimeError(f"llama.cpp cannot render the chat template: {reply['error'].get('message')}")
    return reply


def main(folder: Path) -> None:
    """Serve one request."""
    request = json.loads((folder / "request.json").read_text("utf-8"))
    longest = max((len(ids) for ids in request["sequences"]), default=0)
    longest = max(longest, *(len(ids) + most for ids, most in request["prompts"]), 32)
    llama = Llama(request["model"], request["lora"], longest + 8)
    answers = [llama.answer(ids, most) for ids, most in request["prompts"]]
    reply = {
        "vocabulary": llama.vocabulary,
        "ids": [llama.tokenize(text) for text in request["texts"]],
        "answers": [text for text, _ in answers],
        "answer_ids": [ids for _, ids in answers],
    }
    if request["sequences"]:
        np.save(folder / "logits.npy", np.concatenate([llama.logits(ids) for ids in request["sequences"]]))
    llama.close()
    reply["chats"] = render(request["model"], request["chats"]) if request["chats"] else []
    (folder / "reply.json").write_text(json.dumps(reply), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
