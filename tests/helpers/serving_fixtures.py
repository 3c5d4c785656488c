"""A small model that is served: in this process, and by a server of its own."""

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
    """Why the tests of the server do not run, where they do not."""
    return f"tests/serving: skipped, the extra `serve` is not installed ({', '.join(MISSING)})" if MISSING else ""


TEXT = "In the beginning was the word, and a word was at the end.\n"
KEY = "k3y-0f-m0re-than-128-bits-Zq8xW2vB7nM4"


def small_model(vocabulary: Vocabulary | None = None, seed: int = 0, scale: float = 30.0) -> LanguageModel:
    """A network that has learned nothing, whose weights are so large that it prefers some characters."""
    vocabulary = vocabulary or Vocabulary.of(TEXT)
    config = ModelConfig(hidden_size=12)
    parameters = initialize(config, len(vocabulary), seed=seed)
    return LanguageModel(config, vocabulary, {name: scale * array for name, array in parameters.items()})


@pytest.fixture(scope="session")
def model() -> LanguageModel:
    """A model of characters."""
    return small_model()


@pytest.fixture(scope="session")
def bytes_model() -> LanguageModel:
    """A model of bytes."""
    return small_model(Vocabulary.bytes(), scale=3.0)


@pytest.fixture(scope="session")
def registry(model: LanguageModel, bytes_model: LanguageModel) -> Registry:
    """Both, by name."""
    return Registry(
        ServedModel(name, one, one.sha256, 1_700_000_000, None)
        for name, one in (("small", model), ("bytes", bytes_model))
    )


@pytest.fixture
def guard(registry: Registry) -> Guard:
    """The application, without a key."""
    return create_application(registry, Access(frozenset({HOST})))


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory, model: LanguageModel) -> Path:
    """The model of characters in a file."""
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def start(model_file: Path) -> Iterator[Callable[..., Running]]:
    """Start a server as a process of its own; it ends with the tests."""
    held = contextlib.ExitStack()

    def begin(*arguments: object, **environment: str) -> Running:
        line = [sys.executable, "-m", "recurra", "serve", str(model_file), "--port", "0", *map(str, arguments)]
        own = {"PYTHONPATH": str(Path(__file__).parents[2] / "src")} | environment
        inherited = {name: value for name, value in os.environ.items() if name != "RECURRA_API_KEY"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = held.enter_context(started(line, env=inherited | own, **pipes))
        assert process.stdout is not None
        running = Running(process, process.stdout.readline().strip())
        assert running.url, running.ended()
        return running

    with held:
        yield begin


@pytest.fixture(scope="session")
def running(start: Callable[..., Running]) -> Running:
    """One server for all tests that leave it as it is."""
    return start()
