"""Fixtures with small models, served in this process or by a separate server."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from processes import started
from recurra import LanguageModel, ModelConfig, Vocabulary
from recurra.network.parameters import initialize

NEEDED = ("fastapi", "uvicorn", "httpx")
MISSING = [name for name in NEEDED if find_spec(name) is None]

if not MISSING:
    from recurra.serving.access import Access
    from recurra.serving.application import create_application
    from recurra.serving.registry import Registry, ServedModel
    from recurra.serving.security import Guard
    from serving_client import HOST, Running


def pytest_report_header() -> str:
    """Return the reason if the tests of the server are skipped."""
    return f"tests/serving: skipped, the extra `serve` is not installed ({', '.join(MISSING)})" if MISSING else ""


TEXT = "In the beginning was the word, and a word was at the end.\n"
KEY = "k3y-0f-m0re-than-128-bits-Zq8xW2vB7nM4"


def small_model(vocabulary: Vocabulary | None = None, seed: int = 0, scale: float = 30.0) -> LanguageModel:
    """Create an untrained network with weights so large that it prefers some characters."""
    vocabulary = vocabulary or Vocabulary.of(TEXT)
    config = ModelConfig(hidden_size=12)
    parameters = initialize(config, len(vocabulary), seed=seed)
    return LanguageModel(config, vocabulary, {name: scale * array for name, array in parameters.items()})


@pytest.fixture(scope="session")
def model() -> LanguageModel:
    """Create a model of characters."""
    return small_model()


@pytest.fixture(scope="session")
def bytes_model() -> LanguageModel:
    """Create a model of bytes."""
    return small_model(Vocabulary.bytes(), scale=3.0)


@pytest.fixture(scope="session")
def registry(model: LanguageModel, bytes_model: LanguageModel) -> Registry:
    """Register both models by name."""
    return Registry(
        ServedModel(name, one, one.sha256, 1_700_000_000, None)
        for name, one in (("small", model), ("bytes", bytes_model))
    )


@pytest.fixture
def guard(registry: Registry) -> Guard:
    """Create the application without an API key."""
    return create_application(registry, Access(frozenset({HOST})))


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory, model: LanguageModel) -> Path:
    """Save the model of characters and return the path of its file."""
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def start(model_file: Path) -> Iterator[Callable[..., Running]]:
    """Return a function that starts a server process; all servers end with the tests."""
    held = contextlib.ExitStack()

    def begin(*arguments: object, **environment: str) -> Running:
        line = [sys.executable, "-m", "recurra", "serve", str(model_file), "--port", "0", *map(str, arguments)]
        changes = {"PYTHONPATH": str(Path(__file__).parents[2] / "src")} | environment
        inherited = {name: value for name, value in os.environ.items() if name != "RECURRA_API_KEY"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = held.enter_context(started(line, env=inherited | changes, **pipes))
        assert process.stdout is not None
        running = Running(process, process.stdout.readline().strip())
        assert running.url, running.ended()
        return running

    with held:
        yield begin


@pytest.fixture(scope="session")
def running(start: Callable[..., Running]) -> Running:
    """Start one server for all tests that do not change it."""
    return start()
