"""recurra: train character-level recurrent language models on your own text.

run = recurra.train("book.txt", updates=100_000)
model = recurra.load("runs/book")
print(model.sample("In the beginning", temperature=0.7))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.api.file_compression import compress, decompress
    from recurra.api.gradient_checking import check
    from recurra.api.model_exchange import export, import_model
    from recurra.api.model_serving import serve
    from recurra.api.model_training import train
    from recurra.api.run_reports import write_report
    from recurra.api.text_scoring import baselines, evaluate, score
    from recurra.config import ModelConfig, TrainingConfig
    from recurra.errors import (
        CheckpointError,
        Interrupted,
        ModelError,
        NumericalError,
        RecurraError,
        StorageError,
        TextError,
        UsageError,
    )
    from recurra.inference.novelty import novelty
    from recurra.inference.sampling import SamplingConfig
    from recurra.model import LanguageModel
    from recurra.runs.provenance import read_training_text
    from recurra.runs.run import Run
    from recurra.runs.saved_model import load
    from recurra.text.vocabulary import Vocabulary

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "Interrupted",
    "LanguageModel",
    "ModelConfig",
    "ModelError",
    "NumericalError",
    "RecurraError",
    "Run",
    "SamplingConfig",
    "StorageError",
    "TextError",
    "TrainingConfig",
    "UsageError",
    "Vocabulary",
    "baselines",
    "check",
    "compare_gradients",
    "compress",
    "decompress",
    "evaluate",
    "export",
    "import_model",
    "load",
    "novelty",
    "read_training_text",
    "score",
    "serve",
    "train",
    "write_gradient_problem",
    "write_report",
]

_MODULES = {
    "recurra.api.file_compression": ("compress", "decompress"),
    "recurra.api.gradient_checking": ("check", "compare_gradients", "write_gradient_problem"),
    "recurra.api.model_exchange": ("export", "import_model"),
    "recurra.api.model_serving": ("serve",),
    "recurra.api.model_training": ("train",),
    "recurra.api.run_reports": ("write_report",),
    "recurra.api.text_scoring": ("baselines", "evaluate", "score"),
    "recurra.config": ("ModelConfig", "TrainingConfig"),
    "recurra.inference.novelty": ("novelty",),
    "recurra.inference.sampling": ("SamplingConfig",),
    "recurra.model": ("LanguageModel",),
    "recurra.text.vocabulary": ("Vocabulary",),
    "recurra.runs.provenance": ("read_training_text",),
    "recurra.runs.run": ("Run",),
    "recurra.runs.saved_model": ("load",),
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module at its first use, so that `import recurra` loads no large package."""
    if name not in __all__:
        raise AttributeError(f"module `recurra` has no attribute `{name}`")
    module = next((module for module, names in _MODULES.items() if name in names), "recurra.errors")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
