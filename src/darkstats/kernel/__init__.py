"""The only module that imports numba: how kernels are compiled, cached and run.

* Fast-math *without* ``nnan`` and ``ninf``: not-a-number and infinity stay visible, and sums may
  be vectorised.
* ``error_model="numpy"``: a division by zero gives infinity in its lane, it does not take the
  batch with it.
* Kernels allocate nothing: the caller brings the working memory.
* Kernels release the interpreter lock and know nothing of threads; :func:`run_blocks` spreads
  blocks of lanes over a pool.  A lane sees only its own numbers, so results have the same bits
  for any number of threads.
* Machine code is cached on disk (:mod:`darkstats.kernel.cache`) in a folder named by the digest of
  all kernel sources, so that editing a callee can never leave stale code behind; where no folder
  can be written, kernels are compiled in memory.
* A kernel is compiled by a process of its own and loaded from the cache. A process that compiles
  runs code in which functions of several kernels are linked together, and its results differ in
  the last digits from those of a process that loads; results have to be the same bits in both.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import config as numba_config

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError
from darkstats.kernel.cache import SealedFiles, find_folder
from darkstats.kernel.simd import LANES

__all__ = [
    "CACHE_NOTE",
    "JIT",
    "Memory",
    "compile_elsewhere",
    "default_threads",
    "is_compiled",
    "kernel",
    "kernel_entry",
    "kernel_in_order",
    "run_blocks",
]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
    # No memory is allocated inside kernels, and no reference is counted: counting those of the
    # arrays in a named tuple would cost more than the arithmetic.
    "_nrt": False,
}
_SOURCES = (
    "kernel/__init__.py",
    "kernel/exponential.py",
    "kernel/products.py",
    "kernel/simd.py",
    "kernel/tables.py",
    "model/derivatives.py",
    "model/evaluate.py",
    "model/interpolation.py",
    "model/points.py",
    "model/rates.py",
    "model/scratch.py",
    "model/structure.py",
    "model/unbinned/density.py",
    "model/unbinned/shape_derivatives.py",
    "fit/linear_algebra.py",
    "fit/minimise.py",
    "fit/newton_steps.py",
    "fit/slots.py",
    "inference/bayes/quadrature/window_kernel.py",
    "scan/event_counts.py",
    "look_elsewhere/root_tallies.py",
)


def _digest_of_sources() -> str:
    here = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for name in _SOURCES:
        path = here / name
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()[:16]


_FOLDER = find_folder(f"kernels-{_digest_of_sources()}")

#: What a user has to know of where compiled kernels are kept, or None.
CACHE_NOTE = _FOLDER.note


_SETTINGS: Any = numba_config  # its attributes are made at run time
JIT = not _SETTINGS.DISABLE_JIT  # without it kernels run as plain Python, on arrays


MOST_MEMORY = 4_000_000_000  # bytes


class Memory:
    """Working memory of one thread: one allocation, cut into blocks of vectors.

    Parameters
    ----------
    sizes
        Number of vectors of each block.

    Raises
    ------
    OptionError
        More than 4 GB would be needed.
    """

    __slots__ = ("_buffer", "_ends", "_sizes")

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = tuple(sizes)
        self._ends = np.cumsum((0, *self._sizes)) * LANES
        if 8 * int(self._ends[-1]) > MOST_MEMORY:
            raise OptionError(
                f"this model needs {8e-9 * int(self._ends[-1]):.1f} GB of working memory per "
                f"thread, more than {1e-9 * MOST_MEMORY:.0f} GB; merge bins, or prune parameters"
            )
        self._buffer = np.zeros(int(self._ends[-1]) + LANES)

    def addresses(self) -> list[int]:
        """Address of each block."""
        base = int(self._buffer.__array_interface__["data"][0])
        base += -base % 64  # vectors that do not straddle cache lines load faster
        return [base + 8 * int(end) for end in self._ends[:-1]]

    def views(self) -> list[FloatArray]:
        """Each block as an array of shape [n, 8]."""
        base = int(self._buffer.__array_interface__["data"][0])
        skip = (-base % 64) // 8
        return [
            self._buffer[skip + begin : skip + begin + size * LANES].reshape(size, LANES)
            for begin, size in zip(self._ends[:-1], self._sizes, strict=True)
        ]


@contextmanager
def _numba_cache_in(directory: Path) -> Iterator[None]:
    """Point numba's cache at ``directory`` while a dispatcher is made, then put it back."""
    before = _SETTINGS.CACHE_DIR
    _SETTINGS.CACHE_DIR = str(directory)
    try:
        yield
    finally:
        _SETTINGS.CACHE_DIR = before


def kernel(function: FunctionT) -> FunctionT:
    """Compile a function that other kernels call."""
    return cast("FunctionT", numba.njit(**_OPTIONS)(function))


