"""Reports of runs, as one HTML page and as figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recurra.config import arguments
from recurra.errors import UsageError
from recurra.report import document
from recurra.report.drawing import FIGURE_FORMATS
from recurra.report.figures import write_figures
from recurra.report.tables import TABLE_FORMATS, write_tables
from recurra.runs.layout import REPORT


def write_report(
    runs: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    *,
    with_model: bool = False,
    figures: str | Path | None = None,
    format: str | None = None,
    tables: str | Path | None = None,
    table_format: str | None = None,
) -> list[Path]:
    """Write the report of one run, or compare several runs.

    Args:
        runs: a run directory, or a list of run directories.
        output: the HTML file to write; None: report.html in the run directory, or in the working directory for
            several runs.
        with_model: include the model, so that the page can write text; a model of up to 200 kB is always included.
        figures: a folder for the figures; None: write no figures.
        format: the format of the figures: "pdf" (default), "png" or "svg".
        tables: a folder for the tables, the samples and the best passage of one run; None: write none.
        table_format: the format of the tables: "latex" (default) or "markdown".

    Returns:
        the paths of the written files, the page first.

    Raises:
        UsageError: if a format is given without its folder, or `tables` with several runs.
        ModelError: if a directory is not a run directory.
        StorageError: if a file cannot be written.
    """
    folders = [arguments.path("runs", run) for run in arguments.as_list(runs)]
    with_model = arguments.flag("with_model", with_model)
    page = None if output is None else arguments.path("output", output)
    directory = None if figures is None else arguments.path("figures", figures)
    if format is not None and directory is None:
        raise UsageError("`--format` requires `--figures`.", hint="add `--figures DIR`.")
    if format is not None and (not isinstance(format, str) or format not in FIGURE_FORMATS):
        raise UsageError(f"`--format` must be one of {', '.join(FIGURE_FORMATS)}; got {arguments.short_repr(format)}.")
    table_folder = None if tables is None else arguments.path("tables", tables)
    if table_format is not None and table_folder is None:
        raise UsageError("`--table-format` requires `--tables`.", hint="add `--tables DIR`.")
    if table_format is not None and (not isinstance(table_format, str) or table_format not in TABLE_FORMATS):
        names = ", ".join(TABLE_FORMATS)
        raise UsageError(f"`--table-format` must be one of {names}; got {arguments.short_repr(table_format)}.")
    if table_folder is not None and len(folders) != 1:
        raise UsageError(
            f"`--tables` writes the tables of one run; got {len(folders)} runs.", hint="give one run at a time."
        )
    if page is None:
        page = folders[0] / REPORT if len(folders) == 1 else Path(REPORT)
    written = [document.write_report(folders, page, with_model=with_model)]
    if directory is not None:
        written += write_figures(folders, directory, format or FIGURE_FORMATS[0])
    if table_folder is not None:
        written += write_tables(folders[0], table_folder, table_format or next(iter(TABLE_FORMATS)))
    return written
