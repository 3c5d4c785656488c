"""The tables of measured speeds: of one processor, and the ratios of all processors.

    python benchmarks/speed_tables.py docs/speed

A folder has one JSON file for each generation of processors, as `speed.py --save` writes it. From these files the
command writes `speed-tables.md` next to the folder, with the tables of each processor, and the ratios in README.md.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from tables import Table, aligned, markdown
from workloads import OURS, SIDES, kind_of, shape_of

ROOT = Path(__file__).parents[1]
START, END = "<!-- Written by `make speed` from docs/speed. -->\n", "\n<!-- End of the written part. -->"
NAMES = {
    "recurra": "recurra",
    "numpy": "NumPy",
    "torch": "PyTorch",
    "jax": "JAX",
    "jax-tuned": "JAX, rearranged",
    "jax-call": "JAX, update by update",
    "engine-torch": "engine torch",
}
CELLS = {"elman": "Elman", "lstm": "LSTM", "gru": "GRU"}
TITLES = {
    "classic": "Training with preset `classic`",
    "training": "Training in batches, thousand characters per second",
    "writing": "Writing, thousand characters per second",
}
NONE = "–"
Measured: TypeAlias = dict[str, Any]  # the object that `speed.py --json` prints
Row: TypeAlias = dict[str, Any]  # one of its results


def label(name: str) -> str:
    """Return the name of a case for readers."""
    kind = kind_of(name)
    if kind == "classic":
        return "Elman 100, preset `classic`"
    shape = shape_of(name)
    layers = f"{shape.layers} × " if shape.layers > 1 else ""
    network = f"{CELLS.get(shape.cell, shape.cell)} {layers}{shape.hidden}"
    if kind == "writing":
        return f"{network}, {shape.batch} text{'s' if shape.batch > 1 else ''}"
    return f"{network}, {shape.batch} stream{'s' if shape.batch > 1 else ''}"


def rows_of(measured: Measured, kind: str) -> list[Row]:
    """Return the results of one kind."""
    return [row for row in measured["results"] if kind_of(row["case"]) == kind]


def over_faster(row: Row) -> dict[str, float] | None:
    """Return the ratio of recurra's speed to the faster peer's, with its range; None if there is no peer."""
    ratio: dict[str, float] | None = row["ours_over_peer"].get(row["faster_peer"])
    return ratio


def ratio_text(ratio: dict[str, float] | None) -> str:
    """Format a ratio and its range."""
    if ratio is None:
        return NONE
    bounds = f" ({ratio['min']:.2f} to {ratio['max']:.2f})" if "min" in ratio else ""
    return f"{ratio['median']:.2f}{bounds}"


def classic_table(rows: list[Row]) -> Table:
    """Return the updates per second of each program."""
    table = [["program", "updates per second", "recurra is faster by"]]
    for row in rows:
        for name in [side for side in SIDES["classic"] if side in row["rates"] | row["ours_over_peer"]]:
            rate = f"{row['rates'][name]['median']:,.0f}" if name in row["rates"] else NONE
            table.append([NAMES[name], rate, "" if name == OURS else ratio_text(row["ours_over_peer"].get(name))])
    return table


def characters_table(rows: list[Row]) -> Table:
    """Return the thousand characters per second of each case."""
    sides = [name for name in SIDES[kind_of(rows[0]["case"])] if any(name in row["rates"] for row in rows)]
    gain_name = "recurra / one text" if kind_of(rows[0]["case"]) == "writing" else "recurra / one core"
    table = [["", "cores", *(NAMES[name] for name in sides), "recurra / faster peer", gain_name]]
    for row in rows:
        rates = [f"{row['rates'][name]['median'] / 1000:.1f}" if name in row["rates"] else NONE for name in sides]
        table.append([label(row["case"]), str(row["cores"]), *rates, ratio_text(over_faster(row)), gain(row, rows)])
    return table


def gain(row: Row, rows: list[Row]) -> str:
    """Return the speed over that of one core, or of one text."""
    shape = shape_of(row["case"])
    for other in rows:
        smaller = other["case"] == row["case"] and other["cores"] == 1 < row["cores"]
        fewer = kind_of(row["case"]) == "writing" and shape_of(other["case"]) == shape._replace(batch=1) != shape
        if (smaller or fewer) and OURS in row["rates"] and OURS in other["rates"]:
            return f"{row['rates'][OURS]['median'] / other['rates'][OURS]['median']:.2f}"
    return ""


def sections(measured: Measured) -> Iterator[tuple[str, Table]]:
    """Return the title and the table of each kind of cases."""
    for kind, title in TITLES.items():
        if rows := rows_of(measured, kind):
            yield title, (classic_table if kind == "classic" else characters_table)(rows)


def conditions(measured: Measured) -> str:
    """Describe the processor, the day, the programs and the kernels."""
    processor = measured["processor"]
    versions = ", ".join(f"{name} {number}" for name, number in measured["versions"].items())
    numbers = f" (family, model, stepping {processor['numbers']})" if processor["numbers"] else ""
    lines = [f"{'; '.join(filter(None, (measured['date'], processor['name'] + numbers, versions)))}."]
    if measured["tile"]:
        lines.append(f"The kernels use tiles of {measured['tile']} elements.")
    if measured["rounds"]:
        lines.append(f"Median and range of {measured['rounds']} rounds of {measured['seconds']:g} s.")
    if measured["compiled_in_timed_processes"] is not None:
        lines.append(f"Kernels compiled in the timed processes: {measured['compiled_in_timed_processes']}.")
    if measured.get("load") is not None:
        lines.append(f"Load average before: {measured['load']}.")
    lines += [f"Left out: {name} ({reason})." for name, reason in measured["left_out"].items()]
    return " ".join([*lines, *([measured["note"]] if "note" in measured else [])])


def plain(measured: Measured) -> str:
    """Return the tables of one processor for a terminal."""
    head = f"{measured['processor']['generation']}: {conditions(measured)}"
    return "\n\n".join([head, *(f"{title}\n\n{aligned(table)}" for title, table in sections(measured))])


def page(measured: Measured) -> str:
    """Return the tables of one processor in Markdown."""
    parts = [f"## {measured['processor']['generation']}", conditions(measured)]
    return "\n\n".join([*parts, *(f"{title}:\n\n{markdown(table)}" for title, table in sections(measured))])


def ratios(all_measured: list[Measured]) -> Table:
    """Return the ratios to the faster of PyTorch and JAX: a line for each training, a column for each processor.

    The lowest ratios come first, in lines and in columns. A cell has the ratio on one core and on two cores.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for measured in all_measured:
        head = f"{measured['processor']['generation']}, {measured['date']}"
        for row in sorted(rows_of(measured, "training"), key=lambda row: int(row["cores"])):
            if ratio := over_faster(row):
                found.setdefault(row["case"], {}).setdefault(head, []).append(ratio["median"])
    lowest: dict[str, float] = {}
    for by_head in found.values():
        for head, values in by_head.items():
            lowest[head] = min(*values, lowest.get(head, math.inf))
    heads = sorted(lowest, key=lambda head: lowest[head])
    table = [["", *heads]]
    for case in sorted(found, key=lambda case: min(map(min, found[case].values()))):
        cells = [" / ".join(f"{ratio:.2f}" for ratio in found[case].get(head, [])) for head in heads]
        table.append([label(case), *(cell or NONE for cell in cells)])
    return table


