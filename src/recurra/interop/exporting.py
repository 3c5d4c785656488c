"""A model → the files of another program."""

from __future__ import annotations

from pathlib import Path

from recurra.errors import UsageError
from recurra.interop import files, folder, matlab, matlab_script, onnx_graph
from recurra.interop.origin import Origin
from recurra.text.words import word_characters

FORMATS = ("folder", "torch", "onnx", "matlab")
SUFFIXES = {"folder": "-model", "torch": ".safetensors", "onnx": ".onnx", "matlab": ".mat"}


def require_format(format: str) -> None:
    """UsageError for a format that there is not."""
    if not isinstance(format, str) or format not in FORMATS:
        raise UsageError(f"`format` must be one of {', '.join(FORMATS)}; got {format!r:.80}.")


def default_path(origin: Origin, format: str) -> Path:
    """Where the export of that name goes, here."""
    name = word_characters(origin.name, ".-", "_")
    return Path(f"{name}{SUFFIXES[format]}")


def write(origin: Origin, path: Path, format: str, *, force: bool) -> list[Path]:
    """Write the model to `path` in that `format`; returns the files, `path` or what lies in it first.

    Raises UsageError where a package is missing, a file is there already or the network does not fit the format.
    """
    require_format(format)
    targets = _targets(path, format)
    files.require_free(targets, force=force)
    if format == "folder":
        _require_folder(path)
        return files.write({path / name: data for name, data in folder.content(origin).items()})
    if format == "matlab":
        text = matlab_script.script(path.name, matlab.update_line(origin.model.config))
        return files.write({path: matlab.to_bytes(origin.model), targets[1]: text})
    data = onnx_graph.to_bytes(origin.model) if format == "onnx" else folder.state_dict(origin.model)
    return files.write({path: data})


def _targets(path: Path, format: str) -> list[Path]:
    """The files that will be written."""
    if format == "folder":
        return [path / name for name in (folder.WEIGHTS, folder.CONFIG, folder.VOCABULARY, folder.CARD)]
    if format != "matlab":
        return [path]
    if path.suffix != ".mat":
        raise UsageError(f"a MAT-file's name ends in .mat; got `{path.name}`.", hint="MATLAB takes others for text.")
    return [path, path.with_name(f"{matlab_script.function_name(path.stem)}.m")]


def _require_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise UsageError(f"`{path}` is there already, and is no folder.", hint="give another name with `-o`.")
