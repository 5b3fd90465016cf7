"""The base models that a document can name by key: a table, and the settings each size is started with.

Every revision is the commit of the model repository that the entry was written against, so a document means the
same weights next year.  An empty revision means that no public commit could be confirmed: the hub's `main` is taken,
and `dlm bases` says so.  Parameters count every weight once; `size` is the download in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dlm_core.api import BaseModel

from .licenses import (
    APACHE,
    GEMMA,
    LLAMA_3_1,
    LLAMA_3_2,
    LLAMA_3_3,
    MIT,
    QWEN_RESEARCH,
)


class Entry(NamedTuple):
    """One row of the table.  `size` is in MB (10^6 bytes), `thinks` marks models that reason before they answer."""

    key: str
    repo: str
    revision: str
    parameters: int
    size: int
    context: int
    family: str
    license: str
    thinks: bool = False


# fmt: off
TABLE: tuple[Entry, ...] = (
    Entry("smollm2-135m", "HuggingFaceTB/SmolLM2-135M-Instruct", "12fd25f77366fa6b3b4b768ec3050bf629380bac",
          134_515_008, 272, 8192, "llama", APACHE),
    Entry("gemma-3-270m-it", "google/gemma-3-270m-it", "ac82b4e820549b854eebf28ce6dedaf9fdfa17b3",
          268_098_176, 570, 32768, "gemma3_text", GEMMA),
    Entry("smollm2-360m", "HuggingFaceTB/SmolLM2-360M-Instruct", "a10cc1512eabd3dde888204e902eca88bddb4951",
          361_821_120, 726, 8192, "llama", APACHE),
    Entry("qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B-Instruct", "7ae557604adf67be50417f59c2c2f167def9a775",
          494_032_768, 999, 32768, "qwen2", APACHE),
    Entry("qwen3-0.6b", "Qwen/Qwen3-0.6B", "c1899de289a04d12100db370d81485cdf75e47ca",
          596_049_920, 1520, 40960, "qwen3", APACHE, True),
    Entry("gemma-3-1b-it", "google/gemma-3-1b-it", "dcc83ea841ab6100d6b47a070329e1ba4cf78752",
          999_885_952, 2040, 32768, "gemma3_text", GEMMA),
    Entry("tinyllama-1.1b", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "fe8a4ea1ffedaf415f4da2f062534de366a451e6",
          1_100_048_384, 2200, 2048, "llama", APACHE),
    Entry("llama-3.2-1b", "meta-llama/Llama-3.2-1B-Instruct", "9213176726f574b556790deb65791e0c5aa438b6",
          1_235_814_400, 2490, 131072, "llama", LLAMA_3_2),
    Entry("olmo-2-1b-instruct", "allenai/OLMo-2-0425-1B-Instruct", "48d788eca847d4d7548f375ad03d3c9312f6139e",
          1_484_916_736, 2980, 4096, "olmo2", APACHE),
    Entry("qwen2.5-1.5b", "Qwen/Qwen2.5-1.5B-Instruct", "989aa7980e4cf806f80c7fef2b1adb7bc71aa306",
          1_543_714_304, 3100, 32768, "qwen2", APACHE),
    Entry("qwen2.5-coder-1.5b", "Qwen/Qwen2.5-Coder-1.5B-Instruct", "2e1fd397ee46e1388853d2af2c993145b0f1098a",
          1_543_714_304, 3100, 32768, "qwen2", APACHE),
    Entry("smollm2-1.7b", "HuggingFaceTB/SmolLM2-1.7B-Instruct", "31b70e2e869a7173562077fd711b654946d38674",
          1_711_376_384, 3430, 8192, "llama", APACHE),
    Entry("qwen3-1.7b", "Qwen/Qwen3-1.7B", "70d244cc86ccca08cf5af4e1e306ecf908b1ad5e",
          1_720_574_976, 4080, 40960, "qwen3", APACHE, True),
    Entry("qwen3-1.7b-thinking", "Qwen/Qwen3-1.7B", "70d244cc86ccca08cf5af4e1e306ecf908b1ad5e",
          1_720_574_976, 4080, 40960, "qwen3", APACHE, True),
    Entry("deepseek-r1-distill-1.5b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
          "ad9f0ae0864d7fbcd1cd905e3c6c5b069cc8b562", 1_777_088_000, 3570, 131072, "qwen2", MIT, True),
    Entry("gemma-2-2b-it", "google/gemma-2-2b-it", "299a8560bedf22ed1c72a8a11e7dce4a7f9f51f8",
          2_614_341_888, 5250, 8192, "gemma2", GEMMA),
    Entry("smollm3-3b", "HuggingFaceTB/SmolLM3-3B", "a07cc9a04f16550a088caea529712d1d335b0ac1",
          3_075_098_624, 6170, 65536, "smollm3", APACHE, True),
    Entry("qwen2.5-3b", "Qwen/Qwen2.5-3B-Instruct", "aa8e72537993ba99e69dfaafa59ed015b17504d1",
          3_085_938_688, 6180, 32768, "qwen2", QWEN_RESEARCH),
    Entry("llama-3.2-3b", "meta-llama/Llama-3.2-3B-Instruct", "0cb88a4f764b7a12671c53f0838cd831a0843b95",
          3_212_749_824, 6440, 131072, "llama", LLAMA_3_2),
    Entry("phi-3.5-mini", "microsoft/Phi-3.5-mini-instruct", "2fe192450127e6a83f7441aef6e3ca586c338b77",
          3_821_079_552, 7650, 131072, "phi3", MIT),
    Entry("phi-4-mini", "microsoft/Phi-4-mini-instruct", "cfbefacb99257ffa30c83adab238a50856ac3083",
          3_836_021_760, 7700, 131072, "phi3", MIT),
    Entry("phi-4-mini-reasoning", "microsoft/Phi-4-mini-reasoning", "0e3b1e2d02ee478a3743abe3f629e9c0cb722e0a",
          3_836_021_760, 7700, 131072, "phi3", MIT, True),
    Entry("qwen3-4b", "Qwen/Qwen3-4B", "1cfa9a7208912126459214e8b04321603b3df60c",
          4_022_468_096, 8060, 40960, "qwen3", APACHE, True),
    Entry("qwen3-4b-2507", "Qwen/Qwen3-4B-Instruct-2507", "cdbee75f17c01a7cc42f958dc650907174af0554",
          4_022_468_096, 8060, 262144, "qwen3", APACHE),
    Entry("mistral-7b-instruct", "mistralai/Mistral-7B-Instruct-v0.3", "c170c708c41dac9275d15a8fff4eca08d52bab71",
          7_248_023_552, 14500, 32768, "mistral", APACHE),
    Entry("olmo-2-7b-instruct", "allenai/OLMo-2-1124-7B-Instruct", "470b1fba1ae01581f270116362ee4aa1b97f4c84",
          7_298_617_344, 14610, 4096, "olmo2", APACHE),
    Entry("qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct", "a09a35458c702b33eeacc393d103063234e8bc28",
          7_615_616_512, 15240, 32768, "qwen2", APACHE),
    Entry("llama-3.1-8b", "meta-llama/Llama-3.1-8B-Instruct", "0e9e39f249a16976918f6564b8830bc894c89659",
          8_030_261_248, 16070, 131072, "llama", LLAMA_3_1),
    Entry("llama-3.3-8b-instruct", "meta-llama/Llama-3.3-8B-Instruct", "",
          8_030_261_248, 16070, 8192, "llama", LLAMA_3_3),
    Entry("qwen3-8b", "Qwen/Qwen3-8B", "b968826d9c46dd6066d109eabc6255188de91218",
          8_190_735_360, 16390, 40960, "qwen3", APACHE, True),
    Entry("gemma-2-9b-it", "google/gemma-2-9b-it", "11c9b309abf73637e4b6f9a3fa1e92e615547819",
          9_241_705_984, 18510, 8192, "gemma2", GEMMA),
    Entry("phi-4", "microsoft/phi-4", "2db69c1c3e91a05d2c64a3185acfbaf36f744e25",
          14_659_507_200, 29330, 16384, "phi3", MIT),
    Entry("qwen3-14b", "Qwen/Qwen3-14B", "40c069824f4251a91eefaf281ebe4c544efd3e18",
          14_768_307_200, 29550, 40960, "qwen3", APACHE, True),
    Entry("qwen2.5-14b", "Qwen/Qwen2.5-14B-Instruct", "cf98f3b3bbb457ad9e2bb7baf9a0125b6b88caa8",
          14_770_033_664, 29560, 32768, "qwen2", APACHE),
    Entry("mixtral-8x7b-instruct", "mistralai/Mixtral-8x7B-Instruct-v0.1",
          "41bd4c9e7e4fb318ca40e721131d4933966c2cc1", 46_702_792_704, 93410, 32768, "mixtral", APACHE),
)
# fmt: on

_GATED = frozenset({GEMMA, LLAMA_3_1, LLAMA_3_2, LLAMA_3_3})


def known_bases() -> list[BaseModel]:
    """Every entry of the table as a base model, smallest first."""
    return [
        BaseModel(
            key=entry.key,
            location=f"hub:{entry.repo}",
            revision=entry.revision,
            parameters=entry.parameters,
            context=entry.context,
            size=entry.size * 10**6,
            family=entry.family,
            license=entry.license,
            gated=entry.license in _GATED,
            summary=_summary(entry),
            recommended=recommended(entry.parameters, entry.context, entry.thinks),
        )
        for entry in TABLE
    ]


def recommended(parameters: int, context: int, thinks: bool = False) -> Mapping[str, Any]:
    """Frontmatter values to start from: the smaller the model, the higher its learning rate and the more epochs.

    The rates follow from the embedded base, whose best is 5e-3 at 4.5 M parameters, and the schema's 2e-4 for
    models of several billions; what lies between is interpolated and not measured.
    """
    rate, epochs = next(
        (rate, epochs)
        for limit, rate, epochs in ((2e8, 2e-3, 12), (8e8, 1e-3, 10), (3e9, 5e-4, 8), (1e10, 2e-4, 6), (1e99, 1e-4, 5))
        if parameters < limit
    )
    values: dict[str, Any] = {
        "training.lora_r": 16,
        "training.lora_alpha": 32,
        "training.lora_dropout": 0,
        "training.learning_rate": rate,
        "training.num_epochs": epochs,
        "training.sequence_len": min(2048, context),
    }
    if thinks:
        values["export.default_temperature"] = 0.6
    return values


def _summary(entry: Entry) -> str:
    words = [entry.repo]
    if entry.thinks:
        words.append("reasons before it answers")
    if not entry.revision:
        words.append("not pinned: the hub's main branch")
    return "; ".join(words)
