"""Encoders against the `gguf` library's own, the types llama.cpp would choose, and reading back."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as T

from dlm_gguf import ggml
from dlm_gguf.quants import QUANTS, tensor_type


def weights(rows: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return (rng.standard_t(4, (rows, columns)) * 0.05).astype(np.float32)


@pytest.mark.parametrize("kind", [T.F32, T.F16, T.BF16, T.Q8_0, T.Q5_0, T.Q5_1])
def test_bytes_are_those_of_the_gguf_library(kind: T) -> None:
    x = weights(33, 256)
    found = bytes(ggml.encode(kind, x, np.empty(x.nbytes, np.uint8)))
    assert found == gguf.quantize(x, kind).tobytes()


@pytest.mark.parametrize(("kind", "error"), [(T.Q4_K, 0.1), (T.Q5_K, 0.05), (T.Q6_K, 0.025)])
def test_k_quants_decode_to_the_weights_and_threads_change_nothing(
    kind: T, error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = weights(37, 512)
    monkeypatch.setattr(ggml, "threads", lambda: 1)
    alone = bytes(ggml.encode(kind, x, np.empty(x.nbytes, np.uint8)))
    monkeypatch.setattr(ggml, "threads", lambda: 3)
    assert bytes(ggml.encode(kind, x, np.empty(x.nbytes, np.uint8))) == alone
    decoded = gguf.dequantize(np.frombuffer(alone, np.uint8).reshape(37, -1), kind)
    assert np.sqrt(np.mean((decoded - x) ** 2)) < error * x.std()


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_sixteen_bit_numbers_become_the_same_floats(dtype: str) -> None:
    bits = np.arange(65536, dtype=np.uint16)
    finite = (bits & (0x7F80 if dtype == "BF16" else 0x7C00)) != (0x7F80 if dtype == "BF16" else 0x7C00)
    expected = (bits.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else bits.view(np.float16)
    found = ggml.to_float(bits, dtype, np.empty(65536, np.float32))
    np.testing.assert_array_equal(found[finite], expected[finite].astype(np.float32))


def test_a_weight_too_large_for_f16_is_refused() -> None:
    with pytest.raises(OverflowError, match="65504"):
        ggml.encode(T.F16, np.full((1, 32), 7e4, np.float32), np.empty(64, np.uint8))


def test_the_mix_is_that_of_llama_quant() -> None:
    quant = QUANTS["Q4_K_M"]
    better = [
        i for i in range(16) if tensor_type(quant, f"blk.{i}.attn_v.weight", (8, 256), 16, tied=False)[0] == T.Q6_K
    ]
    assert better == [0, 1, 4, 7, 10, 13, 14, 15]
    assert tensor_type(quant, "blk.2.attn_q.weight", (8, 256), 16, tied=False) == (T.Q4_K, False)
    assert tensor_type(quant, "output.weight", (8, 256), 16, tied=False) == (T.Q6_K, False)
    assert tensor_type(quant, "token_embd.weight", (8, 256), 16, tied=False) == (T.Q4_K, False)
    assert tensor_type(quant, "token_embd.weight", (8, 256), 16, tied=True) == (T.Q6_K, False)
    assert tensor_type(quant, "blk.0.attn_norm.weight", (256,), 16, tied=True) == (T.F32, False)


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        ("Q4_K_M", 576, T.Q5_0),
        ("Q5_K_M", 576, T.Q5_1),
        ("Q6_K", 576, T.Q8_0),
        ("Q8_0", 100, T.F16),
        ("Q4_K_M", 100, T.F16),
    ],
)
def test_rows_no_block_divides_fall_back(name: str, columns: int, expected: T) -> None:
    assert tensor_type(QUANTS[name], "blk.2.attn_q.weight", (8, columns), 16, tied=True) == (expected, True)
