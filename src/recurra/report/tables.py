"""The tables and texts of a run as LaTeX or Markdown, for a document of the user.

A document can include each part, which is one file: `\\input{tables/losses}` in LaTeX. A part without data is left out.

The names of the parts:

    gradients    the gradients derived by hand, compared with numerical ones
    losses       the smooth loss at the updates that have a sample
    models       the final and the best model
    samples      the samples generated during training
    best         the passage that the best model generated
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
LOSS_ROWS: Final = 12  # about, if the run has no samples


class Table(NamedTuple):
    """A table; every column after the first contains numbers."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class TextBlock(NamedTuple):
    """A text that the network generated, with a heading."""

    heading: str
    text: str


Part = Sequence[Table | TextBlock]


def write_tables(folder: Path, directory: Path, format: str = "latex") -> list[Path]:
    """Write each part of a run to a file in `directory`; return the files.

    Raises ModelError if `folder` contains no run or has no data for any part, StorageError if a file cannot be written.
    """
    run = load(folder)
    written = []
    for name, make in PARTS.items():
        if part := make(run):
            text = RENDERERS[format](name, part)
            written.append(write_output(directory / f"{name}{TABLE_FORMATS[format]}", text.encode("utf-8")))
    if not written:
        raise ModelError("there is no data for a table: the run has no records and no samples yet.")
    return written


def gradients(run: RunData) -> Part:
    """Return the largest differences between the gradients and numerical ones."""
    cells = mapping(mapping(run.summary.get("gradient_check")).get("cells"))
    header = (
        "Parameter",
        "Largest absolute difference",
        "Relative error, central differences",
        "Relative error, complex step",
    )
    kinds = ("max_abs_central", "max_rel_central", "max_rel_complex")
    return [
        Table(
            f"Gradients derived by hand, compared with numerical gradients ({cell})",
            header,
            [
                (letter, *(_power(number(mapping(row), kind)) for kind in kinds))
                for letter, row in mapping(rows).items()
            ],
        )
        for cell, rows in cells.items()
    ]


def losses(run: RunData) -> Part:
    """Return the smooth loss at each update that has a sample, or at about `LOSS_ROWS` records."""
    sampled = {sample.update for sample in run.samples}
    records = [record for record in run.records if record.update in sampled]
    if not records:
        records = list(run.records[:: max(1, len(run.records) // LOSS_ROWS)])
    if not records:
        return []
    has_validation = any(record.validation is not None for record in records)
    header = ["Updates", "Epoch", f"Smooth loss, {run.unit}", "Smooth loss, bits per character"]
    rows = []
    for record in records:
        row = [
            f"{record.update:,}",
            _fixed(record.epoch, 2),
            _fixed(record.smooth, 3),
            _fixed(run.bits(record.smooth), 3),
        ]
        rows.append(row + [_fixed(record.validation, 3)] * has_validation)
    return [Table("Smooth loss during training", header + ["Held-out loss, nats per character"] * has_validation, rows)]


def models(run: RunData) -> Part:
    """Return the smooth loss of the final and of the best model."""
    if run.final is None or run.best is None:
        return []
    header = ("Model", "Updates", f"Smooth loss, {run.unit}", "Smooth loss, bits per character")
    return [
        Table("The final and the best model", header, [_model("Final", run, run.final), _model("Best", run, run.best)])
    ]


def _model(label: str, run: RunData, point: Point) -> tuple[str, ...]:
    return (label, f"{point.update:,}", _fixed(point.loss, 4), _fixed(run.bits(point.loss), 3))


def samples(run: RunData) -> Part:
    """Return the samples generated during training."""
    return [
        TextBlock(f"After {sample.update:,} updates" if sample.update else "Before the first update", sample.text)
        for sample in run.samples
    ]


def best(run: RunData) -> Part:
    """Return the passage that the best model generated."""
    text = run.summary.get("best_sample")
    if not isinstance(text, str) or not text or run.best is None:
        return []
    return [TextBlock(f"Text of the best model, after {run.best.update:,} updates", text)]


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
    """Return one line of text without ligatures and with every special character of LaTeX escaped."""
    escaped = "".join(LATEX.get(character, character) for character in sanitize(text))
    return re.sub(r"(?<=[-',])(?=[-',])", "{}", escaped)


def _latex(name: str, part: Part) -> str:
    return "\n".join(
        _latex_table(f"tab:{name}", block) if isinstance(block, Table) else _latex_text_block(block) for block in part
    )


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
    match = POWER.fullmatch(cell)
    if match is None:
        return latex_text(cell)
    sign = "-" if match[2] == "-" else ""
    return rf"${match[1]} \times 10^{{{sign}{int(match[3])}}}$"


def _latex_text_block(passage: TextBlock) -> str:
    """Return a quotation that keeps lines and spaces."""
    lines = [_latex_line(line) for line in passage.text.rstrip("\n").expandtabs(4).split("\n")]
    body = " \\\\\n".join(lines)
    heading = rf"\noindent\textbf{{{latex_text(passage.heading)}}}"
    return f"{heading}\n\\begin{{quote}}\\ttfamily\\raggedright\n{body}\n\\end{{quote}}\n"


def _latex_line(line: str) -> str:
    """Return a line that LaTeX keeps: `~` for dropped spaces, no empty line, no `[` or `*` at the start."""
    if not line.strip():
        return r"\mbox{}"
    escaped = re.sub(r"^ +| {2,}", lambda spaces: "~" * len(spaces[0]), latex_text(line).rstrip(" "))
    return f"{{}}{escaped}" if escaped[0] in "[*" else escaped


def _markdown(_name: str, part: Part) -> str:
    return "\n".join(
        _markdown_table(block) if isinstance(block, Table) else _markdown_text_block(block) for block in part
    )


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
