"""Texts that tokenizers disagree about: what an exported tokenizer is tried on, besides the document's own prompts."""

from __future__ import annotations

TEXTS: tuple[str, ...] = (
    "Hello, world!", "hello", " hello", "  two spaces", "trailing space ", "a", "A", ".", " ", "\n", "\n\n", "\t",
    "line one\nline two", "line one\r\nline two", "tabs\tand\tmore\t\ttabs", "a\n \n  b", "   \n   ", "\n\n\nthree",
    "don't can't I'm we'll they've he'd it's", "DON'T CAN'T I'M", "O'Neill's dog's dinner", "’s curly ‘quotes’ “here”",
    "0 1 12 123 1234 12345 1234567890", "3.14159, 1,000,000 and 1e-5", "0x1F 0b1010 192.168.0.1", "２０２４ ½ ² ٣",
    "2024-02-29T12:34:56Z", "$5.99 €10 £3 ¥500", "50% off!!!", "a+b=c; x<=y && y!=z || !w", "-- --- ---- ... …",
    "def f(x):\n    return x ** 2\n", "if (a[0] == '\\n') { b->c(); }", "<div class=\"x\">text</div>",
    "{\"key\": [1, 2, {\"nested\": null}]}", "SELECT * FROM t WHERE id = 1;", "https://example.org/a?b=c&d=e#f",
    "user@example.com", "C:\\Users\\name\\file.txt", "snake_case camelCase PascalCase kebab-case SCREAMING",
    "naïve café résumé Zoë Größe Ærøskøbing", "Ελληνικά και Кириллица", "עברית و العربية", "हिन्दी ไทย தமிழ்",
    "東京都 に住んでいます。", "你好，世界！中文和English混在一起", "한국어 텍스트",
    "😀 👍🏽 👨‍👩‍👧‍👦 🇩🇪", "a\u00a0b\u2009c\u200bd",
    "\ufeffbyte order mark", "\u202eright to left", "∀x ∈ ℝ: ⌈x⌉ = −⌊−x⌋", "━━┃ ▓▒░ ★", "zzzzzzzzzzzzzzzzzzzzzzzz",
    "aAbBcC1d2E3f", "ALL CAPS SENTENCE HERE", "MiXeD cAsE wOrDs", "word" * 12, "ab " * 12, "!?!?!?", "''\"\"``",
    "# Heading\n\n- item\n  - nested\n\n```python\nx = 1\n```\n", "| a | b |\n|---|---|\n| 1 | 2 |",
    "[1](2) ![3](4) **bold** _it_ ~~no~~", "End of text.\n", "Supercalifragilisticexpialidocious antidisestablishment",
)  # fmt: skip
