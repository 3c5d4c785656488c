"""What `recurra sample` writes, and where: texts as they grow, a conversation, one JSON object."""

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

MARK = b"> "
COPIED_EXCERPT_CHARACTERS = 60  # characters of a copied passage that are shown


def drop_unknown(model: LanguageModel, prompt: str) -> str:
    """The prompt without the characters that the model does not know, which are named in a warning.

    If the model knows a canonical equivalent of a character, that takes its place, and a note says so.
    """
    prompt, note = respell(prompt, model.vocabulary)
    if note is not None:
        print_stderr(f"note: of the prompt {note}.")
    ids, unknown = model.vocabulary.encode_known(model.vocabulary.spell(prompt))
    if not unknown:
        return prompt
    warn(
        f"the model does not know {name_characters(unknown)}: left out of the prompt.",
        escape_hint(first_escape(prompt)) if "\\" in unknown else None,
    )
    return model.vocabulary.decode(ids)


def read_prompt(source: str | Path, encoding: str) -> str:
    """Return the prompt in a file or, for `-`, on standard input.

    A file is read as every text is: strictly decoded, without a byte order mark, with LF as its line end.
    """
    text = read(source, encoding)
    for note in text.notes:
        print_stderr(f"note: {sanitize(note)}")
    return text.text.encode("latin-1").decode("utf-8", "surrogateescape") if text.is_bytes else text.text


def adapt_config(model: LanguageModel, config: SamplingConfig) -> SamplingConfig:
    """The settings that the model can follow; a warning names what it can never write."""
    config, unwritable = config.adapt(model.vocabulary)
    for one in unwritable:
        excluded = "leave it out of `--ban`, or add it to `--allow`." if one.is_known else None
        warn(one.message(f"--{one.setting}"), escape_hint(one.escape) or excluded)
    return config


def escape_hint(escape: str | None) -> str | None:
    """The remedy for an escape that was read as it stands."""
    return (
        None if escape is None else f"add `--escapes` to read {escape} as one character, or type $'{escape}' in bash."
    )


def write_object(
    model: LanguageModel, prompt: str, config: SamplingConfig, learned: Text | None, *, with_logs: bool
) -> None:
    """One JSON object with all texts; `learned` is what they may be copied from."""
    started = time.perf_counter()
    samples = model.samples(drop_unknown(model, prompt), **vars(config))
    seconds = time.perf_counter() - started
    found: dict[str, Any] = {
        "prompt": prompt,
        "seed": config.seed,
        "texts": [model.vocabulary.unspell(sample.symbols) for sample in samples],
        "ended": [sample.ended for sample in samples],
        "characters_per_second": sum(len(sample.symbols) for sample in samples) / seconds,
    }
    if with_logs:
        found["log_probabilities"] = [sample.log_probabilities.tolist() for sample in samples]
    if learned is not None:
        found["novelty"] = [copied_table(sample.symbols, learned) for sample in samples]
    write_json(found)


def write_texts(model: LanguageModel, prompt: str, config: SamplingConfig, learned: Text | None) -> None:
    """The texts one after another, on a terminal with the prompt before each; what they have copied on stderr."""
    beginning = drop_unknown(model, prompt)
    for number, pieces in enumerate(_texts(model, beginning, config)):
        symbols = _write_one(model, beginning, pieces, after=number > 0, keep=learned is not None)
        if learned is not None:
            print_stderr("", *copied_lines(symbols, learned))


def _texts(model: LanguageModel, prompt: str, config: SamplingConfig) -> Iterator[Iterable[str]]:
    """The symbols of each text: as they are written where a person looks on, else of many texts side by side."""
    if is_terminal(sys.stdout) or config.num_return_sequences == 1:
        return (model.pieces(prompt, one) for one in config.texts())
    return ([sample.symbols] for sample in model.write([prompt], config))


