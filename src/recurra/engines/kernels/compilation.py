"""`strict`, the decorator of every kernel: it compiles without fastmath and stores the machine code on disk.

Numba's own cache does not fit: it names the files of a kernel by the path of the source, checks only this source and
not the functions that the kernel calls, and unpickles any file in its folder.
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
    """The compiled code of one kernel in `kernel_cache()`, with the interface that Numba's dispatcher expects."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"

    @property
    def cache_path(self) -> str:
        return str(kernel_cache().folder)

    def load_overload(self, sig: Signature, target_context: Any) -> Any:
        """Return the compiled kernel from the cache.

        Args:
            sig: Numba's types of the arguments.
            target_context: Numba's compiler context.
        Returns: the compile result; None if the cache has none, and Numba then compiles the kernel.
        """
        target_context.refresh()
        payload = kernel_cache().read(self._file_name(sig, target_context.codegen()))
        if payload is not None:
            signature, reduced = serialize.loads(payload)
            if signature == sig:
                return CompileResult._rebuild(target_context, *reduced)
        announce()
        return None

    def save_overload(self, sig: Signature, data: Any) -> None:
        """Store a compile result, unless it contains memory addresses of this process.

        Args:
            sig: Numba's types of the arguments.
            data: the compile result.
        """
        if not data.library.has_dynamic_globals and all(part.can_cache for part in data.lifted):
            payload = serialize.dumps((sig, data._reduce()))
            kernel_cache().write(self._file_name(sig, data.library.codegen), payload)

    def _file_name(self, sig: Signature, codegen: Any) -> str:
        """Return the file name: the kernel's name, and a digest of its name, its argument types and the processor."""
        digest = hashlib.sha256(repr((self._name, sig, codegen.magic_tuple())).encode()).hexdigest()
        return f"{self._name}-{digest[:32]}{SUFFIX}"


@functools.cache
def announce() -> None:
    """Log once per process that kernels are compiled, because compilation takes long."""
    logging.getLogger("recurra").info(COMPILING)


def is_cached(module: str) -> bool:
    """Return True if the kernels of a module are stored on disk.

    Args:
        module: the module's full name.
    Returns: True for the modules of the packages `recurra.*.kernels`.
    """
    return module.startswith("recurra.") and module.split(".")[-2] == "kernels"


def strict(function: Function) -> Function:
    """Compile a function by strict IEEE rules and without the GIL. Division by zero gives infinity, as in NumPy.

    The machine code is stored on disk if the function is in a package `kernels`. A hash of the sources of these
    packages names the folder.

    Args:
        function: the function, written with `lanes` or plain loops.
    Returns: the compiled function.
    """
    options: dict[str, Any] = {"fastmath": False, "error_model": "numpy", "nogil": True, "boundscheck": False}
    kernel: Any = numba.njit(**options)(function)
    settings: Any = numba.config
    if is_cached(function.__module__) and not settings.DISABLE_JIT:
        kernel._cache = KernelCache(function)
    return cast("Function", kernel)
