"""Export of models for other programs, and import of the models of other programs."""

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
    """Write a model for another program.

    Args:
        model: a model, a run directory (its best checkpoint) or a checkpoint file. For the last two, the model card
            names the run and its training text.
        path: the file or folder to write; None: named after the run, in the working directory.
        format: "folder", "torch", "onnx" or "matlab".
        force: replace existing files.

    Returns:
        the path of the file or folder.

    Raises:
        UsageError: if the format cannot represent the network, if a package is missing, or if a file exists.
        StorageError: if a file cannot be written.
    """
    return export_files(model, path, format=format, force=force)[1]


def export_files(
    model: LanguageModel | str | Path, path: str | Path | None, *, format: str, force: bool
) -> tuple[Origin, Path, list[Path]]:
    """Write a model for another program and return details for the command `recurra export`.

    Args:
        model: as in `export`.
        path: as in `export`.
        format: as in `export`.
        force: as in `export`.

    Returns:
        the model with the facts about it, the path of the file or folder, and the paths of the written files.
    """
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
    """Load a model that another program or `export` wrote, in any format except ONNX.

    The weights are rounded to float32. A UserWarning reports each assumption: how the text was read, and which
    characters replace symbols of more than one character.

    Args:
        path: an exported folder, a state_dict as safetensors or .npz, or U, W, V, b and c in a MAT-file or .npz.
        vocabulary: a JSON file with the character of each id, or "bytes".
        sources: instead of `vocabulary`: book names, files or folders with exactly the network's characters, whose
            sorted order gives the ids.
        encoding: the encoding of the sources, or "bytes".
        activation: the activation of an nn.RNN: "tanh" (default) or "relu".
        recurrent: the name of the nn.RNN, LSTM or GRU, if the file has several candidates.
        projection: the name of the nn.Linear, if the file has several candidates.
        embedding: the name of an nn.Embedding before the recurrent module.
        output: the model file to write; None: write nothing (see `LanguageModel.save`).
        force: replace an existing output file.

    Returns:
        the model.

    Raises:
        ModelError: if the file has no network that recurra can run.
        CheckpointError: if the file is damaged.
        UsageError: if the file does not determine the network and an argument is missing.
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
    require_texts(listed or (), lambda _: "give the training text of the network.", encoding)
    model = importing.load(path, importing.Options(vocabulary, listed, encoding, names, activation))
    if target is not None:
        files.write_model(model, target)
    return model
