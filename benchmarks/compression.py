"""Compressed sizes and times of files: without a model, by a model, and by the compressors that everyone has.

    python benchmarks/compression.py book.txt other.txt
    python benchmarks/compression.py book.txt --model runs/book --bytes 200000

Without a file: the beginning of the King James Bible. What is decompressed is compared with the file: a line is only
printed where all bytes came back.
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

Both = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]
BEGINNING = 1 << 18  # characters of the book
XZ = 9 | lzma.PRESET_EXTREME
EVERYONE: dict[str, Both] = {
    "gzip -9": (lambda data: gzip.compress(data, 9, mtime=0), gzip.decompress),
    "bzip2 -9": (lambda data: bz2.compress(data, 9), bz2.decompress),
    "xz -9e": (lambda data: lzma.compress(data, preset=XZ), lzma.decompress),
}


def through(work: Callable[..., Any], *before: Any) -> Callable[[bytes], bytes]:
    """`work(*before, source, target)` as a function of bytes."""

    def call(data: bytes) -> bytes:
        target = io.BytesIO()
        work(*before, io.BytesIO(data), target)
        return target.getvalue()

    return call


def measure(name: str, data: bytes, both: Both) -> dict[str, Any]:
    """Size, and seconds there and back; AssertionError where another text comes back."""
    started = time.perf_counter()
    small = both[0](data)
    half = time.perf_counter()
    if both[1](small) != data:
        raise AssertionError(f"{name}: another text came back.")
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
    parser.add_argument("--model", help="a run's folder or a checkpoint, to compress with, too")
    parser.add_argument(
        "--bytes", type=int, help="of the end of each file: of a model's own text, what it has not seen"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ours: dict[str, Both] = {
        "recurra --adaptive": (through(adaptive_compression.compress), through(adaptive_compression.decompress))
    }
    if options.model:
        model = recurra.load(options.model)
        ours["recurra MODEL"] = through(model_codec.compress, model), through(model_codec.decompress, model)
    for both in ours.values():
        both[1](both[0](b"compiled beforehand, so that it is not in the times. " * 4))
    found = []
    book = {"kjv": read("kjv").part(0, BEGINNING).encode()} if not options.files else {}
    texts = book or {path.name: path.read_bytes() for path in options.files}
    for file, content in texts.items():
        data = content[-options.bytes if options.bytes else None :]
        for name, both in (ours | EVERYONE).items():
            found.append({"file": file, "of": len(data)} | measure(name, data, both))
            if not options.json:
                row = found[-1]
                print(
                    f"{file[:28]:28}  {len(data):>10,}  {name:18}  {row['bytes']:>10,}  "
                    f"{row['bits_per_byte']:5.3f} bits a byte  {row['compress_seconds']:6.1f} s  "
                    f"{row['decompress_seconds']:6.1f} s back",
                    flush=True,
                )
    if options.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
