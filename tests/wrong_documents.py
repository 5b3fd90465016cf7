"""Wrong documents, one rule each: where every problem is told, with which code and words."""

from __future__ import annotations

ID = "01K9ABCDEFGHJKMNPQRSTVWXYZ"
HEAD = f"---\ndlm_id: {ID}\ndlm_version: 15\nbase_model: tiny\n"
QA = "::instruction::\n### Q\nq\n### A\na\n"


def front(lines: str) -> str:
    """A document with these frontmatter lines from line 5 on."""
    return f"{HEAD}{lines}\n---\nHello.\n"


def training(lines: str) -> str:
    """A document with these lines under `training:` from line 6 on."""
    return front("training:\n" + "\n".join("  " + line for line in lines.split("\n")))


def body(text: str) -> str:
    """A document whose body starts on line 6."""
    return f"{HEAD}---\n{text}"


def bare(lines: str) -> str:
    """A frontmatter of these lines from line 2 on."""
    return f"---\n{lines}\n---\nHello.\n"


WITH_ADAPTERS = f"{HEAD}training:\n  adapters:\n    tone: {{}}\n    facts: {{}}\n---\n"  # body from line 10
SYNTH = 'synth_teacher="t" synth_strategy="s" synth_at="2026-04-23T18:42:11Z" source_section_id="0123456789abcdef"'
MINED = (
    'judge_name="j" judge_score_chosen="0.82" judge_score_rejected="0.31" mined_at="2026-04-23T18:42:11Z"'
    ' mined_run_id="7"'
)


def synth(pairs: str) -> str:
    return body(QA.replace("### Q", f"<!-- dlm-auto-synth: {pairs} -->\n### Q"))


def mined(pairs: str) -> str:
    return body(f"::picky::\n<!-- dlm-auto-mined: {pairs} -->\ntext\n")


