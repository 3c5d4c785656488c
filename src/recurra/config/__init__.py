"""Settings: each is declared once, as a field of a frozen dataclass.

arguments           checks of the arguments of public functions
declaration         the metadata of a field: help, allowed values, group, unit, whether a resumed run may change it
presets             named settings, and the choice among them for a text and a time
model_settings      `ModelConfig`
training_settings   `TrainingConfig`
keywords            settings by name, on top of a preset's, to both configurations
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
