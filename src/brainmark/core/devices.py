"""Where networks and metrics compute, and how precisely: decided once for a run, and read through `in_use`.

Nothing takes a device as a parameter on its way: `compute_on` says it for a block, and whatever runs in the block asks
`in_use`. Without a block it is the CPU, in single precision for networks and in double precision for metrics.
"""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from brainmark.core.errors import ResourceError, UnknownName, say_what_to_install, tell
from brainmark.core.libraries import torch

T = TypeVar("T")
CPU, AUTO = "cpu", "auto"
Precision = Literal["float32", "bfloat16"]
"""In which networks compute; metrics always take double precision where they need it."""


@dataclass(frozen=True)
class Compute:
    """What a block computes on.

    Attributes
    ----------
    device : as PyTorch names it, with its number: "cpu", "cuda:0", "mps:0".
    precision : of networks.
    chosen : whether somebody chose the device: networks that lie elsewhere are then moved.
    """

    device: str = CPU
    precision: Precision = "float32"
    chosen: bool = False


@dataclass(frozen=True)
class Device:
    """A device that is here: its name, and what it is."""

    name: str
    what: str


_in_use: ContextVar[Compute] = ContextVar("compute", default=Compute())  # noqa: B039 - it cannot be changed
_notes: ContextVar[dict[str, None] | None] = ContextVar("notes on computing", default=None)


def in_use() -> Compute:
    """Return what the block around this call computes on; the CPU outside of any."""
    return _in_use.get()


@contextlib.contextmanager
def compute_on(device: str | None = None, precision: Precision | None = None) -> Generator[Compute]:
    """Let networks and metrics in the block compute on a device.

    Parameters
    ----------
    device : "cpu", "cuda", "cuda:1", "mps", or "auto" (the first of cuda, mps and cpu that is here); None: as around
        the block.
    precision : "float32" or "bfloat16", of networks; None: as around the block.

    Raises
    ------
    UnknownName : no such device is here, or no such precision; says which are.
    """
    around = in_use()
    found = Compute(
        around.device if device is None else find_device(device),
        around.precision if precision is None else check_precision(precision),
        around.chosen or device is not None,
    )
    token = _in_use.set(found)
    try:
        yield found
    finally:
        _in_use.reset(token)


@contextlib.contextmanager
def gather_notes() -> Generator[dict[str, None]]:
    """Gather what is told in the block by `note`."""
    gathered: dict[str, None] = {}
    token = _notes.set(gathered)
    try:
        yield gathered
    finally:
        _notes.reset(token)


def note(text: str) -> None:
    """Tell the reader of the score that is computed something about how it was, such as a batch that was halved."""
    gathered = _notes.get()
    if gathered is not None:
        gathered[text] = None


def compute_where_it_fits(compute: Callable[[], T], what: str) -> T:
    """Return what is computed on the device in use, or on the CPU where the memory of the device is too small for it.

    Raises
    ------
    ResourceError : nor is that of the machine enough.
    """
    device = in_use().device
    if device == CPU:
        return compute()
    try:
        return compute()
    except ResourceError:
        pass
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    free_memory()
    note(f"{what} was computed on the CPU, since it does not fit into the memory of {device}")
    with compute_on(CPU):
        return compute()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out: that of the machine, or, from torch, that of a device."""
    return (
        isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "out of memory" in tell(error)
    )


def free_memory() -> None:
    """Give memory that torch holds for new tensors, after an error, back to the devices."""
    gc.collect()
    for kind in (torch.cuda, torch.mps):
        if kind.is_available():
            kind.empty_cache()


def check_precision(given: str) -> Precision:
    """Return the precision of networks. Raises UnknownName."""
    for known in get_args(Precision):
        if given == known:
            return known
    raise UnknownName("precision", given, get_args(Precision), f" ({' or '.join(get_args(Precision))})")


def find_device(wanted: str) -> str:
    """Return the full name of a device that is here: "auto" and "cuda" become "cuda:0", for example.

    Raises
    ------
    UnknownName : it is not here; says why, and which are.
    """
    if wanted == CPU:
        return CPU
    if wanted == AUTO:
        first, *others = list_devices()
        return (others or [first])[0].name
    with say_what_to_install(f"device {wanted!r}"):
        try:
            return _place(wanted)
        except (AssertionError, RuntimeError, NotImplementedError, TypeError) as error:
            raise _refuse(wanted, error) from error


def _place(wanted: str) -> str:
    """Put a number on a device, and return where it went. A device such as "meta", which keeps no numbers, fails."""
    one = torch.ones(1, device=wanted)
    if float(one.cpu()) != 1:
        raise RuntimeError("it does not keep numbers")
    return str(one.device)


def _refuse(wanted: str, error: Exception) -> UnknownName:
    why = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    here = list_devices()
    told = ", ".join(f"{one.name} ({one.what})" for one in here)
    return UnknownName(
        "device", wanted, (), f": {why}; here {'are' if len(here) > 1 else 'is'} {told}; 'auto' takes the fastest"
    )


def list_devices() -> list[Device]:
    """Return the devices that are here: the CPU, then those of CUDA, then Apple's."""
    found = [Device(CPU, "the processor")]
    with contextlib.suppress(ImportError):
        if torch.cuda.is_available():
            count = torch.cuda.device_count()
            found += [Device(f"cuda:{i}", torch.cuda.get_device_name(i)) for i in range(count)]
        if torch.backends.mps.is_available():
            found.append(Device("mps:0", "Apple MPS"))
    return found


def share_out(wanted: str, workers: int) -> list[str]:
    """Return a device for each of the workers that compute at the same time.

    "cuda" and "auto" stand for all devices of their kind that are here, handed out in turn; a device with a number is
    shared by all workers, and so is the CPU.

    Raises
    ------
    UnknownName : see `find_device`.
    """
    first = find_device(wanted)
    kind = first.partition(":")[0]
    alike = [one.name for one in list_devices() if one.name.partition(":")[0] == kind]
    pool = alike if wanted in (AUTO, kind) and alike else [first]
    return [pool[i % len(pool)] for i in range(workers)]


@functools.cache
def has_double(device: str) -> bool:
    """Return whether a device computes in double precision; Apple's does not."""
    if device == CPU:
        return True
    try:
        return bool(torch.ones(1, dtype=torch.float64, device=device).sum().cpu() == 1)
    except (TypeError, RuntimeError):
        return False


def describe_device() -> str:
    """Return the device in use as text, for the stamp of a score: "cuda:0 (NVIDIA H200)"."""
    name = in_use().device
    what = "" if name == CPU else {one.name: one.what for one in list_devices()}.get(name, "")
    return f"{name} ({what})" if what else name
