"""Licences of known base models.  One that must be accepted on the hub first carries the address to read it at."""

from __future__ import annotations

APACHE = "Apache-2.0"
MIT = "MIT"
QWEN_RESEARCH = "Qwen Research License (https://huggingface.co/Qwen/Qwen2.5-3B-Instruct/blob/main/LICENSE)"
GEMMA = "Gemma Terms of Use (https://ai.google.dev/gemma/terms)"
LLAMA_3_1 = "Llama 3.1 Community License (https://www.llama.com/llama3_1/license/)"
LLAMA_3_2 = "Llama 3.2 Community License (https://www.llama.com/llama3_2/license/)"
LLAMA_3_3 = "Llama 3.3 Community License (https://www.llama.com/llama3_3/license/)"
