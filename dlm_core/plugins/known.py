"""Who provides what among the plugins of this project, so that an error can name the package to install."""

from __future__ import annotations

#: (kind, name) -> (distribution, plugin)
KNOWN: dict[tuple[str, str], tuple[str, str]] = {
    ("base model", "tiny"): ("dlm-tiny", "tiny"),
    ("config block", "export.default_quant"): ("dlm-gguf", "gguf"),
    ("config block", "training.audio"): ("dlm-audio", "audio"),
    ("config block", "training.cpt"): ("dlm-cpt", "cpt"),
    ("config block", "training.gate"): ("dlm-gate", "gate"),
    ("config block", "training.preference"): ("dlm-preference", "preference"),
    ("engine", "hf"): ("dlm-hf", "hf"),
    ("exporter", "gguf"): ("dlm-gguf", "gguf"),
    ("exporter", "gguf-lora"): ("dlm-gguf", "gguf"),
    ("exporter", "merged"): ("dlm-hf", "hf"),
    ("section type", "audio"): ("dlm-audio", "audio"),
    ("section type", "image"): ("dlm-image", "image"),
    ("section type", "preference"): ("dlm-preference", "preference"),
    ("trainer", "sft"): ("dlm-hf", "hf"),
}
