"""`recurra report`: what runs have shown, as one HTML page and as figures."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from recurra.cli.options import flag, output, path, text
from recurra.report.drawing import FIGURE_FORMATS
from recurra.report.tables import TABLE_FORMATS

EXAMPLES = """\
Examples:
  recurra report runs/kjv               writes runs/kjv/report.html
  recurra report runs/large --with-model
                                        the page holds the model, and writes
  recurra report runs/* -o all.html     several runs side by side
  recurra report runs/kjv --figures figures --format svg
  recurra report runs/kjv --tables tables --table-format markdown"""

app = App(name="report", usage="Usage: recurra report RUN [RUN ...] [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def report(
    run: Annotated[Path, Parameter(name="RUN", converter=path, help="The folders of the runs.")],
    /,
    *runs: Annotated[Path, Parameter(show=False)],
    output: Annotated[
        Path | None, output("The page to write.", "RUN/report.html; of several runs: report.html", group=None)
    ] = None,
    with_model: Annotated[
        bool,
        flag("Put the model into the page, so that it writes, however large; one of 200 kB lies in it anyway."),
    ] = False,
    figures: Annotated[
        Path | None, Parameter(name="--figures", converter=path, help="A folder to write the figures to, too.")
    ] = None,
    format: Annotated[
        str | None,
        Parameter(
            name="--format",
            converter=text,
            help=f"Of the figures: {', '.join(FIGURE_FORMATS)}.",
            show_default=FIGURE_FORMATS[0],
        ),
    ] = None,
    tables: Annotated[
        Path | None,
        Parameter(
            name="--tables",
            converter=path,
            help="A folder to write the tables, the samples and the best model's passage to, too; of one run.",
        ),
    ] = None,
    table_format: Annotated[
        str | None,
        Parameter(
            name="--table-format",
            converter=text,
            help=f"Of the tables: {', '.join(TABLE_FORMATS)}.",
            show_default=next(iter(TABLE_FORMATS)),
        ),
    ] = None,
) -> int:
    """Write the report of one run, or of several side by side.

    It is one file, which opens without a network. The paths of what was
    written go to stdout, one a line.
    """
    from recurra.api import run_reports
    from recurra.cli.terminal import escape_for_stdout, write_text

    written = run_reports.write_report(
        [run, *runs],
        output,
        with_model=with_model,
        figures=figures,
        format=format,
        tables=tables,
        table_format=table_format,
    )
    write_text("".join(f"{escape_for_stdout(str(path))}\n" for path in written))
    return 0