def load(folder: Path) -> list[Measured]:
    """Read the measurements of all processors, the most recent first."""
    files = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return sorted(files, key=lambda measured: str(measured["date"]), reverse=True)


def written(folder: Path, readme: str) -> tuple[str, str]:
    """Return the page with the tables of all processors, and README.md with their ratios."""
    all_measured = load(folder)
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"README.md must have the lines {START.strip()!r} and {END.strip()!r}")
    pages = "\n\n".join(map(page, all_measured))
    return f"{pages}\n", f"{before}{START}\n{markdown(ratios(all_measured))}\n{END}{after}"


def write_tables(folder: Path) -> None:
    """Write the tables of all processors."""
    readme = ROOT / "README.md"
    tables, text = written(folder, readme.read_text(encoding="utf-8"))
    folder.with_name("speed-tables.md").write_text(tables, encoding="utf-8")
    readme.write_text(text, encoding="utf-8")


def save(measured: Measured, folder: Path) -> None:
    """Write the measurements of this processor to the folder, in place of earlier ones, and write the tables."""
    path = folder / f"{measured['processor']['core']}.json"
    path.write_text(json.dumps(measured, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    write_tables(folder)


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the folder with the JSON files, docs/speed")
    write_tables(parser.parse_args().folder)


if __name__ == "__main__":
    main()