def _write_one(model: LanguageModel, prompt: str, pieces: Iterable[str], *, after: bool, keep: bool = False) -> str:
    """Write a text, with an empty line before it where it comes `after` another; its symbols, to `keep`."""
    terminal, kept = is_terminal(sys.stdout), []
    write(b"\n" * after + (encode_for_stdout(paint(sanitize(prompt), "bold", sys.stdout)) if terminal else b""))

    def watched() -> Iterator[str]:
        for piece in pieces:
            kept.extend([piece] * keep)
            yield piece

    for data in terminal_text(model, watched()) if terminal else raw_text(model, watched()):
        write(data)
    write(b"\n")
    return "".join(kept)


def raw_text(model: LanguageModel, pieces: Iterable[str]) -> Iterator[bytes]:
    """The symbols as a file gets them."""
    encoding = "latin-1" if model.vocabulary.is_bytes else "utf-8"
    return (piece.encode(encoding) for piece in pieces)


def terminal_text(model: LanguageModel, pieces: Iterable[str]) -> Iterator[bytes]:
    """The symbols as a terminal gets them: whole characters, and none that it would obey."""
    if model.vocabulary.is_bytes:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        ends = itertools.chain(((piece, False) for piece in pieces), [("", True)])
        pieces = (decoder.decode(piece.encode("latin-1"), final=end) for piece, end in ends)
    return (encode_for_stdout(sanitize(piece)) for piece in pieces)


def converse(model: LanguageModel, config: SamplingConfig, *, escapes: bool) -> None:
    """A text after each line that is typed or piped in; number i (from 0) has the seed `seed` + i.

    With `escapes`, those in a line are read as their characters.

    At a terminal an interrupt stops the text, or what is being typed, and the end of input leaves; a wrong escape is
    reported, and another line may follow.
    """
    at_terminal = is_terminal(sys.stdin) and is_terminal(sys.stdout)
    if at_terminal:
        print_stderr("Type a beginning and Enter. Ctrl-C stops a text, Ctrl-D leaves.")
    for number, line in enumerate(_lines(at_terminal)):
        try:
            typed = unescape(line, "the line") if escapes else line
        except UsageError as error:
            if not at_terminal:
                raise
            warn(error.message, error.hint)
            continue
        prompt = drop_unknown(model, typed)
        one = dataclasses.replace(config, seed=config.seed + number, num_return_sequences=1)
        try:
            _write_one(model, prompt, model.pieces(prompt, one), after=number > 0 and not at_terminal)
        except KeyboardInterrupt:
            if not at_terminal:
                raise
            write(b"\n")


def _lines(at_terminal: bool) -> Iterator[str]:
    """The lines of standard input, each asked for at a terminal."""
    while True:
        try:
            write(MARK * at_terminal)
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
    """Return the copied passages as JSON's types; None for an empty text."""
    return to_table(novelty(symbols, learned)) if symbols else None


def copied_lines(symbols: str, learned: Text) -> list[str]:
    """Return the lines that list the copied passages."""
    if not symbols:
        return ["the text is empty: nothing is copied"]
    found = novelty(symbols, learned)
    rows = [["characters", "at", "line", "passage"]]
    rows += [[f"{p.length}", f"{p.offset:,}", f"{p.line:,}", _excerpt(p.text)] for p in found.passages]
    lengths = [n for n in SHOWN_NGRAM_LENGTHS if n <= len(found.novel)]
    shares = [["n"] + [str(n) for n in lengths], ["new"] + [f"{100 * found.novel[n - 1]:.0f} %" for n in lengths]]
    head = (
        f"the longest passages that stand in {learned.name} too; the longest has {plural(found.longest, 'character')}"
    )
    return [
        paint(head, "bold"),
        *columns(rows, indent="  "),
        paint(f"the share of sequences of n characters that {learned.name} has not", "bold"),
        *columns(shares, indent="  "),
    ]


def _excerpt(passage: str) -> str:
    """The beginning of a passage in one line."""
    line = one_line(passage)
    return line if len(line) <= COPIED_EXCERPT_CHARACTERS else line[: COPIED_EXCERPT_CHARACTERS - 1] + "…"
