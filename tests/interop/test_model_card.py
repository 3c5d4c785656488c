"""The model card: its content, and the escaping of names."""

from __future__ import annotations

import ast

import pytest

from networks import CONFIGS, make, name_of, small
from recurra.config import ModelConfig
from recurra.interop.model_card import card, code
from recurra.interop.origin import Origin, origin_of
from recurra.model import LanguageModel
from recurra.text.vocabulary import Vocabulary


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_code_has_ten_lines_for_every_network(config: ModelConfig) -> None:
    text = code(small(config))
    assert len(text.splitlines()) == 10
    assert max(map(len, text.splitlines())) <= 120
    ast.parse(text)
    assert f"\n```python\n{text}\n```\n" in card(origin_of(small(config)))


@pytest.mark.parametrize(
    "vocabulary",
    [
        Vocabulary.of("ab\n"),
        Vocabulary.of("'\"\\`"),
        Vocabulary.of("`a"),
        Vocabulary.of("\u2028日{first}"),
        Vocabulary.bytes(),
    ],
    ids=repr,
)
def test_first_symbol_is_a_valid_python_literal(vocabulary: Vocabulary) -> None:
    model = make(ModelConfig(hidden_size=3), vocabulary)
    text = code(model)
    line = next(line for line in text.splitlines() if line.startswith("ids, state"))
    values = [node.value for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Constant)]
    assert [value for value in values if isinstance(value, str)] == [
        "\n" if "\n" in vocabulary.symbols else vocabulary.symbols[0]
    ]


def test_card_has_the_origin_of_the_model() -> None:
    origin = Origin(small(), "kjv", {"weights": "the best checkpoint", "text": "kjv, 5 symbols"})
    text = card(origin)
    head, table = text.split("---\n")[1:3]
    assert "library_name: pytorch\npipeline_tag: text-generation\n" in head
    assert table.startswith("\n# kjv\n")
    assert "| weights | the best checkpoint |\n| text | kjv, 5 symbols |\n" in table
    assert text.endswith(".\n")
    assert "{" not in table.replace('{"rnn"', "")


def test_markdown_in_names_is_escaped() -> None:
    name = "<script>|`[x](http://x)\x1b\n# no {code} {cell}"
    text = card(Origin(small(), name, {"text": name}))
    assert "\x1b" not in text
    lines = [line for line in text.splitlines() if "script" in line]
    assert len(lines) == 2  # the title, and the row of the table
    assert all("\\<script\\>\\|\\`\\[x\\](http://x)" in line and "\\{code\\}" in line for line in lines)


def test_code_of_a_byte_model_writes_bytes() -> None:
    model: LanguageModel = make(ModelConfig(hidden_size=3), Vocabulary.bytes())
    assert "sys.stdout.buffer.write(bytes(ids.tolist()))" in code(model)
    assert "byte, as the character with its number" in card(origin_of(model))
