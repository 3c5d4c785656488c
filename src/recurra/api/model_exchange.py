"""Models for other programs, and the models of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recurra.config import arguments
from recurra.interop import exporting, files, importing
from recurra.interop.origin import Origin, origin_of
from recurra.interop.torch_names import Names
from recurra.model import LanguageModel
from recurra.text.model_files import require_texts
from recurra.text.reading import Source, list_sources


def export(
    model: LanguageModel | str | Path, path: str | Path | None = None, *, format: str = "folder", force: bool = False
) -> Path:
    """Write a model for another program; returns the path of the file or folder.

    model
        a model, a run's folder (its best checkpoint) or a checkpoint file; of the last two a model card tells where
        they come from
    path
        the file or folder to write (default: here, named after the run)
    format
        folder, torch, onnx or matlab
    force
        replace files that are there

    Raises UsageError where the network does not fit the format or a package is missing, StorageError.
    """
    return export_files(model, path, format=format, force=force)[1]


def export_files(
    model: LanguageModel | str | Path, path: str | Path | None, *, format: str, force: bool
) -> tuple[Origin, Path, list[Path]]:
    """Do the work of `export`; returns the model with the facts about it, the path, and the files in it."""
    exporting.require_format(format)
    force = arguments.flag("force", force)
    path = None if path is None else arguments.path("path", path)
    origin = origin_of(model if isinstance(model, LanguageModel) else arguments.path("model", model))
    target = exporting.default_path(origin, format) if path is None else path
    return origin, target, exporting.write(origin, target, format, force=force)


def import_model(
    path: str | Path,
    *,
    vocabulary: str | Path | None = None,
    sources: Source | Sequence[Source] | None = None,
    encoding: str = "utf-8",
    activation: str | None = None,
    recurrent: str | None = None,
    projection: str | None = None,
    embedding: str | None = None,
    output: str | Path | None = None,
    force: bool = False,
) -> LanguageModel:
    """Load the model that another program has written, or `export`, but for ONNX.

    path
        an exported folder, a state_dict as safetensors or .npz, or U, W, V, b and c in a MAT-file or .npz
    vocabulary
        a JSON file with the character of each id, or "bytes"
    sources
        in its place a book's name, files or folders, in `encoding`, whose characters, sorted, are the network's
    activation
        of an nn.RNN: tanh, unless given, or relu
    recurrent
        the name of the nn.RNN, LSTM or GRU, where it does not tell itself; `projection` that of the nn.Linear,
        `embedding` that of an nn.Embedding before it
    output
        the model file to write; `force` replaces a file that is there (default: `LanguageModel.save` writes it later)

    Numbers are rounded to float32. A UserWarning says what was assumed: how the text was read, and which characters
    stand for symbols that are no single character. Raises ModelError if the file is no such network, CheckpointError
    if it is damaged, and UsageError if it leaves something open that is not given.
    """
    path, force = arguments.path("path", path), arguments.flag("force", force)
    if vocabulary is not None:
        arguments.path("vocabulary", vocabulary)
    words = {"recurrent": recurrent, "projection": projection, "embedding": embedding, "activation": activation}
    for name, word in words.items():
        if word is not None:
            arguments.text(name, word)
    target = None if output is None else arguments.path("output", output)
    if target is not None:
        files.require_absent([target], force=force)
    listed, names = None if sources is None else list_sources(sources), Names(recurrent, projection, embedding)
    require_texts(listed or (), lambda _: "give the text that the network was trained on.", encoding)
    model = importing.load(path, importing.Options(vocabulary, listed, encoding, names, activation))
    if target is not None:
        files.write_model(model, target)
    return model
