"""The file formats of other programs by name. To add a format, write a module with an ENTRY and list it here."""

from __future__ import annotations

from typing import Final

from recurra.interop import folder, matlab, numpy_network, onnx_graph, torch_file
from recurra.interop.format_entry import FileFormat

FORMATS: Final[dict[str, FileFormat]] = {
    module.ENTRY.name: module.ENTRY for module in (folder, torch_file, numpy_network, onnx_graph, matlab)
}
EXPORTS: Final = {name: entry.contents for name, entry in FORMATS.items() if entry.contents is not None}
READERS: Final = {entry.kind: entry.read for entry in FORMATS.values() if entry.read is not None}
