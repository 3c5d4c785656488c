"""`recurra books`: the texts that `recurra train` finds by name."""

from typing import Annotated

from cyclopts import App

from recurra.cli.options import OUTPUT, examples, flag

EXAMPLES = examples(
    "recurra books",
    "recurra train python-docs             train on a book by its name",
)

app = App(name="books", usage="Usage: recurra books [--json]", help_epilogue=EXAMPLES)


@app.default
def books(
    *,
    json: Annotated[bool, flag("Write one JSON object to stdout instead of the table.", OUTPUT)] = False,
) -> int:
    """List the books that `recurra train` finds by name.

    The books are parts of installed packages; nothing is downloaded.
    """
    from recurra.cli.terminal import columns, print_stderr, write_json, write_text
    from recurra.system.executable import runnable
    from recurra.text import named_books

    books = named_books.books()
    if json:
        write_json({"books": [book._asdict() for book in books]})
        return 0
    rows = [
        [
            book.name,
            f"{book.length:,} characters" if book.length else "not installed",
            f"{book.title}; from {book.source}",
        ]
        for book in books
    ]
    write_text("\n".join(columns(rows)) + "\n")
    if not all(book.available for book in books):
        print_stderr(f"hint: {runnable(named_books.INSTALL_HINT)}")
    return 0