def kernel_in_order(function: FunctionT) -> FunctionT:
    """Compile a function as :func:`kernel`, its scalar arithmetic as written: no sum is reordered.

    Arithmetic of vectors always is as written, so that it and this give the same bits.
    """
    return cast("FunctionT", numba.njit(**{**_OPTIONS, "fastmath": {"contract"}})(function))


def kernel_entry(function: FunctionT) -> FunctionT:
    """Compile a function that Python calls; its machine code is cached on disk."""
    if _FOLDER.path is None:
        return cast("FunctionT", numba.njit(**_OPTIONS)(function))
    with _numba_cache_in(_FOLDER.path):
        entry = numba.njit(cache=True, **_OPTIONS)(function)
    _know_no_extensions(entry)
    _load_lightly(entry)
    return cast("FunctionT", entry)


def _know_no_extensions(entry: Any) -> None:
    """Let an entry not look for types that other packages have taught numba.

    It takes a table of integers. To look imports every package that offers some: awkward and vector
    take a second, sympy along with them, where a limit takes a tenth of that.
    """
    if hasattr(entry, "_compilation_chain_init_hook"):  # not with NUMBA_DISABLE_JIT
        entry._compilation_chain_init_hook = lambda: None


def _load_lightly(entry: Any) -> None:
    """Let an entry load its machine code without setting up the compiler first.

    Numba imports all that it can compile (and scipy.linalg with it) before it looks into its
    cache, a quarter of a second that a loaded kernel has no use for. What the cache lacks, another
    process compiles; the compiler is set up here only if that does not work.
    """
    cache: Any = getattr(entry, "_cache", None)
    load = getattr(cache, "_load_overload", None)
    guard = getattr(cache, "_guard_against_spurious_io_errors", None)
    if load is None or guard is None:  # another numba, or NUMBA_DISABLE_JIT
        return
    if hasattr(cache, "_cache_file"):
        cache._cache_file = SealedFiles(_FOLDER, _name_of(entry))

    def look(signature: Any, target_context: Any) -> Any:
        found: list[Any] = []  # the guard may swallow an error: then there is nothing
        with guard():
            found.append(load(signature, target_context))
        return found[0] if found else None

    def load_overload(signature: Any, target_context: Any) -> Any:
        found = look(signature, target_context)
        if found is None and _compile_entry_elsewhere(entry, signature):
            found = look(signature, target_context)
        return found

    cache.load_overload = load_overload


#: Set in the environment of the process that compiles.
_COMPILES = "DARKSTATS_COMPILES"

_COMPILE_ENTRY = """
import importlib, json, sys
from numba.core.sigutils import normalize_signature
module, name, words = json.load(sys.stdin)
types, _ = normalize_signature(words)
getattr(importlib.import_module(module), name).compile(types)
"""


def compile_elsewhere(program: str, given: bytes = b"") -> bool:
    """Have another process fill the cache; False where that cannot be, or did not end well.

    Parameters
    ----------
    program
        Python statements that call kernels.
    given
        Its standard input.
    """
    if _FOLDER.path is None or _COMPILES in os.environ or not sys.executable:
        return False
    environment = {**os.environ, _COMPILES: "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=given,
            env=environment,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return False
    return done.returncode == 0


def _name_of(entry: Any) -> str:
    function = getattr(entry, "py_func", entry)
    return f"{function.__module__}.{function.__qualname__}"


def _compile_entry_elsewhere(entry: Any, signature: Any) -> bool:
    module, name = entry.py_func.__module__, entry.py_func.__qualname__
    if module == "__main__" or "." in name:  # another process cannot import it
        return False
    # Numba reads the names of its types, a trailing comma making one a tuple.
    words = f"({', '.join(map(repr, getattr(signature, 'args', signature)))},)"
    return compile_elsewhere(_COMPILE_ENTRY, json.dumps([module, name, words]).encode())


def is_compiled(entry: Callable[..., Any]) -> bool:
    """Whether machine code of ``entry`` is at hand, in memory or in the cache folder."""
    if getattr(entry, "signatures", True):  # with NUMBA_DISABLE_JIT the entry is a plain function
        return True
    return SealedFiles(_FOLDER, _name_of(entry)).any()


def default_threads() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_blocks(task: Callable[[int, int], None], n_lanes: int, *, threads: int, block: int) -> None:
    """Call ``task(first, stop)`` for consecutive blocks of lanes, on up to ``threads`` threads.

    Parameters
    ----------
    task
        Works on lanes ``first`` to ``stop - 1`` and writes its results into arrays of its own.
    n_lanes, threads, block
        Number of lanes; threads at most; lanes per block.
    """
    bounds = [(first, min(first + block, n_lanes)) for first in range(0, n_lanes, block)]
    if threads <= 1 or len(bounds) <= 1:
        for first, stop in bounds:
            task(first, stop)
        return
    with ThreadPoolExecutor(max_workers=min(threads, len(bounds))) as pool:
        for future in [pool.submit(task, first, stop) for first, stop in bounds]:
            future.result()
