"""The OpenAPI schema: responses to the random requests of schemathesis agree with the schema."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from processes import PATIENCE
from recurra import LanguageModel
from recurra.serving import limits
from recurra.serving.security import Guard
from serving_client import Running, call

HERE = Path(__file__).parents[1] / "helpers"


def test_schemathesis_finds_no_error(running: Running, model: LanguageModel, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="CI alone installs schemathesis, which has many dependencies")
    line = [str(Path(sys.executable).parent / "st"), "--config-file", str(HERE / "schemathesis.toml")]
    line += ["run", f"{running.url}/openapi.json", "--no-color", "--max-examples", "20", "--seed", "1"]
    checks = {"SCHEMATHESIS_HOOKS": str(HERE / "schema_checks.py"), "SYMBOLS": str(len(model.vocabulary))}
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path, env=os.environ | checks)
    assert done.returncode == 0, done.stdout
    assert httpx.get(f"{running.url}/health").status_code == 200


def schema(guard: Guard) -> Any:
    return call(guard, "GET", "/openapi.json").json()


def test_the_schema_has_every_route(guard: Guard) -> None:
    expected = {"/health", "/v1/models", "/v1/models/{model}", "/v1/completions", "/v1/score", "/session"}
    assert set(schema(guard)["paths"]) == expected


def test_descriptions_state_the_limits_across_fields(guard: Guard) -> None:
    schemas = schema(guard)["components"]["schemas"]
    for number in (
        limits.MAX_PROMPT_CHARACTERS,
        limits.MAX_CHOICES,
        limits.MAX_TOTAL_TOKENS,
        limits.MAX_LOGPROB_ENTRIES,
    ):
        assert f"more than {number:,} " in " ".join(schemas["CompletionRequest"]["description"].split())
    assert f"more than {limits.MAX_PROMPT_CHARACTERS:,} " in schemas["ScoreRequest"]["description"]


def test_schema_has_the_error_format_for_every_status(guard: Guard) -> None:
    document = schema(guard)
    for path, methods in document["paths"].items():
        for method in methods.values():
            for status, response in method["responses"].items():
                if status[0] in "45":
                    content = response["content"]["application/json"]["schema"]
                    assert content == {"$ref": "#/components/schemas/ErrorReply"}, (path, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]
