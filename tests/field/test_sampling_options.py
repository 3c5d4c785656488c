"""Each sampling option is declared once, for the command, Python, the kernel and the server."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import numpy as np
import pytest

from recurra import SamplingConfig, Vocabulary
from recurra.cli.command_line import build
from recurra.engines.kernels.choice import Rules
from recurra.inference.sampling import rules_of
from recurra.inference.sampling_options import SamplingOptions

FIELDS = dataclasses.fields(SamplingOptions)
RULES = {field.name: field.metadata["rule"] for field in FIELDS if field.metadata["rule"] is not None}


def test_the_command_has_every_option_with_its_help() -> None:
    arguments = build()["sample"].assemble_argument_collection()
    found = {name: argument.parameter.help for argument in arguments for name in argument.names}
    for field in FIELDS:
        assert found[f"--{field.name.replace('_', '-')}"] == field.metadata["help"]


def test_the_configuration_has_the_options_and_no_others() -> None:
    assert [field.name for field in dataclasses.fields(SamplingConfig)] == [field.name for field in FIELDS]


def test_the_kernel_has_a_number_of_each_rule() -> None:
    vocabulary = Vocabulary.of("ab")
    given = {"temperature": 0.5, "top_k": 3, "top_p": 0.25, "min_p": 0.125, "repetition_penalty": 2.0}
    rules = rules_of(SamplingConfig(**given), vocabulary, np.zeros(0, np.int64), 16)  # type: ignore[arg-type]
    assert {name for name, _ in RULES.values()} | {"bias", "seen"} == set(Rules._fields)
    for option, (name, kind) in RULES.items():
        assert getattr(rules, name).tolist() == [given[option]]
        assert getattr(rules, name).dtype == kind


def test_the_server_takes_every_rule() -> None:
    pytest.importorskip("pydantic", reason="the server needs the extra `serve`")
    from recurra.serving import schemas

    requests: Any = [value for _, value in inspect.getmembers(schemas) if hasattr(value, "model_fields")]
    names = {name for request in requests for name in request.model_fields}
    assert set(RULES) <= names
