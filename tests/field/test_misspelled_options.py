"""Suggestions for misspelled options, and the defaults in the help."""

from __future__ import annotations

import re

import pytest

from recurra.cli import main
from recurra.cli.command_line import COMMANDS, build
from recurra.cli.parser_errors import suggestion
from recurra.config import TIMES, configs

MEANT = [
    ("sample m --temp 1", "--temperature"),
    ("sample m --tokens 5", "--max-new-tokens"),
    ("sample m --new_tok 5", "--max-new-tokens"),
    ("sample m --repetition 2", "--repetition-penalty"),
    ("sample m --num 2", "--num-return-sequences"),
    ("sample m --top 5", "--top-k` or `--top-p"),
    ("train book --rate 1", "--final-rate` or `--learning-rate"),
    ("train book --lr 1", None),
    ("train book --hidden 8", "--hidden-size"),
    ("train book --batch 8", "--batch-size"),
    ("train book --seq 8", "--sequence-length"),
    ("train book --checkpoint 8s", "--checkpoint-every"),
    ("train book --clip 5", "--clip-norm` or `--clip-value"),
    ("train book --drop 0.5", "--dropout"),
    ("score m t --base", "--baselines"),
    ("check --hidden 8", "--hidden-size"),
    ("compress m f --adapt", "--adaptive"),
    ("serve m --key k", "--api-key-file"),
    ("export m --form onnx", "--format"),
]


@pytest.mark.parametrize(("line", "option"), MEANT)
def test_the_suggestion_is_what_was_meant(line: str, option: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    hint = capsys.readouterr().err.splitlines()[-1]
    assert ("did you mean" in hint) is (option is not None)
    assert option is None or f"did you mean `{option}`?" in hint


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_found_by_a_beginning_of_its_own(command: str) -> None:
    app = build()
    arguments = app.parse_commands([command])[1][-1].assemble_argument_collection()
    options = {name for argument in arguments for name in argument.names if name.startswith("--")}
    for option in options:
        for length in range(4, len(option)):
            beginning = option[:length]
            if [one for one in options if one.startswith(beginning)] != [option]:
                continue
            assert suggestion(beginning, options) == f"`{option}`"


def test_defaults_in_the_help_of_train_are_those_of_its_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    page = " ".join(capsys.readouterr().out.replace("│", " ").split())
    network, training = configs({"preset": "auto"}, 1_000_000)
    assert "[default: auto]" in page.partition("--preset STR")[2][:120]
    checked = 0
    for name, value in (network.to_table() | training.to_table()).items():
        about = page.partition(f" --{name.replace('_', '-')} ")[2].partition(" --")[0]
        shown = re.search(r"\[default: ([^]]*)\]", about)
        if about and shown is not None:
            seconds = f"{value:g}s" if name in TIMES and value is not None else None
            assert shown[1] in (str(value) or "empty", seconds, "by preset", "by optimizer"), name
            checked += 1
    assert checked > 30
