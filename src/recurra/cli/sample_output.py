"""The output of `recurra sample`: texts, an interactive session, or one JSON object."""

from __future__ import annotations

import codecs
import dataclasses
import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from recurra.cli.terminal import columns, encode_for_stdout, is_terminal, paint, print_stderr, warn, write, write_json
from recurra.errors import UsageError
from recurra.formatting import one_line, plural, sanitize
from recurra.inference.novelty import SHOWN_NGRAM_LENGTHS, novelty, to_table
from recurra.text.equivalents import respell
from recurra.text.escapes import first_escape, unescape
from recurra.text.reading import read
from recurra.text.vocabulary import name_characters

if TYPE_CHECKING:
    from pathlib import Path

    from recurra.inference.sampling import SamplingConfig
    from recurra.model import LanguageModel
    from recurra.text.text import Text

INPUT_MARK = b"> "
COPIED_EXCERPT_CHARACTERS = 60


def drop_unknown(model: LanguageModel, prompt: str) -> str:
    """Remove the characters that are not in the vocabulary of the model from the prompt, with a warning.

    If the vocabulary has a canonical equivalent of a character, use the equivalent and print a note.
    """
    prompt, note = respell(prompt, model.vocabulary)
    if note is not None:
        print_stderr(f"note: in the prompt, {note}.")
    ids, unknown = model.vocabulary.encode_known(model.vocabulary.spell(prompt))
    if not unknown:
        return prompt
    warn(
        f"the vocabulary of the model lacks {name_characters(unknown)}; removed from the prompt.",
        escape_hint(first_escape(prompt)) if "\\" in unknown else None,
    )
    return model.vocabulary.decode(ids)


def read_prompt(source: str | Path, encoding: str) -> str:
    """Return the prompt from a file or, for `-`, from standard input.

    Decode strictly, remove a byte order mark and convert line ends to LF, as for every text.
    """
    text = read(source, encoding)
    for note in text.notes:
        print_stderr(f"note: {sanitize(note)}")
    return text.text.encode("latin-1").decode("utf-8", "surrogateescape") if text.is_bytes else text.text


def adapt_config(model: LanguageModel, config: SamplingConfig) -> SamplingConfig:
    """Return the settings adapted to the vocabulary of the model; warn of text that the model can never write."""
    config, unwritable = config.adapt(model.vocabulary)
    for text in unwritable:
        excluded = "remove it from `--ban`, or add it to `--allow`." if text.is_known else None
        warn(text.message(f"--{text.setting}"), escape_hint(text.escape) or excluded)
    return config


def escape_hint(escape: str | None) -> str | None:
    """Return the hint for an escape sequence that was read literally; None without one."""
    return (
        None if escape is None else f"add `--escapes` to read {escape} as one character, or type $'{escape}' in bash."
    )


def write_object(
    model: LanguageModel, prompt: str, config: SamplingConfig, learned: Text | None, *, with_logs: bool
) -> None:
    """Write one JSON object with all texts; with the training text `learned`, also the passages copied from it."""
    started = time.perf_counter()
    samples = model.samples(drop_unknown(model, prompt), **vars(config))
    seconds = time.perf_counter() - started
    table: dict[str, Any] = {
        "prompt": prompt,
        "seed": config.seed,
        "texts": [model.vocabulary.unspell(sample.symbols) for sample in samples],
        "ended": [sample.ended for sample in samples],
        "characters_per_second": sum(len(sample.symbols) for sample in samples) / seconds,
    }
    if with_logs:
        table["log_probabilities"] = [sample.log_probabilities.tolist() for sample in samples]
    if learned is not None:
        table["novelty"] = [copied_table(sample.symbols, learned) for sample in samples]
    write_json(table)


def write_texts(model: LanguageModel, prompt: str, config: SamplingConfig, learned: Text | None) -> None:
    """Write the texts, on a terminal after the prompt; list passages copied from the text `learned` on stderr."""
    beginning = drop_unknown(model, prompt)
    for number, pieces in enumerate(_texts(model, beginning, config)):
        symbols = _write_one(model, beginning, pieces, after=number > 0, keep=learned is not None)
        if learned is not None:
            print_stderr("", *copied_lines(symbols, learned))


def _texts(model: LanguageModel, prompt: str, config: SamplingConfig) -> Iterator[Iterable[str]]:
    """Yield the symbols of each text: one by one for a terminal or a single text, else from a batch of texts."""
    if is_terminal(sys.stdout) or config.num_return_sequences == 1:
        return (model.pieces(prompt, settings) for settings in config.texts())
    return ([sample.symbols] for sample in model.write([prompt], config))


