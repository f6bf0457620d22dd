"""What this machine computes on and how much memory it has. Bytes everywhere."""

import contextlib
import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

Device = Literal["mps", "cuda", "cpu"]
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
MEMINFO = Path("/proc/meminfo")
NVIDIA = Path("/proc/driver/nvidia/version")
SPARED = 0.85  # of what a device lends may be used: the rest is for the system and what is told wrongly
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "invalid buffer size", "not enough memory")


def best_device() -> Device:
    """mps before cuda before cpu. Imports torch, which takes seconds: ask only when a model needs to know."""
    try:
        import torch
    except ImportError:
        return "cpu"
    if torch.backends.mps.is_available():
        return "mps"
    return "cuda" if torch.cuda.is_available() else "cpu"


def likely_device() -> Device:
    """What `best_device` will say, as far as can be told without importing torch."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mps"
    return "cuda" if NVIDIA.exists() else "cpu"


def total_memory() -> int:
    """Main memory of this machine, or of the container that we run in."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(pages, _container_limit() or pages)


def free_memory() -> int:
    """What a new program could take without swapping."""
    if sys.platform == "darwin":
        return _mac_free()
    for line in MEMINFO.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return min(int(line.split()[1]) * 1024, total_memory())
    return total_memory()


def lendable_memory(device: str) -> int:
    """What networks on this device may take: on MPS the part of main memory that macOS lends to the graphics, on CUDA
    that of the card, else main memory."""
    if device == "mps":
        import torch

        return int(torch.mps.recommended_max_memory())
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[1])
    return total_memory()


def release(device: str) -> None:
    """Give back what no tensor uses any more."""
    import torch

    if device == "mps":
        torch.mps.empty_cache()
    elif device == "cuda":
        torch.cuda.empty_cache()
    elif sys.platform == "linux":
        # glibc keeps what is freed in pieces below 32 MB, which most weights are
        with contextlib.suppress(AttributeError):  # another C library has no such call
            ctypes.CDLL(None).malloc_trim(0)


def computes_bfloat16(device: str) -> bool:
    """Whether bfloat16 is as fast there as it is small: on every GPU that we know, and on few CPUs."""
    if device != "cpu":
        return True
    import torch

    told: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(told.get("amx_bf16") or told.get("avx512_bf16"))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, or Python, says that there was not enough memory."""
    if isinstance(error, MemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in said for sign in OUT_OF_MEMORY)


def _container_limit() -> int | None:
    try:
        limit = CGROUP_LIMIT.read_text().strip()
    except OSError:
        return None
    return int(limit) if limit.isdigit() else None


def _mac_free() -> int:
    """Free, inactive and speculative pages: what macOS hands out before it swaps."""
    told = subprocess.run(["/usr/bin/vm_stat"], capture_output=True, text=True, check=True).stdout
    pages = 0
    for line in told.splitlines():
        name, _, count = line.partition(":")
        if name in ("Pages free", "Pages inactive", "Pages speculative"):
            pages += int(count.strip().rstrip("."))
    return pages * os.sysconf("SC_PAGE_SIZE")
