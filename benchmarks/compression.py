"""Compressed sizes and times of files: recurra without a model, recurra with a model, gzip, bzip2 and xz.

    python benchmarks/compression.py book.txt other.txt
    python benchmarks/compression.py book.txt --model runs/book --bytes 200000

Without a file, the benchmark uses the beginning of the King James Bible. Each decompressed file must equal its source.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import json
import lzma
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import recurra
from recurra.compression import adaptive_compression, model_codec
from recurra.text.reading import read

Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]  # compress, decompress
BOOK_CHARACTERS = 1 << 18
XZ = 9 | lzma.PRESET_EXTREME
STANDARD: dict[str, Codec] = {
    "gzip -9": (lambda data: gzip.compress(data, 9, mtime=0), gzip.decompress),
    "bzip2 -9": (lambda data: bz2.compress(data, 9), bz2.decompress),
    "xz -9e": (lambda data: lzma.compress(data, preset=XZ), lzma.decompress),
}


def on_bytes(work: Callable[..., Any], *arguments: Any) -> Callable[[bytes], bytes]:
    """Convert `work`, which reads and writes files after its `arguments`, to a function from bytes to bytes."""

    def call(data: bytes) -> bytes:
        target = io.BytesIO()
        work(*arguments, io.BytesIO(data), target)
        return target.getvalue()

    return call


def measure(name: str, data: bytes, codec: Codec) -> dict[str, Any]:
    """Return the compressed size and both times in seconds; AssertionError if the decompressed data differ."""
    compress, decompress = codec
    started = time.perf_counter()
    small = compress(data)
    half = time.perf_counter()
    if decompress(small) != data:
        raise AssertionError(f"{name}: the decompressed data differ from the original.")
    return {
        "by": name,
        "bytes": len(small),
        "bits_per_byte": 8 * len(small) / max(len(data), 1),
        "compress_seconds": half - started,
        "decompress_seconds": time.perf_counter() - half,
    }


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--model", help="run directory or checkpoint of a model to compress with")
    parser.add_argument(
        "--bytes", type=int, help="compress only this number of bytes from the end, which the model may not have seen"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ours: dict[str, Codec] = {
        "recurra --adaptive": (on_bytes(adaptive_compression.compress), on_bytes(adaptive_compression.decompress))
    }
    if options.model:
        model = recurra.load(options.model)
        ours["recurra MODEL"] = on_bytes(model_codec.compress, model), on_bytes(model_codec.decompress, model)
    for compress, decompress in ours.values():
        decompress(compress(b"compile the kernels before the first timing. " * 4))
    rows = []
    book = {"kjv": read("kjv").part(0, BOOK_CHARACTERS).encode()} if not options.files else {}
    texts = book or {path.name: path.read_bytes() for path in options.files}
    for file, content in texts.items():
        data = content[-options.bytes if options.bytes else None :]
        for name, codec in (ours | STANDARD).items():
            rows.append({"file": file, "of": len(data)} | measure(name, data, codec))
            if not options.json:
                row = rows[-1]
                print(
                    f"{file[:28]:28}  {len(data):>10,}  {name:18}  {row['bytes']:>10,}  "
                    f"{row['bits_per_byte']:5.3f} bits a byte  {row['compress_seconds']:6.1f} s  "
                    f"{row['decompress_seconds']:6.1f} s back",
                    flush=True,
                )
    if options.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