def _write_one(model: LanguageModel, prompt: str, pieces: Iterable[str], *, after: bool, keep: bool = False) -> str:
    """Write a text; if `after`, write an empty line before it. Return its symbols if `keep`."""
    terminal, pieces_written = is_terminal(sys.stdout), []
    write(b"\n" * after + (encode_for_stdout(paint(sanitize(prompt), "bold", sys.stdout)) if terminal else b""))

    def watched() -> Iterator[str]:
        for piece in pieces:
            pieces_written.extend([piece] * keep)
            yield piece

    for data in terminal_text(model, watched()) if terminal else raw_text(model, watched()):
        write(data)
    write(b"\n")
    return "".join(pieces_written)


def raw_text(model: LanguageModel, pieces: Iterable[str]) -> Iterator[bytes]:
    """Encode the symbols for a file or a pipe: UTF-8, or the bytes of a model of bytes."""
    encoding = "latin-1" if model.vocabulary.is_bytes else "utf-8"
    return (piece.encode(encoding) for piece in pieces)


def terminal_text(model: LanguageModel, pieces: Iterable[str]) -> Iterator[bytes]:
    """Encode the symbols for a terminal: whole characters, with control characters escaped."""
    if model.vocabulary.is_bytes:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        ends = itertools.chain(((piece, False) for piece in pieces), [("", True)])
        pieces = (decoder.decode(piece.encode("latin-1"), final=end) for piece, end in ends)
    return (encode_for_stdout(sanitize(piece)) for piece in pieces)


def converse(model: LanguageModel, config: SamplingConfig, *, escapes: bool) -> None:
    """Write a text after each line of standard input; text i (from 0) has the seed `seed` + i.

    With `escapes`, decode the escape sequences of a line.

    At a terminal, Ctrl-C stops the text or clears the line, and the end of input ends the session. A wrong escape
    sequence prints a warning, and the session continues.
    """
    at_terminal = is_terminal(sys.stdin) and is_terminal(sys.stdout)
    if at_terminal:
        print_stderr("Type a prompt and press Enter. Ctrl-C stops a text, Ctrl-D ends the session.")
    for number, line in enumerate(_lines(at_terminal)):
        try:
            typed = unescape(line, "the line") if escapes else line
        except UsageError as error:
            if not at_terminal:
                raise
            warn(error.message, error.hint)
            continue
        prompt = drop_unknown(model, typed)
        settings = dataclasses.replace(config, seed=config.seed + number, num_return_sequences=1)
        try:
            _write_one(model, prompt, model.pieces(prompt, settings), after=number > 0 and not at_terminal)
        except KeyboardInterrupt:
            if not at_terminal:
                raise
            write(b"\n")


def _lines(at_terminal: bool) -> Iterator[str]:
    """Yield the lines of standard input; at a terminal print a prompt mark before each."""
    while True:
        try:
            write(INPUT_MARK * at_terminal)
            line = sys.stdin.buffer.readline()
        except KeyboardInterrupt:
            if not at_terminal:
                raise
            write(b"\n")
            continue
        if not line:
            write(b"\n" * at_terminal)
            return
        yield line.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")


def copied_table(symbols: str, learned: Text) -> dict[str, Any] | None:
    """Return the copied passages for JSON; None for an empty text."""
    return to_table(novelty(symbols, learned)) if symbols else None


def copied_lines(symbols: str, learned: Text) -> list[str]:
    """Return the lines that list the copied passages."""
    if not symbols:
        return ["the text is empty: no passage is copied"]
    copies = novelty(symbols, learned)
    rows = [["characters", "offset", "line", "passage"]]
    rows += [[f"{p.length}", f"{p.offset:,}", f"{p.line:,}", _excerpt(p.text)] for p in copies.passages]
    lengths = [n for n in SHOWN_NGRAM_LENGTHS if n <= len(copies.novel)]
    shares = [["n"] + [str(n) for n in lengths], ["new"] + [f"{100 * copies.novel[n - 1]:.0f} %" for n in lengths]]
    head = f"longest passages copied from {learned.name}; the longest has {plural(copies.longest, 'character')}"
    return [
        paint(head, "bold"),
        *columns(rows, indent="  "),
        paint(f"share of the sequences of n characters that are not in {learned.name}", "bold"),
        *columns(shares, indent="  "),
    ]


def _excerpt(passage: str) -> str:
    """Return the beginning of a passage in one line."""
    line = one_line(passage)
    return line if len(line) <= COPIED_EXCERPT_CHARACTERS else line[: COPIED_EXCERPT_CHARACTERS - 1] + "…"
