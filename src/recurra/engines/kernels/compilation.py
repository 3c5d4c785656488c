"""`strict`: the decorator of every kernel. It compiles without fastmath and keeps the machine code on disk.

Numba's own cache is not used: it names a kernel's files by the path of its source, looks only at that source and not
at the functions that a kernel calls, and unpickles whatever lies in its folder.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core import serialize
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult

from recurra.engines.kernels.disk_cache import SUFFIX, kernel_cache

Function = TypeVar("Function", bound=Callable[..., Any])
Signature = tuple[Any, ...]  # Numba's types of the arguments
COMPILING = "compiling the kernels, once for this machine: half a minute or less"


class KernelCache(NullCache):
    """The compiled code of one kernel in `kernel_cache()`, as Numba's dispatcher asks for it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"

    @property
    def cache_path(self) -> str:
        return str(kernel_cache().folder)

    def load_overload(self, sig: Signature, target_context: Any) -> Any:
        """Return the compiled kernel for `sig`, or None, after which Numba compiles it."""
        target_context.refresh()
        payload = kernel_cache().read(self._file_name(sig, target_context.codegen()))
        if payload is not None:
            signature, reduced = serialize.loads(payload)
            if signature == sig:
                return CompileResult._rebuild(target_context, *reduced)
        announce()
        return None

    def save_overload(self, sig: Signature, data: Any) -> None:
        """Keep the compile result `data` for `sig`, unless it holds addresses of this process."""
        if not data.library.has_dynamic_globals and all(part.can_cache for part in data.lifted):
            payload = serialize.dumps((sig, data._reduce()))
            kernel_cache().write(self._file_name(sig, data.library.codegen), payload)

    def _file_name(self, sig: Signature, codegen: Any) -> str:
        """The kernel's name, and a digest of all that its code depends on besides the sources: types and processor."""
        digest = hashlib.sha256(repr((self._name, sig, codegen.magic_tuple())).encode()).hexdigest()
        return f"{self._name}-{digest[:32]}{SUFFIX}"


@functools.cache
def announce() -> None:
    """Log, once in a process, that kernels are compiled: it takes long."""
    logging.getLogger("recurra").info(COMPILING)


def is_kept(module: str) -> bool:
    """Return True for a module of the packages `recurra.*.kernels`."""
    return module.startswith("recurra.") and module.split(".")[-2] == "kernels"


def strict(function: Function) -> Function:
    """Compile `function` by strict IEEE rules, without the GIL; division by zero gives infinity, as in NumPy.

    The code is kept on disk if the function is in a package of kernels, whose sources name the cache folder.
    """
    options: dict[str, Any] = {"fastmath": False, "error_model": "numpy", "nogil": True, "boundscheck": False}
    kernel: Any = numba.njit(**options)(function)
    settings: Any = numba.config
    if is_kept(function.__module__) and not settings.DISABLE_JIT:
        kernel._cache = KernelCache(function)
    return cast("Function", kernel)
