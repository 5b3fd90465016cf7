"""LAUNCH.md beside a merged model that takes files: how to load it and ask it about one, without this program."""

from __future__ import annotations

from dlm_core.api import ExportJob

_PAGE = """# {name}

The whole model: the base `{base}` with version {version} of `{name}.dlm` merged into it. It needs no more than
transformers and what it opens files with. Save this as `ask.py` here, and ask about a file ({kinds}):

```python
import sys

from transformers import AutoModelForMultimodalLM, AutoProcessor

kind, path, question = sys.argv[1:]
processor = AutoProcessor.from_pretrained(".")
model = AutoModelForMultimodalLM.from_pretrained(".")
content = [{{"type": kind, "path": path}}, {{"type": "text", "text": question}}]
inputs = processor.apply_chat_template(
    [{{"role": "user", "content": content}}],
    add_generation_prompt=True,
    tokenize=True,
    return_dict=True,
    return_tensors="pt",
)
tokens = model.generate(**inputs, max_new_tokens=128, do_sample=False)
print(processor.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip())
```

```text
python ask.py {kind} FILE "{question}"
```
"""


def launch_page(job: ExportJob) -> str | None:
    """The page, with a question of the document; None for a base that only reads."""
    kinds = sorted(job.base.model.accepts)
    if not kinds:
        return None
    asked = next((row for row in job.rows if row.media and row.question), None)
    kind = asked.media[0].kind if asked else kinds[0]
    question = asked.question[-1].text.strip() if asked and asked.question else "What is this?"
    return _PAGE.format(
        name=job.name,
        base=job.base.model.key,
        version=job.version,
        kinds=", ".join(kinds),
        kind=kind,
        question=question.replace('"', "'"),
    )
