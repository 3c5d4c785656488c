"""The model card, README.md of a model folder: the network, its origin, and ten lines of PyTorch that use it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from recurra.formatting import sanitize
from recurra.inference.sampling import start_ids
from recurra.network.cells import cell_of, torch_module

if TYPE_CHECKING:
    from recurra.interop.origin import Origin
    from recurra.model import LanguageModel

CARD = """\
---
library_name: pytorch
pipeline_tag: text-generation
tags:
- recurra
- character-level
- {cell}
---

# {name}

A character-level recurrent language model: it predicts a text one {kind} after the other. It was trained with recurra,
a command-line program and Python library for such models.

| | |
|---|---|
{facts}

## Use

To generate 200 {kinds} with the Python packages torch and safetensors, run this code in this folder:

```python
{code}
```

With recurra: `recurra import FOLDER -o model.safetensors`, then `recurra sample model.safetensors`.

## Files

| file | content |
|---|---|
| `model.safetensors` | float32; `rnn.*`: the state_dict of `{module}`; `output.*`: the state_dict of `{linear}` |
| `config.json` | the settings and sizes of the network |
| `vocab.json` | {symbols} |

The network reads one-hot vectors of shape (time, vocabulary). To start a text, set the state to zero and read
{start}.{reset} The `log_softmax` of `output` is the log-probability of each possible next symbol.

## Limits

The model reads and generates only the {kinds} of its training text. It may repeat parts of that text, and it may
generate false or offensive statements.
"""
CODE = """\
import json, pathlib, torch{imported}
from safetensors.torch import load_file
vocabulary = json.loads(pathlib.Path("vocab.json").read_text(encoding="utf-8"))
model = torch.nn.ModuleDict({"rnn": {module}, "output": {linear}})
model.load_state_dict(load_file("model.safetensors"))
ids, state = torch.tensor([vocabulary[{first}]]), None
for _ in range(200):
    {reset}h, state = model["rnn"](torch.nn.functional.one_hot(ids, {K}).float(), state)
    ids = torch.multinomial(model["output"](h[-1]).softmax(-1), 1)
    {output}"""


def module_of(model: LanguageModel) -> str:
    """Return the Python expression of the recurrent layers."""
    config = model.config
    arguments = f"{len(model.vocabulary)}, {config.hidden_size}, {config.layers}"
    cell, module = cell_of(config), torch_module(config)
    usual = config.activation == cell.activations[0]
    activation = "" if usual else f', nonlinearity="{config.activation}"'
    return f"torch.nn.{module.name}({arguments}{activation})"


def code(model: LanguageModel) -> str:
    """Return about ten lines of Python that print 200 symbols; they run in a model folder."""
    is_bytes = model.vocabulary.is_bytes
    words = {
        "imported": ", sys" if is_bytes else "",
        "module": module_of(model),
        "linear": _linear(model),
        "first": ascii(_first(model)),
        "K": str(len(model.vocabulary)),
        "reset": "" if model.document_end is None else f"state = None if ids == {model.document_end} else state\n    ",
        "output": "sys.stdout.buffer.write(bytes(ids.tolist()))"
        if is_bytes
        else 'print(list(vocabulary)[ids], end="")',
    }
    return _filled(CODE, words)


def card(origin: Origin) -> str:
    """Return the model card in Markdown."""
    model = origin.model
    is_bytes = model.vocabulary.is_bytes
    rows = [f"| {name} | {_cell(value)} |" for name, value in origin.facts.items()]
    words = {
        "cell": model.config.cell,
        "name": _cell(origin.name),
        "facts": "\n".join(rows),
        "code": code(model),
        "module": module_of(model),
        "linear": _linear(model),
        "symbols": "byte, as the character with its number → id" if is_bytes else "character → id, by code point",
        "start": f"`{_first(model)!a}`, which is not part of the text" if _first(model) != "`" else "a backquote",
        "reset": "" if model.document_end is None else " Reset the state to zero before each newline.",
        "kind": "byte" if is_bytes else "character",
        "kinds": "bytes" if is_bytes else "characters",
    }
    return _filled(CARD, words)


def _linear(model: LanguageModel) -> str:
    return f"torch.nn.Linear({model.config.hidden_size}, {len(model.vocabulary)})"


def _first(model: LanguageModel) -> str:
    """Return the symbol that the network reads before a text."""
    return model.vocabulary.decode(start_ids(model.vocabulary))


def _filled(template: str, words: dict[str, str]) -> str:
    """Replace each {name} of `words` in the template once; text inserted for a name is not searched again."""
    return re.sub(rf"\{{({'|'.join(words)})\}}", lambda match: words[match[1]], template)


def _cell(text: str) -> str:
    """Escape a text for one cell of a Markdown table."""
    one_line = sanitize(text).replace("\n", " ")
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>|#!~&" else character for character in one_line)
