"""The tables and passages of a run as LaTeX or Markdown, for a document that somebody writes.

gradients    the gradients derived by hand beside numerical ones
losses       the smooth loss at the updates of the samples
models       the final and the best model
samples      the samples of the training
best         the passage of the best model

Each is a file, which a document includes: `\\input{tables/losses}` in LaTeX. A part whose data is absent is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from recurra.errors import ModelError
from recurra.formatting import sanitize
from recurra.io.atomic_write import write_output
from recurra.runs.records import Point, RunData, load, mapping, number

TABLE_FORMATS: Final = {"latex": ".tex", "markdown": ".md"}
ROWS: Final = 12  # of losses, if the run has no samples


class Table(NamedTuple):
    """A table; every column after the first holds numbers."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class TextBlock(NamedTuple):
    """A text that the network wrote, and its heading."""

    heading: str
    text: str


Part = Sequence[Table | TextBlock]


def write_tables(folder: Path, directory: Path, format: str = "latex") -> list[Path]:
    """Write the parts of a run into `directory`, each as a file; return the files.

    Raises ModelError if `folder` is no run or has no data for any part, StorageError if nothing can be written.
    """
    run = load(folder)
    written = []
    for name, make in PARTS.items():
        if part := make(run):
            text = RENDERERS[format](name, part)
            written.append(write_output(directory / f"{name}{TABLE_FORMATS[format]}", text.encode("utf-8")))
    if not written:
        raise ModelError("there is nothing for a table: the run has no records and no samples yet.")
    return written


def gradients(run: RunData) -> Part:
    """The largest differences of the gradients from numerical ones."""
    cells = mapping(mapping(run.summary.get("gradient_check")).get("cells"))
    header = ("Parameter", "Largest difference", "Relative, central differences", "Relative, complex step")
    kinds = ("max_abs_central", "max_rel_central", "max_rel_complex")
    return [
        Table(
            f"Gradients derived by hand beside numerical ones ({cell})",
            header,
            [
                (letter, *(_power(number(mapping(row), kind)) for kind in kinds))
                for letter, row in mapping(rows).items()
            ],
        )
        for cell, rows in cells.items()
    ]


def losses(run: RunData) -> Part:
    """The smooth loss at each update at which there is a sample, or at some of the records."""
    wanted = {sample.update for sample in run.samples}
    records = [record for record in run.records if record.update in wanted]
    if not records:
        records = list(run.records[:: max(1, len(run.records) // ROWS)])
    if not records:
        return []
    has_validation = any(record.validation is not None for record in records)
    header = ["Updates", "Epoch", f"Smooth loss, {run.unit}", "Bits per character"]
    rows = []
    for record in records:
        row = [
            f"{record.update:,}",
            _fixed(record.epoch, 2),
            _fixed(record.smooth, 3),
            _fixed(run.bits(record.smooth), 3),
        ]
        rows.append(row + [_fixed(record.validation, 3)] * has_validation)
    return [Table("Smooth loss during training", header + ["Held-out, nats per character"] * has_validation, rows)]


def models(run: RunData) -> Part:
    """The final and the best model."""
    if run.final is None or run.best is None:
        return []
    header = ("Model", "Updates", f"Smooth loss, {run.unit}", "Bits per character")
    return [
        Table("The final and the best model", header, [_model("Final", run, run.final), _model("Best", run, run.best)])
    ]


def _model(label: str, run: RunData, point: Point) -> tuple[str, ...]:
    return (label, f"{point.update:,}", _fixed(point.loss, 4), _fixed(run.bits(point.loss), 3))


def samples(run: RunData) -> Part:
    """The samples of the training."""
    return [
        TextBlock("Before the first update" if not one.update else f"After {one.update:,} updates", one.text)
        for one in run.samples
    ]


def best(run: RunData) -> Part:
    """The passage of the best model."""
    text = run.summary.get("best_sample")
    if not isinstance(text, str) or not text or run.best is None:
        return []
    return [TextBlock(f"The best model, after {run.best.update:,} updates", text)]


PARTS: Final[dict[str, Callable[[RunData], Part]]] = {
    "gradients": gradients,
    "losses": losses,
    "models": models,
    "samples": samples,
    "best": best,
}


def _fixed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _power(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}" if value else "0"


POWER = re.compile(r"(-?\d\.\d)e([+-])(\d\d+)")
LATEX: Final = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
}  # fmt: skip


def latex_text(text: str) -> str:
    """Return one line of text with every sign of LaTeX escaped and no ligature."""
    found = "".join(LATEX.get(character, character) for character in sanitize(text))
    return re.sub(r"(?<=[-',])(?=[-',])", "{}", found)


def _latex(name: str, part: Part) -> str:
    blocks = [
        _latex_table(f"tab:{name}", one) if isinstance(one, Table) else _latex_text_block(one) for one in part
    ]  # fmt: skip
    return "\n".join(blocks)


def _latex_table(label: str, table: Table) -> str:
    columns = "l" + "r" * (len(table.header) - 1)
    rows = [
        _latex_row(map(latex_text, table.header)),
        r"\hline",
        *(_latex_row(map(_latex_number, row)) for row in table.rows),
    ]
    lines = [
        r"\begin{table}[ht]",
        r"\centering",
        rf"\caption{{{latex_text(table.caption)}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\hline",
        *rows,
        r"\hline",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_number(cell: str) -> str:
    found = POWER.fullmatch(cell)
    if found is None:
        return latex_text(cell)
    sign = "-" if found[2] == "-" else ""
    return rf"${found[1]} \times 10^{{{sign}{int(found[3])}}}$"


def _latex_text_block(passage: TextBlock) -> str:
    """Return a quotation that keeps lines and spaces."""
    lines = [_latex_line(line) for line in passage.text.rstrip("\n").expandtabs(4).split("\n")]
    body = " \\\\\n".join(lines)
    heading = rf"\noindent\textbf{{{latex_text(passage.heading)}}}"
    return f"{heading}\n\\begin{{quote}}\\ttfamily\\raggedright\n{body}\n\\end{{quote}}\n"


def _latex_line(line: str) -> str:
    """Return a line: `~` for spaces that LaTeX would drop, no empty line, no bracket or star after the line break."""
    if not line.strip():
        return r"\mbox{}"
    found = latex_text(line)
    found = re.sub(r"^ +| {2,}", lambda spaces: "~" * len(spaces[0]), found.rstrip(" "))
    return f"{{}}{found}" if found[0] in "[*" else found


def _markdown(_name: str, part: Part) -> str:
    blocks = [_markdown_table(one) if isinstance(one, Table) else _markdown_text_block(one) for one in part]
    return "\n".join(blocks)


def _markdown_table(table: Table) -> str:
    rule = ["---", *["---:"] * (len(table.header) - 1)]
    lines = [f"| {' | '.join(row)} |" for row in (table.header, rule, *table.rows)]
    return f"{table.caption}:\n\n" + "\n".join(lines) + "\n"


def _markdown_text_block(passage: TextBlock) -> str:
    """Return a fenced block; the fence is longer than any run of backticks in the text."""
    text = sanitize(passage.text)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"**{passage.heading}**\n\n{fence}text\n{text}\n{fence}\n"


RENDERERS: Final[dict[str, Callable[[str, Part], str]]] = {"latex": _latex, "markdown": _markdown}
