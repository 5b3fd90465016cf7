"""Who provides what among the plugins of this project, so that an error can name the package to install.

Written by `nox -s known`; a test fails when it is stale.
"""

from __future__ import annotations

#: (kind, name) -> (distribution, plugin)
KNOWN: dict[tuple[str, str], tuple[str, str]] = {
    ("base model", "deepseek-r1-distill-1.5b"): ("dlm-hf", "hf"),
    ("base model", "gemma-2-2b-it"): ("dlm-hf", "hf"),
    ("base model", "gemma-2-9b-it"): ("dlm-hf", "hf"),
    ("base model", "gemma-3-1b-it"): ("dlm-hf", "hf"),
    ("base model", "gemma-3-270m-it"): ("dlm-hf", "hf"),
    ("base model", "llama-3.1-8b"): ("dlm-hf", "hf"),
    ("base model", "llama-3.2-1b"): ("dlm-hf", "hf"),
    ("base model", "llama-3.2-3b"): ("dlm-hf", "hf"),
    ("base model", "llama-3.3-8b-instruct"): ("dlm-hf", "hf"),
    ("base model", "mistral-7b-instruct"): ("dlm-hf", "hf"),
    ("base model", "mixtral-8x7b-instruct"): ("dlm-hf", "hf"),
    ("base model", "olmo-2-1b-instruct"): ("dlm-hf", "hf"),
    ("base model", "olmo-2-7b-instruct"): ("dlm-hf", "hf"),
    ("base model", "phi-3.5-mini"): ("dlm-hf", "hf"),
    ("base model", "phi-4"): ("dlm-hf", "hf"),
    ("base model", "phi-4-mini"): ("dlm-hf", "hf"),
    ("base model", "phi-4-mini-reasoning"): ("dlm-hf", "hf"),
    ("base model", "qwen2.5-0.5b"): ("dlm-hf", "hf"),
    ("base model", "qwen2.5-1.5b"): ("dlm-hf", "hf"),
    ("base model", "qwen2.5-14b"): ("dlm-hf", "hf"),
    ("base model", "qwen2.5-3b"): ("dlm-hf", "hf"),
    ("base model", "qwen2.5-7b"): ("dlm-hf", "hf"),
    ("base model", "qwen2.5-coder-1.5b"): ("dlm-hf", "hf"),
    ("base model", "qwen3-0.6b"): ("dlm-hf", "hf"),
    ("base model", "qwen3-1.7b"): ("dlm-hf", "hf"),
    ("base model", "qwen3-1.7b-thinking"): ("dlm-hf", "hf"),
    ("base model", "qwen3-14b"): ("dlm-hf", "hf"),
    ("base model", "qwen3-4b"): ("dlm-hf", "hf"),
    ("base model", "qwen3-4b-2507"): ("dlm-hf", "hf"),
    ("base model", "qwen3-8b"): ("dlm-hf", "hf"),
    ("base model", "smollm2-1.7b"): ("dlm-hf", "hf"),
    ("base model", "smollm2-135m"): ("dlm-hf", "hf"),
    ("base model", "smollm2-360m"): ("dlm-hf", "hf"),
    ("base model", "smollm3-3b"): ("dlm-hf", "hf"),
    ("base model", "tiny"): ("dlm-tiny", "tiny"),
    ("base model", "tinyllama-1.1b"): ("dlm-hf", "hf"),
    ("config block", "export.default_quant"): ("dlm-gguf", "gguf"),
    ("engine", "hf"): ("dlm-hf", "hf"),
    ("exporter", "gguf"): ("dlm-gguf", "gguf"),
    ("exporter", "gguf-lora"): ("dlm-gguf", "gguf"),
    ("exporter", "merged"): ("dlm-hf", "hf"),
    ("trainer", "sft"): ("dlm-hf", "hf"),
}
