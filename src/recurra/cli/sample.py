"""`recurra sample`: a trained network writes."""

import codecs
import dataclasses
import itertools
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from recurra.cli.options import OUTPUT, flag, given, real, text, whole
from recurra.errors import UsageError
from recurra.inert import inert

if TYPE_CHECKING:
    from recurra.inference.sampling import SamplingConfig
    from recurra.model import LanguageModel

EXAMPLES = """\
Examples:
  recurra sample runs/kjv
  recurra sample runs/kjv --prompt "In the beginning " --temperature 0.7
  recurra sample runs/kjv --max-new-tokens 100000 > mine.txt
  echo -n "And God said" | recurra sample runs/kjv --prompt - --json"""
FLUSH = 0.05  # seconds that a written character may wait to be seen

app = App(name="sample", usage="Usage: recurra sample MODEL [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def sample(
    model: Annotated[
        str, Parameter(name="MODEL", converter=text, help="A run's folder (its best checkpoint) or a checkpoint file.")
    ],
    /,
    *,
    prompt: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True, help="What the text begins with; - reads standard input.", show_default=False
        ),
    ] = "",
    max_new_tokens: Annotated[
        int | None, Parameter(converter=whole, help="Characters to write.", show_default="200")
    ] = None,
    temperature: Annotated[
        float | None,
        Parameter(converter=real, help="1: as learned; less: safer; 0: always the likeliest.", show_default="1.0"),
    ] = None,
    seed: Annotated[
        int | None, Parameter(converter=whole, help="The same seed writes the same text.", show_default="0")
    ] = None,
    num_return_sequences: Annotated[
        int, Parameter(converter=whole, help="Texts to write; number i (from 0) has seed SEED + i.")
    ] = 1,
    json: Annotated[bool, flag("One JSON object on stdout, in place of the text.", OUTPUT)] = False,
) -> int:
    """Write text with a trained network.

    On a terminal the prompt comes first, and control characters are shown
    escaped. Into a file or a pipe goes the new text alone, as it is, in UTF-8
    (of a model of bytes: the bytes) and a newline; an empty line between two.
    """
    from recurra.cli.terminal import write_json
    from recurra.inference.sampling import SamplingConfig
    from recurra.model import load

    if num_return_sequences < 1:
        raise UsageError(f"`num_return_sequences` must be a whole number, at least 1; got {num_return_sequences}.")
    config = SamplingConfig(**given(max_new_tokens=max_new_tokens, temperature=temperature, seed=seed))
    prompt = _standard_input() if prompt == "-" else prompt
    loaded = load(model)
    known = _known(loaded, prompt)
    _warm_up(loaded)
    configs = (dataclasses.replace(config, seed=config.seed + i) for i in range(num_return_sequences))
    if not json:
        _write_all(loaded, known, configs)
        return 0
    started = time.perf_counter()
    texts = ["".join(loaded.stream(known, one)) for one in configs]
    rate = sum(map(len, texts)) / (time.perf_counter() - started)
    texts = [loaded.vocabulary.unspell(one) for one in texts]
    write_json({"prompt": prompt, "seed": config.seed, "texts": texts, "characters_per_second": rate})
    return 0


def _standard_input() -> str:
    """All of it, as it is; bytes that are no UTF-8 become surrogates, as they do on a command line."""
    from recurra.cli.terminal import await_input
    from recurra.text.files import standard_input

    await_input("the prompt")
    return standard_input(None).decode("utf-8", "surrogateescape")


def _known(model: "LanguageModel", prompt: str) -> str:
    """The prompt without the characters that the model does not know, which are named in a warning."""
    from recurra.cli.terminal import paint, say
    from recurra.text.vocabulary import name_characters

    ids, unknown = model.vocabulary.encode_known(model.vocabulary.spell(prompt))
    if not unknown:
        return prompt
    say(f"{paint('warning:', 'yellow')} the model does not know {name_characters(unknown)}: left out of the prompt.")
    return model.vocabulary.decode(ids)


def _warm_up(model: "LanguageModel") -> None:
    """Have the kernels compiled, and say so where that takes long."""
    from recurra.cli.doctor import is_warm
    from recurra.cli.progress import COMPILING
    from recurra.cli.terminal import say
    from recurra.engines.kernels.compilation import mark_warm

    if not is_warm():
        say(COMPILING)
    model.sample(max_new_tokens=1)
    mark_warm("sampling")


def _write_all(model: "LanguageModel", prompt: str, configs: Iterator["SamplingConfig"]) -> None:
    from recurra.cli.terminal import encoded, is_terminal, paint, write

    terminal = is_terminal(sys.stdout)
    begin = encoded(paint(inert(prompt), "bold", sys.stdout)) if terminal else b""
    for number, config in enumerate(configs):
        write(b"\n" * (number > 0) + begin)
        symbols = model.stream(prompt, config)
        for piece in _in_time(_shown(model, symbols) if terminal else _raw(model, symbols)):
            write(piece)
        write(b"\n")


def _raw(model: "LanguageModel", symbols: Iterator[str]) -> Iterator[bytes]:
    """The symbols as a file gets them."""
    encoding = "latin-1" if model.vocabulary.is_bytes else "utf-8"
    return (symbol.encode(encoding) for symbol in symbols)


def _shown(model: "LanguageModel", symbols: Iterator[str]) -> Iterator[bytes]:
    """The symbols as a terminal gets them: whole characters, and none that it would obey."""
    from recurra.cli.terminal import encoded

    if model.vocabulary.is_bytes:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        ends = itertools.chain(((symbol, False) for symbol in symbols), [("", True)])
        symbols = (decoder.decode(symbol.encode("latin-1"), final=end) for symbol, end in ends)
    return (encoded(inert(symbol)) for symbol in symbols)


def _in_time(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer pieces, none held back for longer than `FLUSH` seconds."""
    waiting, since = [], time.perf_counter()
    for piece in pieces:
        waiting.append(piece)
        if (now := time.perf_counter()) - since > FLUSH:
            yield b"".join(waiting)
            waiting, since = [], now
    yield b"".join(waiting)
