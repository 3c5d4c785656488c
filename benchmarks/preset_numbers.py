"""Held-out loss, time and speed of each preset on each text, next to n-grams and compressors, as Markdown tables.

    python benchmarks/preset_numbers.py                          presets classic and small on the included books
    python benchmarks/preset_numbers.py book.txt --presets small medium -o docs/numbers-table.md

Every training runs COMMAND in a temporary folder. The time includes updates and evaluations, without the gradient proof
and the report.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import recurra
from host_processor import processor

BOOKS = ["kjv", "python-docs"]
PRESETS = ["classic", "small"]
COMPRESSORS = {"gzip": "gzip -9", "bzip2": "bzip2 -9", "xz": "xz -9e"}
COMMAND = "recurra train {text} --preset {preset} --validation 0.1 --seed 0"
HEADER = "| model | nats per character | bits per character | time | characters per second |\n|---|---|---|---|---|\n"


def trained(text: str, folder: Path, **settings: Any) -> dict[str, Any]:
    """Train; return the summary, with the facts about the text from run.toml."""
    run = recurra.train(text, validation=0.1, seed=0, proof=False, report=False, run=folder, **settings)
    return run.summary | {"text": tomllib.loads((folder / "run.toml").read_text(encoding="utf-8"))["text"]}


def row(name: str, bits: float, seconds: float | None = None, speed: float | None = None) -> str:
    """Return a line of the table."""
    spent = "" if seconds is None else f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    rate = "" if speed is None else f"{speed:,.0f}"
    return f"| {name} | {bits * math.log(2):.3f} | {bits:.3f} | {spent} | {rate} |\n"


def section(text: str, summaries: dict[str, dict[str, Any]]) -> str:
    """Return the table of one text."""
    first = next(iter(summaries.values()))
    size = f"{first['text']['characters']:,} characters, {first['text']['symbols']} symbols"
    command = COMMAND.format(text=Path(text).name, preset="PRESET")
    baselines, ngrams = first["held_out_baselines"], first["held_out_ngrams"]
    lines = [row("uniform", baselines["uniform"])]
    lines += [row(label, baselines[name]) for name, label in COMPRESSORS.items()]
    lines += [row(f"{order}-gram", ngrams[order]) for order in "3456"]
    for preset, summary in summaries.items():
        name = f"`--preset {preset}`: {summary['cell']}, {summary['updates']:,} updates"
        bits = summary["validation_bits_per_character"]
        lines.append(row(name, bits, summary["seconds"], summary["characters_per_second"]))
    return f"## {Path(text).stem}\n\n{size}; `{command}`.\n\n{HEADER}{''.join(lines)}\n"


def main() -> None:
    """Train with every preset on every text, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="*", default=BOOKS, help="books, or files in UTF-8")
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument(
        "--updates", type=int, help="number of updates, in place of the presets' numbers, for a short test"
    )
    options = parser.parse_args()
    fewer = {} if options.updates is None else {"updates": options.updates}
    parts = [f"Measured on {dt.date.today():%Y-%m-%d}. Machine: {processor()['name']}.\n\n"]
    for text in options.texts:
        with tempfile.TemporaryDirectory() as folder:
            summaries = {
                preset: trained(text, Path(folder) / preset, preset=preset, **fewer) for preset in options.presets
            }
        parts.append(section(text, summaries))
        print(parts[-1], file=sys.stderr, flush=True)
    if options.output is None:
        print("".join(parts), end="")
    else:
        options.output.write_text("".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
