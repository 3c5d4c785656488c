"""The README of a model folder: the network, its origin, and ten lines of PyTorch that use it."""

from __future__ import annotations

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

A character-level recurrent language model, trained with recurra.

| | |
|---|---|
{facts}

## Use

With PyTorch and safetensors, in this folder:

```python
{code}
```

With recurra: `recurra import FOLDER -o model.safetensors`, then `recurra sample model.safetensors`.

## Files

| file | what it holds |
|---|---|
| `model.safetensors` | `rnn.*`: the state_dict of `{module}`; `output.*`: that of `{linear}`; float32 |
| `config.json` | the sizes of the network |
| `vocab.json` | {symbols} |

The network reads one-hot vectors, time first. It begins with a zero state and {start}.{reset}
`log_softmax` of what `output` gives are the log-probabilities of the next symbol.

## Limits

It knows the {kinds} of its text and no others. A model remembers parts of its text, and writes what is false or
offensive where its text did.
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
    {shown}"""


def module_of(model: LanguageModel) -> str:
    """The recurrent layers, in Python."""
    config = model.config
    arguments = f"{len(model.vocabulary)}, {config.hidden_size}, {config.layers}"
    cell, module = cell_of(config), torch_module(config)
    usual = config.activation == cell.activations[0]
    activation = "" if usual else f', nonlinearity="{config.activation}"'
    return f"torch.nn.{module.name}({arguments}{activation})"


def code(model: LanguageModel) -> str:
    """Some ten lines of Python that write 200 symbols, in a model folder."""
    is_bytes = model.vocabulary.is_bytes
    words = {
        "imported": ", sys" if is_bytes else "",
        "module": module_of(model),
        "linear": _linear(model),
        "first": ascii(_first(model)),
        "K": str(len(model.vocabulary)),
        "reset": "" if model.document_end is None else f"state = None if ids == {model.document_end} else state\n    ",
        "shown": "sys.stdout.buffer.write(bytes(ids.tolist()))" if is_bytes else 'print(list(vocabulary)[ids], end="")',
    }
    return _filled(CODE, words)


def card(origin: Origin) -> str:
    """The README."""
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
        "symbols": "byte, as the character of its number → id" if is_bytes else "character → id, in code-point order",
        "start": f"`{_first(model)!a}`, which is not shown" if _first(model) != "`" else "a backquote",
        "reset": "" if model.document_end is None else " The state is zero again before each newline.",
        "kinds": "bytes" if is_bytes else "characters",
    }
    return _filled(CARD, words)


def _linear(model: LanguageModel) -> str:
    return f"torch.nn.Linear({model.config.hidden_size}, {len(model.vocabulary)})"


def _first(model: LanguageModel) -> str:
    """What is read before a text."""
    return model.vocabulary.decode(start_ids(model.vocabulary))


def _filled(template: str, words: dict[str, str]) -> str:
    """The template with each {word}, in one pass, so that what is filled in is not filled again."""
    parts = template.split("{")
    return parts[0] + "".join(_one(part, words) for part in parts[1:])


def _one(part: str, words: dict[str, str]) -> str:
    name, closed, rest = part.partition("}")
    return words[name] + rest if closed and name in words else "{" + part


def _cell(text: str) -> str:
    """A text that Markdown shows as it is, in one line of a table."""
    one_line = sanitize(text).replace("\n", " ")
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>|#!~&" else character for character in one_line)
