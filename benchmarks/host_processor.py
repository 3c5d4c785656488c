"""The processor of this machine: its name, and the generation of its cores."""

from __future__ import annotations

import platform
from pathlib import Path

import llvmlite.binding as llvm

# LLVM's name of a core: the name that its maker uses
GENERATIONS = {
    "znver1": "Zen",
    "znver2": "Zen 2",
    "znver3": "Zen 3",
    "znver4": "Zen 4",
    "znver5": "Zen 5",
    "haswell": "Haswell",
    "broadwell": "Broadwell",
    "skylake": "Skylake",
    "skylake-avx512": "Skylake-SP",
    "cascadelake": "Cascade Lake",
    "icelake-server": "Ice Lake-SP",
    "sapphirerapids": "Sapphire Rapids",
    "emeraldrapids": "Emerald Rapids",
    "graniterapids": "Granite Rapids",
    "neoverse-n1": "Neoverse N1",
    "neoverse-v1": "Neoverse V1",
    "neoverse-v2": "Neoverse V2",
    "apple-m1": "Apple M1",
}


def processor() -> dict[str, str]:
    """Return the name of the processor, its family, model and stepping, and the generation of its cores.

    `core` is LLVM's name of the generation. If LLVM has no name for the processor, it is a similar older one.
    """
    core = llvm.get_host_cpu_name()
    facts = _first_core()
    numbers = " ".join(facts[key] for key in ("cpu family", "model", "stepping", "CPU part") if key in facts)
    name = facts.get("model name") or platform.processor() or platform.machine()
    return {"name": name, "numbers": numbers, "core": core, "generation": GENERATIONS.get(core, core)}


def _first_core() -> dict[str, str]:
    """Return the first section of /proc/cpuinfo, which only Linux has."""
    try:
        section = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    lines = (line.partition(":") for line in section.splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}
