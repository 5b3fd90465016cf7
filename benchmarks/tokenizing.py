"""CPU time to make token ids of rows: with nothing kept, with an empty cache and with a full one, beside another cache.

`python benchmarks/tokenizing.py --peer PYTHON`: PYTHON is an interpreter that has document-language-model 0.10.0; its
package runs in a process of its own with our interpreter and libraries, on the same rows and the same tokenizer, which
is trained here.  Every figure is a median over runs taken in turn; quote the ratios.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from dlm_core.api import Row, Span, text_row
from dlm_core.cache import CacheSettings, RowCache
from dlm_hf.tokens import Coder, Example, all_examples, load_coder

EOS = "<|endoftext|>"
LENGTH = 2048

PEER = """
import json, shutil, sys, time
from pathlib import Path
sys.path.append(sys.argv[1])
folder = Path(sys.argv[2])
from transformers import PreTrainedTokenizerFast
import dlm, types
# The package imports everything that trains; of it we want one module, which needs none of that.
train = sys.modules["dlm.train"] = types.ModuleType("dlm.train")
train.__path__ = [str(Path(dlm.__file__).parent / "train")]
from dlm.directives.cache import TokenizedCache
from dlm.directives.cache_key import tokenizer_sha256
from dlm.train.tokenization import pretokenize_rows
tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), eos_token=sys.argv[3])
texts = json.loads((folder / "texts.json").read_text())
rows = [{"text": text, "_dlm_section_id": f"{place:016x}"} for place, text in enumerate(texts)]
tokenizer_sha256(tokenizer)
kept = folder / "peer"
for line in sys.stdin:
    what = line.strip()
    if what == "cold":
        shutil.rmtree(kept, ignore_errors=True)
    start = time.process_time()
    cache = None if what == "plain" else TokenizedCache.open(kept)
    out, stats = pretokenize_rows(rows, tokenizer=tokenizer, sequence_len=2048, cache=cache)
    if cache:
        cache.save_manifest(tokenizer_sha=tokenizer_sha256(tokenizer))
    seconds = time.process_time() - start
    ids = sum(sum(row["input_ids"]) for row in out)
    print(json.dumps([seconds, stats.cache_hits, ids]), flush=True)
"""


class Peer:
    """The other cache in a process of its own, asked for one measurement at a time."""

    def __init__(self, python: str, folder: Path) -> None:
        where = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", PEER, where.stdout.strip(), str(folder), EOS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, what: str, hits: int, ids: int) -> float:
        """CPU seconds; refuses when it found other rows in its cache or other ids than ours."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        seconds, found, total = json.loads(self.process.stdout.readline())
        assert (found, total) == (hits, ids), (what, found, hits, total, ids)
        return float(seconds)


def read_texts(rows: int, size: int) -> list[str]:
    """Texts of `size` characters from the standard library's sources, each another."""
    whole = "".join(
        path.read_text(encoding="utf-8", errors="ignore")
        for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    )
    return [whole[place * size : (place + 1) * size] for place in range(rows)]


def train_tokenizer(folder: Path, texts: list[str], vocabulary: int) -> None:
    """A byte-level BPE with a base's files around it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=[EOS], show_progress=False)
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": EOS}))


class Ours:
    """Our own measurements.  Rows come with their hashes, as the peer's come with the ids of their sections."""

    def __init__(self, folder: Path, texts: list[str]) -> None:
        self.coder: Coder = load_coder(folder)
        self.texts, self.kept = texts, folder / "ours"
        self.ids = sum(sum(one.ids) for one in all_examples(self.coder, self.rows(), None, LENGTH))

    def rows(self) -> list[Row]:
        return [text_row(text, Span(1)) for text in self.texts]

    def floor(self) -> float:
        """The tokenizer alone."""
        start = time.process_time()
        for encoding in self.coder.tokenizer.encode_batch(self.texts, add_special_tokens=False):
            assert encoding.ids  # a copy into Python, which everybody needs
        return time.process_time() - start

    def plain(self) -> float:
        return self.timed(None, 0)

    def cold(self) -> float:
        shutil.rmtree(self.kept, ignore_errors=True)
        return self.timed(self.cache(), 0)

    def warm(self) -> float:
        return self.timed(self.cache(), len(self.texts))

    def cache(self) -> RowCache:
        return RowCache(CacheSettings(), self.kept / "tokens.sqlite")

    def timed(self, cache: RowCache | None, hits: int) -> float:
        rows = self.rows()
        assert all(row.hash for row in rows)
        start = time.process_time()
        found: list[Example] = all_examples(self.coder, rows, None, LENGTH, cache=cache)
        seconds = time.process_time() - start
        assert sum(sum(one.ids) for one in found) == self.ids
        assert cache is None or cache.hits == hits
        return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter that has the other package")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--size", type=int, default=1000, help="characters of a row")
    parser.add_argument("--vocabulary", type=int, default=16_000)
    options = parser.parse_args()
    texts = read_texts(options.rows, options.size)
    size = sum(len(text.encode()) for text in texts) / 1e6
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train_tokenizer(folder, texts, options.vocabulary)
        (folder / "texts.json").write_text(json.dumps(texts))
        ours = Ours(folder, texts)
        measures: dict[str, Callable[[], float]] = {
            "floor: the tokenizer alone, in one batch": ours.floor,
            "ours, nothing kept": ours.plain,
            "ours, cold": ours.cold,
            "ours, warm": ours.warm,
        }
        if options.peer:
            peer = Peer(options.peer, folder)
            measures |= {
                "peer, no cache": lambda: peer.seconds("plain", 0, ours.ids),
                "peer, cold": lambda: peer.seconds("cold", 0, ours.ids),
                "peer, warm": lambda: peer.seconds("warm", len(texts), ours.ids),
            }
        seconds: dict[str, list[float]] = {name: [] for name in measures}
        for turn in range(options.runs + 1):
            for name, measure in measures.items():
                took = measure()
                if turn:  # the first round warms up
                    seconds[name].append(took)
        if options.peer:
            peer.process.communicate()
    print(f"{len(texts):,} rows of {options.size:,} characters, {size:.2f} MB, vocabulary {options.vocabulary:,}")
    for name, took in seconds.items():
        print(f"  {name:<42} {size / statistics.median(took):8.2f} MB a CPU-second")
    if options.peer:
        for state in ("cold", "warm"):
            pairs = zip(seconds[f"peer, {state}"], seconds[f"ours, {state}"], strict=True)
            ratios = sorted(theirs / mine for theirs, mine in pairs)
            least, most = ratios[0], ratios[-1]
            print(f"  {state}: ours is {statistics.median(ratios):.1f} times as fast ({least:.1f} to {most:.1f})")


if __name__ == "__main__":
    main()
