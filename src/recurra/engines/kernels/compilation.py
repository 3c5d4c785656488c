"""`strict`, the decorator of every kernel: it compiles without fastmath and stores the machine code on disk.

Only kernels that Python calls have machine code. The functions that they call are linked into them and optimized with
them, which takes half the time of Numba's own way: Numba optimizes a function by itself and again in each caller.

Numba's own cache does not fit: it names the files of a kernel by the path of the source, checks only this source and
not the functions that the kernel calls, and unpickles any file in its folder.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba
from numba._dynfunc import make_function
from numba.core import serialize
from numba.core.caching import NullCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, CompileResult, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering

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


class CalleeLibrary(JITCodeLibrary):
    """The LLVM module of a function and of the functions that it calls, neither optimized nor translated.

    Numba links it into the module of the kernel that calls the function, and optimizes that module as a whole.
    """

    def get_pointer_to_function(self, name: str) -> int:  # noqa: ARG002 - Numba's interface
        """Return 0, as for a function without machine code.

        Args:
            name: the name of the function.
        Returns: 0.
        """
        self._ensure_finalized()
        return 0

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class CalleeLowering(NativeLowering):
    """The compiler pass that writes the LLVM module of a `CalleeLibrary`, without wrappers for Python."""

    _name = "callee_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = CalleeLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = state.flags.no_cpython_wrapper = state.flags.no_cfunc_wrapper = True
        super().run_pass(state)
        descriptor = state.cr.fndesc
        module, no_address = descriptor.lookup_module(), 0
        # Numba identifies a compiled function by its entry point, also if it has no code.
        entry = make_function(module, descriptor.qualname, "", no_address, state.cr.env, (state.library,))
        state.targetctx.insert_user_function(entry, descriptor, [state.library])
        state.cr = state.cr._replace(cfunc=entry)
        return True


class CalleeCompiler(CompilerBase):
    """Numba's compiler with `CalleeLowering` in place of its own pass."""

    def define_pipelines(self) -> list[Any]:
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [
            (CalleeLowering if step is NativeLowering else step, description) for step, description in manager.passes
        ]
        manager.finalize()
        return [manager]


CALLEE: Final[Any] = {"pipeline_class": CalleeCompiler}  # an option of Numba for functions that kernels call


def strict(function: Function) -> Function:
    """Compile a function by strict IEEE rules and without the GIL. Division by zero gives infinity, as in NumPy.

    A call from Python and a call from another kernel compile separately. For Python, the function and all functions
    that it calls are optimized as one module, once, and translated to machine code. For another kernel, only the LLVM
    module of the function is made. Numba by itself would optimize and translate each function, and again in each of
    its callers.

    The machine code is stored on disk if the function is in a package `kernels`. A hash of the sources of these
    packages names the folder.

    Args:
        function: the function, written with `lanes` or plain loops.
    Returns: the compiled function.
    """
    options: dict[str, Any] = {"fastmath": False, "error_model": "numpy", "nogil": True, "boundscheck": False}
    kernel: Any = numba.njit(**options | {"no_cfunc_wrapper": True})(function)
    settings: Any = numba.config
    if settings.DISABLE_JIT:
        return cast("Function", kernel)
    callee: Any = numba.njit(**CALLEE, **options)(function)
    kernel.get_call_template, kernel.get_overload = callee.get_call_template, callee.get_overload
    if is_cached(function.__module__):
        kernel._cache = KernelCache(function)
    return cast("Function", kernel)
