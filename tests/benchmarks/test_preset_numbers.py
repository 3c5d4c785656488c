"""The tables with the results of each preset."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks/preset_numbers.py"


def test_each_text_has_a_table(tmp_path: Path) -> None:
    book, table = tmp_path / "fable.txt", tmp_path / "table.md"
    book.write_text("The fox and the crow, a fable, read many times over.\n" * 200, encoding="utf-8")
    options = ["--presets", "classic", "--updates", "30", "-o", str(table)]
    subprocess.run([sys.executable, str(BENCHMARK), str(book), *options], check=True, capture_output=True)
    text = table.read_text(encoding="utf-8")
    assert "## fable" in text
    assert "10,600 characters, 24 symbols; `recurra train fable.txt --preset PRESET" in text
    names = ["uniform", "gzip -9", "bzip2 -9", "xz -9e", "3-gram", "6-gram", "`--preset classic`: elman, 30 updates"]
    for name in names:
        (numbers,) = re.findall(rf"\| {name} \| ([\d.]+) \| ([\d.]+) \|", text)
        nats, bits = map(float, numbers)
        assert abs(nats - bits * 0.6931) < 0.002
