"""The models and the text of the compressed streams in tests/golden.

    python tests/helpers/golden_streams.py lstm adaptive    decompress the streams, and compress the text again
    python tests/helpers/golden_streams.py --one-core lstm  the same with one thread
    python tests/helpers/golden_streams.py --brief lstm     print the digest of the stream of a short text
    python tests/helpers/golden_streams.py write            write new streams, only for a new version of the format

`test_golden.py` runs this program.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
from pathlib import Path

from recurra.compression import adaptive_compression, model_codec
from recurra.config import ModelConfig
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary

FOLDER = Path(__file__).parents[1] / "golden"
TEXT = b"in the beginning was the word, and so on. " * 16 + "déjà vu – 中\r\n".encode() + b"\xff\x00\xe4\xb8"
BRIEF = TEXT[:40] + TEXT[-16:]  # for kernels without the JIT, which are a thousand times slower
NETWORKS = {
    "elman": ModelConfig(hidden_size=9),
    "lstm": ModelConfig(cell="lstm", layers=2, hidden_size=9),
    "gru": ModelConfig(cell="gru", hidden_size=9),
}
SMALL = ModelConfig(cell="lstm", hidden_size=10)  # hidden units of the adaptive network, fewer than the default


def model(name: str) -> LanguageModel:
    vocabulary = Vocabulary.bytes() if name == "elman" else Vocabulary.of("\n abcdefghijklmnopqrstuvwxyz.,é–")
    parameters = initialize(NETWORKS[name], len(vocabulary), seed=1, scale=0.5)
    parameters["c"][vocabulary.encode(" aeinot")] += 3
    return LanguageModel(NETWORKS[name], vocabulary, parameters)


def compressed(name: str, text: bytes) -> bytes:
    target = io.BytesIO()
    if name in NETWORKS:
        model_codec.compress(model(name), io.BytesIO(text), target)
    else:
        adaptive_compression.compress(io.BytesIO(text), target)
    return target.getvalue()


def decompressed(name: str, data: bytes) -> bytes:
    target = io.BytesIO()
    if name in NETWORKS:
        model_codec.decompress(model(name), io.BytesIO(data), target)
    else:
        adaptive_compression.decompress(io.BytesIO(data), target)
    return target.getvalue()


def main() -> None:
    adaptive_compression.ADAPTIVE_MODEL = SMALL
    option, names = sys.argv[1], [word for word in sys.argv[1:] if not word.startswith("--")]
    if option == "--one-core":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if names == ["write"]:
        for name in [*NETWORKS, "adaptive"]:
            (FOLDER / f"{name}.rcra").write_bytes(compressed(name, TEXT))
        return
    for name in names:
        if option != "--brief":
            data = (FOLDER / f"{name}.rcra").read_bytes()
            assert len(data) < len(TEXT), name
            assert decompressed(name, data) == TEXT, name
            assert compressed(name, TEXT) == data, name
        data = compressed(name, BRIEF)
        assert decompressed(name, data) == BRIEF, name
        print(name, hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    main()