#: name -> (document, [(line, col, code, part of the message or hint)])
CASES: dict[str, tuple[str, list[tuple[int, int, str, str]]]] = {
    # -- delimiters
    "empty file": ("", [(1, 1, "DLM0105", "starts with a line `---`")]),
    "no frontmatter": ("Hello.\n", [(1, 1, "DLM0105", "`dlm init NEW.dlm`")]),
    "blank after opener": ("--- \na: 1\n---\n", [(1, 1, "DLM0105", "remove the blanks")]),
    "blank line first": ("\n---\na: 1\n---\n", [(1, 1, "DLM0105", "starts with")]),
    "never closed": ("---\na: 1\n", [(1, 1, "DLM0106", "no line `---` closes")]),
    "only an opener": ("---", [(1, 1, "DLM0106", "closes")]),
    "blank after closer": ("---\na: 1\n--- \n", [(1, 1, "DLM0106", "line 3 has blanks")]),
    "toml never closed": ("+++\na = 1\n---\n", [(1, 1, "DLM0106", "`+++`")]),
    # -- required keys and identity
    "empty frontmatter": (
        "---\n---\n",
        [(1, 1, "DLM0102", "`dlm_id` is missing"), (1, 1, "DLM0102", "`base_model` is missing")],
    ),
    "no id": (bare("base_model: tiny"), [(1, 1, "DLM0102", "`dlm init` makes one")]),
    "no base": (bare(f"dlm_id: {ID}"), [(1, 1, "DLM0102", "`dlm bases`")]),
    "id too short": (bare("dlm_id: 01K9\nbase_model: tiny"), [(2, 9, "DLM0112", "4 characters, not 26")]),
    "id with L": (bare(f"dlm_id: {ID[:-1]}L\nbase_model: tiny"), [(2, 9, "DLM0112", "`L` is not one of")]),
    "id in small letters": (bare(f"dlm_id: {ID.lower()}\nbase_model: tiny"), [(2, 9, "DLM0112", "`k` is not")]),
    "id is a number": (bare("dlm_id: 12345678901234567890123456\nbase_model: tiny"), [(2, 9, "DLM0112", "quotes")]),
    "id is a short number": (bare("dlm_id: 12345\nbase_model: tiny"), [(2, 9, "DLM0112", "text of 26 characters")]),
    "id is a fraction": (bare("dlm_id: 1.5\nbase_model: tiny"), [(2, 9, "DLM0112", "`dlm init` makes one")]),
    "id is a list": (bare("dlm_id: [a]\nbase_model: tiny"), [(2, 9, "DLM0112", "text of 26 characters")]),
    "id is empty": (bare("dlm_id:\nbase_model: tiny"), [(2, 8, "DLM0112", "`dlm init` makes one")]),
    "base is a number": (bare(f"dlm_id: {ID}\nbase_model: 1.5"), [(3, 13, "DLM0104", "put it in quotes")]),
    "base is empty": (bare(f"dlm_id: {ID}\nbase_model: ''"), [(3, 13, "DLM0104", "a base's key")]),
    "base null": (bare(f"dlm_id: {ID}\nbase_model:"), [(3, 12, "DLM0104", "is empty; allowed: text")]),
    "base with slash": (bare(f"dlm_id: {ID}\nbase_model: org/name"), [(3, 13, "DLM0104", "`hf:org/name`")]),
    "hub without org": (bare(f"dlm_id: {ID}\nbase_model: hf:name"), [(3, 13, "DLM0104", "`hf:org/name@revision`")]),
    # -- versions
    "newer version": (f"---\ndlm_version: 16\nnonsense: 1\n---\n{QA}", [(2, 14, "DLM0111", "pip install --upgrade")]),
    "version zero": (
        bare(f"dlm_id: {ID}\nbase_model: tiny\ndlm_version: 0"),
        [(4, 14, "DLM0104", "a whole number from 1 to 15")],
    ),
    "version negative": (bare(f"dlm_id: {ID}\nbase_model: tiny\ndlm_version: -3"), [(4, 14, "DLM0104", "`-3`")]),
    "version is text": (bare(f"dlm_id: {ID}\nbase_model: tiny\ndlm_version: '15'"), [(4, 14, "DLM0104", "whole")]),
    "version is true": (bare(f"dlm_id: {ID}\nbase_model: tiny\ndlm_version: true"), [(4, 14, "DLM0104", "whole")]),
    "old and new key": (
        bare(f"dlm_id: {ID}\nbase_model: tiny\ntraining:\n  preference: {{}}\n  dpo: {{}}"),
        [(6, 3, "DLM0115", "keep `training.preference`")],
    ),
    "moved value": (
        bare(f"dlm_id: {ID}\nbase_model: tiny\ntraining:\n  dpo:\n    beta: 7"),
        [(6, 11, "DLM0104", "(written as `training.dpo.beta`) is 7; allowed: a number from 0 to 1")],
    ),
    # -- unknown and duplicate keys
    "unknown key": (front("colour: red"), [(5, 1, "DLM0101", "unknown key `colour`")]),
    "misspelt key": (training("lora_rr: 8"), [(6, 3, "DLM0101", "did you mean `lora_r`?")]),
    "key in the wrong case": (training("Lora_R: 8"), [(6, 3, "DLM0101", "did you mean `lora_r`?")]),
    "key one block too high": (front("lora_r: 8"), [(5, 1, "DLM0101", "did you mean `training.lora_r`?")]),
    "key one block too low": (training("system_prompt: x"), [(6, 3, "DLM0101", "did you mean `system_prompt`?")]),
    "unknown key in a list": (
        training("sources:\n  - path: a\n    inclde: []"),
        [(8, 7, "DLM0101", "did you mean `include`?")],
    ),
    "unknown key in an adapter": (
        training("adapters:\n  tone:\n    lora: 3"),
        [(8, 7, "DLM0101", "unknown key `training.adapters.tone.lora`")],
    ),
    "unknown key in a mixed block": (front("export: {default_qant: Q8_0}"), [(5, 10, "DLM0101", "`default_quant`?")]),
    "duplicate key": (front("base_model: other"), [(5, 1, "DLM0103", "first set at 4:1")]),
    "duplicate nested": (training("lora_r: 1\nlora_r: 2"), [(7, 3, "DLM0103", "first set at 6:3")]),
    "duplicate quoted": (training("lora_r: 1\n'lora_r': 2"), [(7, 3, "DLM0103", "first set at 6:3")]),
    # -- values
    "choice": (training("adapter: lroa"), [(6, 12, "DLM0104", "did you mean `lora`?")]),
    "choice in capitals": (training("precision: BF16"), [(6, 14, "DLM0104", "did you mean `bf16`?")]),
    "below range": (training("lora_r: 0"), [(6, 11, "DLM0104", "is 0; allowed: a whole number from 1 to 256")]),
    "above range": (training("lora_r: 257"), [(6, 11, "DLM0104", "from 1 to 256")]),
    "at least": (training("lora_alpha: 0"), [(6, 15, "DLM0104", "a whole number of at least 1")]),
    "dropout": (training("lora_dropout: 0.6"), [(6, 17, "DLM0104", "a number from 0 to 0.5")]),
    "sequence_len short": (training("sequence_len: 63"), [(6, 17, "DLM0104", "64 to 32768")]),
    "sequence_len long": (training("sequence_len: 32769"), [(6, 17, "DLM0104", "64 to 32768")]),
    "micro batch": (training("micro_batch_size: many"), [(6, 21, "DLM0104", "`auto` or a whole number of at least 1")]),
    "grad_accum zero": (training("grad_accum: 0"), [(6, 15, "DLM0104", "is 0; allowed: `auto` or a whole")]),
    "learning rate zero": (training("learning_rate: 0"), [(6, 18, "DLM0104", "a number above 0")]),
    "learning rate text": (training("learning_rate: '2e-4'"), [(6, 18, "DLM0104", 'the text "2e-4"')]),
    "learning rate infinite": (training("learning_rate: .inf"), [(6, 18, "DLM0104", "finite")]),
    "learning rate nan": (training("learning_rate: .NaN"), [(6, 18, "DLM0104", "finite")]),
    "learning rate overflow": (training("learning_rate: 1e999"), [(6, 18, "DLM0104", "finite")]),
    "epochs float": (training("num_epochs: 1.5"), [(6, 15, "DLM0104", "is 1.5; allowed: a whole number")]),
    "epochs bool": (training("num_epochs: true"), [(6, 15, "DLM0104", "is true; allowed: a whole number")]),
    "optimizer": (training("optimizer: adamw"), [(6, 14, "DLM0104", "`galore_adamw_8bit`")]),
    "scheduler no": (training("lr_scheduler: no"), [(6, 17, "DLM0104", 'the text "no"')]),
    "warmup": (training("warmup_ratio: 0.51"), [(6, 17, "DLM0104", "from 0 to 0.5")]),
    "seed text": (training("seed: x"), [(6, 9, "DLM0104", "a whole number")]),
    "seed huge": (training("seed: 99999999999999999999999"), [(6, 9, "DLM0104", "a whole number from")]),
    "seed of 5000 digits": (training("seed: " + "9" * 5000), [(6, 9, "DLM0104", "finite")]),
    "target modules": (training("target_modules: all"), [(6, 19, "DLM0104", "`auto` or a list of text")]),
    "target modules empty": (training("target_modules: []"), [(6, 19, "DLM0104", "a list of text")]),
    "target module number": (training("target_modules: [q_proj, 3]"), [(6, 28, "DLM0104", "quotes")]),
    "null block": (front("training:"), [(5, 10, "DLM0104", "leave the block out")]),
    "block is a list": (front("training: [1]"), [(5, 11, "DLM0104", "a block of keys")]),
    "date stays text": (training("seed: 2026-01-01"), [(6, 9, "DLM0104", 'the text "2026-01-01"')]),
    "system prompt number": (front("system_prompt: 3"), [(5, 16, "DLM0104", "quotes")]),
    "source without path": (
        training("sources:\n  - include: ['*']"),
        [(7, 7, "DLM0102", "sources.0.path` is missing")],
    ),
    "source path empty": (training("sources:\n  - path: ''"), [(7, 13, "DLM0104", "allowed: ")]),
    "source max_files": (training("sources: [{path: a, max_files: 0}]"), [(6, 34, "DLM0104", "at least 1")]),
    "sources is text": (training("sources: src"), [(6, 12, "DLM0104", "a list")]),
    "sources_policy": (training("sources_policy: lax"), [(6, 19, "DLM0104", "`permissive`, `strict`")]),
    "cache": (training("cache: {max_bytes: 0}"), [(6, 22, "DLM0104", "at least 1")]),
    "cache enabled yes": (training("cache: {enabled: yes}"), [(6, 20, "DLM0104", "true or false")]),
    "temperature zero": (front("export: {default_temperature: 0}"), [(5, 31, "DLM0104", "above 0 and up to 2")]),
    "top_p": (front("export: {default_top_p: 1.1}"), [(5, 25, "DLM0104", "above 0 and up to 1")]),
    "plugin value": (front("export: {default_quant: q8_0}"), [(5, 25, "DLM0104", "did you mean `Q8_0`?")]),
    "plugin rule": (
        training("preference:\n  enabled: true\n  reference: base"),
        [(8, 5, "DLM0116", "no reference here")],
    ),
    # -- adapters
    "no adapters": (training("adapters: {}"), [(6, 3, "DLM0114", "leave it out")]),
    "adapter name": (training("adapters: {Tone: {}}"), [(6, 14, "DLM0104", "`Tone` is not allowed as a name")]),
    "adapter name long": (training("adapters: {" + "a" * 33 + ": {}}"), [(6, 14, "DLM0104", "{0,31}")]),
    "adapter value": (training("adapters: {tone: {lora_r: 0}}"), [(6, 29, "DLM0104", "from 1 to 256")]),
    "adapter null": (training("adapters: {tone: }"), [(6, 20, "DLM0104", "is empty")]),
    "flat beside adapters": (
        training("lora_r: 4\nlearning_rate: 1e-3\nlora_alpha: 16\nadapters: {tone: {}}"),
        [(6, 3, "DLM0113", "`training.lora_r` = 4, `training.learning_rate` = 0.001")],
    ),
    # -- YAML
    "yaml colon": (front("system_prompt: a: b"), [(5, 17, "DLM0107", "in quotes")]),
    "yaml quote": (front("system_prompt: 'abc"), [(5, 16, "DLM0107", "not valid YAML")]),
    "yaml bracket": (training("target_modules: [a, b"), [(6, 19, "DLM0107", "not valid YAML")]),
    "yaml tab": (front("training:\n\tlora_r: 3"), [(6, 1, "DLM0107", "indent with spaces")]),
    "yaml list": ("---\n- a\n---\n", [(2, 1, "DLM0107", "`key: value` lines")]),
    "yaml text": ("---\nhello\n---\n", [(2, 1, "DLM0107", "`key: value` lines")]),
    "yaml anchor": (training("lora_r: &x 3"), [(6, 11, "DLM0108", "the anchor `&x`")]),
    "yaml alias": (
        training("lora_r: &x 3\nlora_alpha: *x"),
        [(6, 11, "DLM0108", "anchor"), (7, 15, "DLM0108", "the alias `*x`")],
    ),
    "yaml merge": (training("<<: {lora_r: 3}"), [(6, 3, "DLM0108", "the merge key `<<`")]),
    "yaml tag": (training("lora_r: !!int 3"), [(6, 11, "DLM0108", "the tag")]),
    "yaml python tag": (front("x: !!python/object:os.system {}"), [(5, 4, "DLM0108", "the tag")]),
    "yaml complex key": (front("? [a]\n: 1"), [(5, 3, "DLM0108", "a key that is not text")]),
    "yaml directive": ("---\n%YAML 1.1\n--- {a: 1}\n---\n", [(2, 1, "DLM0108", "directive")]),
    "yaml second document": (front("...\n--- {a: 1}"), [(6, 1, "DLM0108", "second YAML document")]),
    "yaml depth": (front("x: " + "[" * 25 + "]" * 25), [(5, 23, "DLM0109", "deeper than 20")]),
    "yaml nodes": (front("x: [" + "1," * 20_001 + "]"), [(5, 39_987, "DLM0109", "over 20,000 nodes")]),
    "frontmatter size": (front("system_prompt: " + "a" * (1 << 20)), [(1, 1, "DLM0109", "1,048,576 bytes")]),
    "control character": (front("system_prompt: a\x07b"), [(5, 17, "DLM0110", "U+0007")]),
    "line separator": (front("system_prompt: a\u2028b"), [(5, 17, "DLM0110", "U+2028")]),
    "escaped NUL": (front('system_prompt: "a\\0b"'), [(5, 16, "DLM0110", "U+0000")]),
    # -- TOML
    "toml syntax": ("+++\nbase_model = \n+++\n", [(2, 14, "DLM0107", "not valid TOML")]),
    "toml unknown": (
        f'+++\ndlm_id = "{ID}"\nbase_model = "tiny"\n[training]\nlora_r = 8\nlora_rr = 3\n+++\n',
        [(6, 1, "DLM0101", "did you mean `lora_r`?")],
    ),
    "toml value": (
        f'+++\ndlm_id = "{ID}"\nbase_model = "tiny"\ntraining.cache = {{ enabled = true, max_bytes = 0 }}\n+++\n',
        [(4, 48, "DLM0104", "at least 1")],
    ),
    "toml table": (
        f'+++\ndlm_id = "{ID}"\nbase_model = "tiny"\n[[training.sources]]\npath = "a"\n'
        "[[training.sources]]\nx = 1\n+++\n",
        [(6, 12, "DLM0102", "training.sources.1.path"), (7, 1, "DLM0101", "training.sources.1.x")],
    ),
    "toml date": (
        f'+++\ndlm_id = "{ID}"\nbase_model = "tiny"\nsystem_prompt = 2026-01-01\n+++\n',
        [(4, 17, "DLM0104", "in quotes")],
    ),
    "toml duplicate": (f'+++\ndlm_id = "{ID}"\ndlm_id = "x"\n+++\n', [(3, 13, "DLM0107", "overwrite")]),
    "toml depth": ("+++\nx = " + "[" * 25 + "]" * 25 + "\n+++\n", [(1, 1, "DLM0109", "deeper than 20")]),
    # -- bytes and body
    "NUL in the body": (body("one\ntw\0o\n\0"), [(7, 3, "DLM0212", "and 1 more")]),
    "unknown section": (body("::instruct::\nx\n"), [(6, 3, "DLM0201", "did you mean `::instruction::`?")]),
    "empty section": (body("::instruction::\n\n  \n::prose::\nx\n"), [(6, 1, "DLM0202", "nothing under it")]),
    "empty section at the end": (body("a\n::picky::"), [(7, 1, "DLM0202", "nothing under it")]),
    "text where none may be": (body("::break::\n\nx\n"), [(8, 1, "DLM0209", "takes no text")]),
    "open code block": (body("a\n```python\n::x::\n"), [(7, 1, "DLM0204", "never closed")]),
    "open tilde block": (body("~~~\n```\n"), [(6, 1, "DLM0204", "`~~~`")]),
    "code block closed too short": (body("````\n```\n"), [(6, 1, "DLM0204", "never closed")]),
    "unknown attribute": (body('::picky colour="red"::\nx\n'), [(6, 9, "DLM0205", "no attribute `colour`")]),
    "misspelt attribute": (
        body('::picture pth="a"::\n'),
        [(6, 11, "DLM0205", "did you mean `path`?")],
    ),
    "repeated attribute": (
        body('::picture path="/dev/null" alt="a" alt="b"::\n'),
        [(6, 1, "DLM0215", ""), (6, 36, "DLM0207", "`alt`")],
    ),
    "empty attribute": (body('::picture path=" "::\n'), [(6, 1, "DLM0206", "empty attribute")]),
    "missing media file": (body('::picture path="no/such.png"::\n'), [(6, 1, "DLM0215", "no such file")]),
    "adapter without a table": (body(QA.replace("tion", "tion#tone")), [(6, 15, "DLM0208", "this document has one")]),
    "undeclared adapter": (
        WITH_ADAPTERS + QA.replace("tion", "tion#tome") + "::prose#xyz::\nx\n",
        [(10, 15, "DLM0208", "did you mean `#tone`?"), (15, 9, "DLM0208", "declared: tone, facts")],
    ),
    # -- markers
    "marker on prose": (body(f"<!-- dlm-auto-synth: {SYNTH} -->\nx\n"), [(6, 1, "DLM0211", "does not belong")]),
    "marker on the wrong type": (
        mined(MINED).replace("picky", "instruction"),
        [(6 + 1, 1, "DLM0211", ""), (8, 1, "DLM0221", "")],
    ),
    "marker key missing": (
        synth(SYNTH.replace('synth_teacher="t" ', "")),
        [(7, 1, "DLM0210", "`synth_teacher` is missing")],
    ),
    "marker key unknown": (synth(SYNTH + ' x="1"'), [(7, 1, "DLM0210", "unknown key `x`")]),
    "marker key repeated": (synth(SYNTH + ' synth_teacher="u"'), [(7, 1, "DLM0210", "`synth_teacher` is repeated")]),
    "marker value empty": (synth(SYNTH.replace('"t"', '""')), [(7, 1, "DLM0210", "must not be empty")]),
    "marker time": (synth(SYNTH.replace("T18", " at 18")), [(7, 1, "DLM0210", "ISO 8601")]),
    "marker id": (synth(SYNTH.replace("abcdef", "ABCDEF")), [(7, 1, "DLM0210", "16 lowercase hex")]),
    "marker junk": (synth(SYNTH + " junk"), [(7, 1, "DLM0210", "only key=")]),
    "marker open": (synth(SYNTH).replace(" -->", ""), [(7, 1, "DLM0210", "not closed"), (7, 1, "DLM0221", "")]),
    "marker score": (mined(MINED.replace("0.82", "inf")), [(7, 1, "DLM0210", "`judge_score_chosen` must be a finite")]),
    "marker score text": (mined(MINED.replace("0.31", "low")), [(7, 1, "DLM0210", "`judge_score_rejected` must")]),
    "marker run": (mined(MINED.replace('"7"', '"0"')), [(7, 1, "DLM0210", "from 1 on")]),
    "marker run text": (mined(MINED.replace('"7"', '"x"')), [(7, 1, "DLM0210", "from 1 on")]),
    "harvest source": (
        mined(MINED).replace(f"dlm-auto-mined: {MINED}", 'dlm-auto-harvest: x="1"'),
        [(7, 1, "DLM0210", ""), (7, 1, "DLM0210", "`source` is missing")],
    ),
}
