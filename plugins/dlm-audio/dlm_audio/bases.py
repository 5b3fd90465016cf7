"""Open bases that hear, by key.  Each revision is the commit that the entry was written against."""

from __future__ import annotations

from dlm_core.api import BaseModel

HEARING = (
    BaseModel(
        key="qwen2-audio-7b",
        location="hub:Qwen/Qwen2-Audio-7B-Instruct",
        revision="4b3a56c368586e930abd8e7379503db69d593609",
        parameters=8_397_094_912,
        context=8192,
        size=16_800_000_000,
        family="qwen2_audio",
        license="Apache-2.0",
        summary="Hears speech, sounds and music of up to 30 seconds.",
        accepts={"audio": {"rate": 16_000, "least": 0.1, "most": 30}},
    ),
)
