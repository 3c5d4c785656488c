"""`recurra books`: the texts that have a name."""

from typing import Annotated

from cyclopts import App

from recurra.cli.options import OUTPUT, flag

EXAMPLES = """\
Examples:
  recurra books
  recurra train python-docs             a book by its name"""

app = App(name="books", usage="Usage: recurra books [--json]", help_epilogue=EXAMPLES)


@app.default
def books(
    *,
    json: Annotated[bool, flag("One JSON object on stdout, in place of the table.", OUTPUT)] = False,
) -> int:
    """List the books that `recurra train` knows by name.

    They come inside installed packages; nothing is downloaded.
    """
    from recurra.cli.terminal import columns, print_stderr, write_json, write_text
    from recurra.system.executable import runnable
    from recurra.text import named_books as shelf

    found = shelf.books()
    if json:
        write_json({"books": [book._asdict() for book in found]})
        return 0
    rows = [
        [
            book.name,
            f"{book.length:,} characters" if book.length else "not installed",
            f"{book.title}; from {book.source}",
        ]
        for book in found
    ]
    write_text("\n".join(columns(rows)) + "\n")
    if not all(book.available for book in found):
        print_stderr(f"hint: {runnable(shelf.INSTALL_HINT)}")
    return 0
