"""`recurra report`: write the results of runs as one HTML page and as figures."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from recurra.cli.options import examples, flag, output, path, text
from recurra.report.drawing import FIGURE_FORMATS
from recurra.report.tables import TABLE_FORMATS

EXAMPLES = examples(
    "recurra report runs/kjv               write runs/kjv/report.html",
    "recurra report runs/large --with-model",
    "recurra report runs/* -o all.html     compare several runs",
    "recurra report runs/kjv --figures figures --format svg",
    "recurra report runs/kjv --tables tables --table-format markdown",
)

app = App(name="report", usage="Usage: recurra report RUN [RUN ...] [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def report(
    run: Annotated[Path, Parameter(name="RUN", converter=path, help="Run directories.")],
    /,
    *runs: Annotated[Path, Parameter(show=False)],
    output: Annotated[
        Path | None, output("HTML file to write.", "RUN/report.html; for several runs: report.html", group=None)
    ] = None,
    with_model: Annotated[
        bool,
        flag("Include the model, so that the page can write text. Models up to 200 kB are always included."),
    ] = False,
    figures: Annotated[
        Path | None,
        Parameter(name="--figures", converter=path, help="Also write the figures, to this folder."),
    ] = None,
    format: Annotated[
        str | None,
        Parameter(
            name="--format",
            converter=text,
            help=f"Format of the figures: {', '.join(FIGURE_FORMATS)}.",
            show_default=FIGURE_FORMATS[0],
        ),
    ] = None,
    tables: Annotated[
        Path | None,
        Parameter(
            name="--tables",
            converter=path,
            help="Also write the tables, the samples and the best model's passage of one run, to this folder.",
        ),
    ] = None,
    table_format: Annotated[
        str | None,
        Parameter(
            name="--table-format",
            converter=text,
            help=f"Format of the tables: {', '.join(TABLE_FORMATS)}.",
            show_default=next(iter(TABLE_FORMATS)),
        ),
    ] = None,
) -> int:
    """Write the report of one run, or compare several runs.

    The report is one HTML file. It opens in a browser without an internet
    connection. The paths of the written files go to stdout, one per line.
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
