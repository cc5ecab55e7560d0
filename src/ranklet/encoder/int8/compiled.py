"""`rows.c`, compiled for this processor once and kept among the caches.

A C compiler is not needed: without one, PyTorch computes the same bits in more time.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path

import torch

from ranklet.cache import default_cache_folder, is_whole, seal
from ranklet.encoder.compilers import find_compiler
from ranklet.encoder.processor import processor_and_flags

COMPILERS = ("cc", "gcc", "clang")

# No flag lets sums or products be computed otherwise than PyTorch computes them.
COMPILE = (
    *("-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
    *("-fopenmp", "-fPIC", "-c"),
)
COMPILE_LIMIT_S = 60

_POINTER, _COUNT, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
SIGNATURES = {
    "quantize": (_POINTER, _COUNT, _COUNT, _COUNT, _POINTER, _POINTER, _POINTER, _INT),
    "scale": (
        *(_POINTER, _POINTER, _COUNT, _COUNT),
        *(_POINTER, _POINTER, _POINTER, _COUNT, _INT),
    ),
}


@cache
def compiled_rows() -> ctypes.CDLL | None:
    """Return the functions of `rows.c`; None where they cannot be compiled or kept."""
    compiler = c_compiler()
    if compiler is None or os.name != "posix":
        return None
    with suppress(OSError, subprocess.SubprocessError):
        library = ctypes.CDLL(str(_library(compiler)))
        for kind, signature in SIGNATURES.items():
            for number in ("bfloat16", "float32"):
                function = getattr(library, f"{kind}_{number}")
                function.argtypes, function.restype = signature, None
        return library
    return None


def c_compiler() -> str | None:
    """Return the path of the C compiler: `$CC`, else the first of `COMPILERS`."""
    return find_compiler("CC", COMPILERS)


def _library(compiler: str) -> Path:
    source = files("ranklet.encoder.int8").joinpath("rows.c").read_bytes()
    folder = default_cache_folder() / "kernels"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():  # what is loaded from here runs as this user
        raise OSError(f"{folder} belongs to somebody else")
    path = folder / f"{_key(source, compiler)}.so"
    if not is_whole(path, lambda line: None):
        with tempfile.TemporaryDirectory(dir=folder, prefix="compiling-") as name:
            built = _compile(source, compiler, Path(name))
            seal(built)  # what stands behind an ELF file is not read
            built.replace(path)
    return path


def _key(source: bytes, compiler: str) -> str:
    """Describe all that the library depends on, the processor included."""
    version = _output(compiler, "--version")
    described = "\0".join([version, processor_and_flags(), *COMPILE, *_threads_of_torch()])
    return hashlib.sha256(source + described.encode()).hexdigest()


def _compile(source: bytes, compiler: str, folder: Path) -> Path:
    written, compiled, linked = folder / "rows.c", folder / "rows.o", folder / "rows.so"
    written.write_bytes(source)
    _output(compiler, *COMPILE, str(written), "-o", str(compiled))
    threads = _threads_of_torch() or ["-fopenmp"]
    _output(compiler, "-shared", str(compiled), *threads, "-lm", "-o", str(linked))
    return linked


def _threads_of_torch() -> list[str]:
    """Return the OpenMP library that PyTorch brings: two in a process wait for each other."""
    return sorted(map(str, (Path(torch.__file__).parent / "lib").glob("libgomp*")))[:1]


def _output(*words: str) -> str:
    return subprocess.run(
        words, check=True, capture_output=True, text=True, timeout=COMPILE_LIMIT_S
    ).stdout
