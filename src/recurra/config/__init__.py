"""Settings of the network and its training: each is declared once, as a field of a frozen dataclass.

The modules of the package:

    arguments           checks of the arguments of public functions
    declaration         the metadata of a field: help, allowed values, group, unit, and the rule for resumed runs
    presets             named sets of settings, and the automatic choice for a text and a time limit
    model_settings      `ModelConfig`
    training_settings   `TrainingConfig`
    keywords            from keyword arguments and a preset to both configurations
"""

from recurra.config.declaration import MAX_SEED, NONE, Setting
from recurra.config.keywords import SETTINGS, TIMES, Settings, configs, in_seconds, split
from recurra.config.model_settings import ACTIVATIONS, CELLS, DEFAULT_CELL, ModelConfig, ModelSettings
from recurra.config.training_settings import (
    DEVICES,
    DOCUMENTS,
    ENGINES,
    HYPERPARAMETERS,
    OPTIMIZERS,
    ORDERS,
    SCHEDULES,
    TrainingConfig,
    TrainingSettings,
)

__all__ = [
    "ACTIVATIONS", "CELLS", "DEFAULT_CELL", "DEVICES", "DOCUMENTS", "ENGINES", "HYPERPARAMETERS", "MAX_SEED", "NONE",
    "OPTIMIZERS", "ORDERS", "SCHEDULES", "SETTINGS", "TIMES", "ModelConfig", "ModelSettings", "Setting", "Settings",
    "TrainingConfig", "TrainingSettings", "configs", "in_seconds", "split",
]  # fmt: skip
