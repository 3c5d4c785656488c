"""Help, version, and command lines with errors."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from calling import Call
from recurra import __version__
from recurra.cli.command_line import COMMANDS

HEAVY = {"numpy", "numba", "llvmlite", "matplotlib", "safetensors", "markdown_it", "pygments"}


def test_alone_it_prints_help(call: Call) -> None:
    alone = call()
    assert alone == call("--help")
    assert alone.code == 0
    assert alone.err == ""
    assert "Usage: recurra COMMAND" in alone.out
    assert all(re.search(rf"^│ {name} +\w", alone.out, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help_with_an_example(call: Call, name: str, flag: str) -> None:
    code, out, err = call(name, flag)
    assert code == 0
    assert err == ""
    assert out.startswith(f"Usage: recurra {name} ")
    assert f"\nExamples:\n  recurra {name}" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_examples_of_help_fit_on_one_line(call: Call) -> None:
    assert all(line.startswith("  ") for line in call().out.partition("Examples:\n")[2].split("\n\n")[0].splitlines())


@pytest.mark.parametrize("arguments", [[], *([name, "--help"] for name in COMMANDS), ["--version"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = f"import sys\nfrom recurra.cli import main\nmain({arguments})\nprint(*sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_version(call: Call) -> None:
    assert call("--version") == (0, f"recurra {__version__}\n", "")


USAGE = [
    ("tarin", "there is no command `tarin`.", "did you mean `recurra train`?"),
    (
        "xyzzy",
        "there is no command `xyzzy`.",
        f"the commands are {', '.join(COMMANDS)}.",
    ),
    ("book.txt", "there is no command `book.txt`.", "to train on a text: `recurra train book.txt`."),
    ("kjv", "there is no command `kjv`.", "to train on a text: `recurra train kjv`."),
    ("--updates 5", "`--updates` must come after a command.", "the commands are train, "),
    ("train --updatez 5", "there is no option `--updatez`.", "did you mean `--updates`? Write a file of that name as"),
    ("train --updatez=5", "there is no option `--updatez`.", "did you mean `--updates`?"),
    ("train book --xyzzy", "there is no option `--xyzzy`.", "see `recurra train --help`."),
    ("train --no-json", "there is no option `--no-json`.", "did you mean `--json`?"),
    ("train -x", "there is no option `-x`.", "Write a file of that name as `./-x`."),
    ("sample m --temprature 1", "there is no option `--temprature`.", "did you mean `--temperature`?"),
    ("sample m -x", "there is no option `-x`.", "see `recurra sample --help`."),
    ("sample -", "this command does not read standard input, `-`, here.", "see `recurra sample --help`."),
    ("train --updates", "`--updates` needs a value.", "see `recurra train --help`."),
    ("train --seed -", "`--seed` needs a value.", "see `recurra train --help`."),
    ("train --run --json", "`--run` needs a value.", "see `recurra train --help`."),
    ("train --updates 5 --updates 6", "`--updates` is given more than once.", "see `recurra train --help`."),
    ("train --json=maybe", "`--json` takes no value; got 'maybe'.", "see `recurra train --help`."),
    ("train --updates x", "`--updates` must be a whole number; got 'x'.", None),
    ("train --updates 1.5", "`--updates` must be a whole number; got '1.5'.", None),
    ("train --updates nan", "`--updates` must be a whole number; got 'nan'.", None),
    ("train --updates inf", "`--updates` must be a whole number; got 'inf'.", None),
    ("train --updates 1e400", "`--updates` must be a whole number of 100 digits at most; got '1e400'.", None),
    (
        "train --seed 1e23",
        "`seed` must be a whole number, between 0 and 9223372036854775807; got 100000000000000000000000.",
        None,
    ),
    (
        "sample m --seed 1e23",
        f"`seed` must be a whole number from 0 to {2**63 - 1:,}; got 100000000000000000000000.",
        None,
    ),
    (
        f"sample m --seed {2**63 - 1} --num-return-sequences 2",
        f"`seed` must be a whole number from 0 to {2**63 - 2:,}; got {2**63 - 1}.",
        None,
    ),
    ("train --updates -3", "`updates` must be a whole number, between 0 and 9223372036854775807; got -3.", None),
    ("train --seed -1", "`seed` must be a whole number, between 0 and 9223372036854775807; got -1.", None),
    ("train --hidden-size 0", "`hidden_size` must be a whole number, between 1 and 16384; got 0.", None),
    ("train --learning-rate nan", "`learning_rate` must be a positive finite number; got nan.", None),
    ("train --learning-rate inf", "`learning_rate` must be a positive finite number; got inf.", None),
    ("train --learning-rate -inf", "`learning_rate` must be a positive finite number; got -inf.", None),
    ("train --learning-rate 1e400", "`learning_rate` must be a positive finite number; got inf.", None),
    ("train --learning-rate fast", "`--learning-rate` must be a number; got 'fast'.", None),
    ("train --clip-value -1", "`clip_value` must be a positive finite number; got -1.0.", None),
    ("train --clip-value off", "`--clip-value` must be a number; got 'off'.", None),
    ("train --validation 2", "`validation` must be a number from 0 to 0.9; got 2.0.", None),
    ("train --engine abacus", "`engine` must be one of auto, compiled, reference, torch; got 'abacus'.", None),
    ("train --preset huge", "`preset` must be one of auto, classic, small, medium, large; got 'huge'.", None),
    ("train --run=", "`--run` must not be empty.", None),
    ("train - -", "standard input (`-`) can be read only once.", None),
    ("sample", "MODEL is missing.", "see `recurra sample --help`."),
    ("sample a b", "`b` is one argument too many.", "see `recurra sample --help`."),
    ("sample m --temperature -1", "`temperature` must be a finite number, at least 0; got -1.0.", None),
    ("sample m --temperature nan", "`temperature` must be a finite number, at least 0; got nan.", None),
    ("sample m --temperature 1e400", "`temperature` must be a finite number, at least 0; got inf.", None),
    ("sample m --max-new-tokens -3", f"`max_new_tokens` must be a whole number from 0 to {2**63 - 1:,}; got -3.", None),
    (
        "sample m --num-return-sequences 0",
        "`num_return_sequences` must be a whole number from 1 to 1,000,000; got 0.",
        None,
    ),
    ("sample m --best-of 2e6", "`best_of` must be a whole number from 1 to 1,000,000; got 2000000.", None),
    ("sample m --top-k -1", f"`top_k` must be a whole number from 0 to {2**63 - 1:,}; got -1.", None),
    ("sample m --top-k 1.5", "`--top-k` must be a whole number; got '1.5'.", None),
    ("sample m --top-p 1.1", "`top_p` must be a number from 0 to 1; got 1.1.", None),
    ("sample m --top-p nan", "`top_p` must be a number from 0 to 1; got nan.", None),
    ("sample m --min-p -0.1", "`min_p` must be a number from 0 to 1; got -0.1.", None),
    ("sample m --repetition-penalty 0", "`repetition_penalty` must be a number from 0.01 to 100; got 0.0.", None),
    ("sample m --repetition-penalty inf", "`repetition_penalty` must be a number from 0.01 to 100; got inf.", None),
    ("sample m --stop=", "`stop` must be strings of one character or more; got ''.", None),
    (
        "sample m --prompt a --prompt-file b",
        "`--prompt` and `--prompt-file` cannot be combined.",
        "remove one",
    ),
    ("sample m --interactive --json", "`--interactive` cannot be combined with `--json`.", None),
    ("sample m --interactive --prompt a", "`--interactive` cannot be combined with `--prompt`.", None),
    ("sample m --training-text kjv", "`--training-text` requires `--novelty`.", "add `--novelty`."),
    ("sample m --logprobs", "`--logprobs` requires `--json`.", "add `--json`."),
    ("score", "MODEL is missing.", "see `recurra score --help`."),
    ("score m --dynamik", "there is no option `--dynamik`.", "did you mean `--dynamic`?"),
    ("score m --dynamic-rate 1", "`--dynamic-rate` requires dynamic evaluation.", "add `--dynamic`."),
    (
        "score m --dynamic --dynamic-rate nan",
        "`dynamic_rate` must be a finite number, at least 0; got nan.",
        None,
    ),
    ("score m --dynamic --dynamic-method x", "`dynamic_method` must be one of sgd, rms; got 'x'.", None),
    ("score m --documents words", "`--documents` must be one of none, lines; got 'words'.", None),
    (
        "score m --documents lines --dynamic",
        "`--documents lines` cannot be combined with `--dynamic`.",
        "leave out one of them.",
    ),
    (
        "score m --per-character --also n",
        "`--per-character` cannot be combined with `--also`.",
        "leave out one of them.",
    ),
    (
        "check m --text kjv",
        "MODEL cannot be combined with `--text`; it has its own network and text.",
        "leave out one of them.",
    ),
    (
        "check m --hidden-size 5",
        "MODEL cannot be combined with `--hidden-size`; it has its own network and text.",
        "leave out",
    ),
    (
        "check m --every",
        "`--every` cannot be combined with MODEL; it has its own networks and texts.",
        "leave out one of them.",
    ),
    (
        "check --every --cell gru",
        "`--every` cannot be combined with `--cell`; it has its own networks and texts.",
        "leave out",
    ),
    ("train --patience 3", "`patience` must be 0 if `validation` is 0; got 3.", None),
    ("check --text --json", "a text is expected before `--json`.", "see `recurra check --help`."),
    ("check --seed -1", "`seed` must be a whole number, between 0 and 9223372036854775807; got -1.", None),
    ("report", "RUN is missing.", "see `recurra report --help`."),
    (
        "report r --format svg",
        "`--format` requires `--figures`.",
        "add `--figures DIR`.",
    ),
    ("report r --figures f --format gif", "`--format` must be one of pdf, png, svg; got 'gif'.", None),
    ("books extra", "`extra` is one argument too many.", "see `recurra books --help`."),
]


@pytest.mark.parametrize(("line", "message", "hint"), USAGE, ids=[line for line, _, _ in USAGE])
def test_usage_errors_are_a_line_and_a_hint(call: Call, line: str, message: str, hint: str | None) -> None:
    code, out, err = call(*line.split(" "))
    assert code == 2
    assert out == ""
    said = err.splitlines()
    assert said[0] == f"error: {message}"
    assert len(said) == (1 if hint is None else 2)
    if hint is not None:
        assert said[1].startswith("hint: ")
        assert hint in said[1]


def test_notations_of_whole_numbers(call: Call, book: Path) -> None:
    for written in ("1e1", "1_0", "+10", "10"):
        assert (
            call("train", book, "--updates", written, "--hidden-size", "8", "--run", "r", "--force", "--no-proof").code
            == 0
        )


def test_words_after_two_dashes_are_texts(call: Call) -> None:
    code, _, err = call("train", "--", "--updates")
    assert code == 3
    assert "--updates is neither a book nor an existing file or folder" in err
