"""Runs the code of a model so that what it does to this process reaches no other model.

Whatever it raises becomes an error of that model, what it changes of the process is put back, and a function of this
package or of NumPy that it replaced is put back and reported. Code that ends the process at once, or that looks for
ways around this, is held only by a process of its own (see `brainmark.models.sources.apart`).
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import locale
import logging
import operator
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from types import FrameType, ModuleType
from typing import Any

from brainmark.core.devices import is_out_of_memory
from brainmark.core.errors import BrainmarkError, ModelError, ResourceError, tell

Setting = tuple[Callable[[], Any], Callable[[Any], Any]]
"""Functions that read and write one setting of the process."""

_GUARDED = (
    "builtins",
    "numpy",
    "numpy.linalg",
    "numpy.random",
    "scipy.linalg",
    "scipy.stats",
    "scipy.special",
    "pandas",
    "xarray",
)
_SIGNALS = [getattr(signal, name) for name in ("SIGALRM", "SIGHUP", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]
_TIMER = hasattr(signal, "setitimer")
_alone = threading.Lock()
_PATIENCE = 1.0  # seconds for threads to end


@contextlib.contextmanager
def contain(what: str) -> Generator[None]:
    """Run the code of a model; `what` names it in errors.

    Standard output goes to standard error. Afterwards these are as before: folder, environment, streams, signals,
    hooks, warning filters, seeds and threads of the numerical libraries, default types, and the functions that others
    use.

    Raises
    ------
    ResourceError : memory (of a device as well) or disk ran out.
    ModelError : it failed otherwise, ended the program, left a thread running, or replaced a function.
    BrainmarkError : unchanged.
    KeyboardInterrupt : the user wants to stop; one that the code itself raises is an error of the model.
    """
    if not _alone.acquire(blocking=False):  # another thread, or a block around this one, keeps the process as it is
        try:
            yield
        except (BrainmarkError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise _explain(what, error) from error
        return
    try:
        with _keep_process(what):
            yield
    finally:
        _alone.release()


@contextlib.contextmanager
def _keep_process(what: str) -> Generator[None]:
    before = [(_read(setting[0]), setting) for setting in _list_settings()]
    names, threads = _read_names(), set(threading.enumerate())
    with _watch_interrupt() as interrupted, _send_output_to_errors():
        try:
            yield
            _wait_for(threads)
        except BrainmarkError:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and interrupted:
                raise
            raise _explain(what, error) from error
        finally:
            replaced = _put_back_names(names)
            _put_back(before)
    if replaced:
        raise ModelError(f"{what}: it replaced {', '.join(replaced[:5])}, which others use")


def _explain(what: str, error: BaseException) -> BrainmarkError:
    """Return the error of the package that stands for an error of a model's own code."""
    if isinstance(error, SystemExit | KeyboardInterrupt | GeneratorExit):
        return ModelError(f"{what}: it ended the program ({tell(error)})")
    short = isinstance(error, OSError) or is_out_of_memory(error)
    return (ResourceError if short else ModelError)(f"{what}: {tell(error)}")


def _wait_for(before: set[threading.Thread]) -> None:
    """Wait for threads that were started since. Raises RuntimeError: one runs on and would keep the program alive."""
    for thread in set(threading.enumerate()) - before:
        target: Any = getattr(thread, "_target", None)
        if thread.daemon or getattr(target, "__module__", "") == concurrent.futures.thread.__name__:
            continue  # these end with the program
        thread.join(_PATIENCE)
        if thread.is_alive():
            raise RuntimeError(f"it left the thread {thread.name!r} running")


@contextlib.contextmanager
def _watch_interrupt() -> Generator[list[int]]:
    """Yield a list that has an entry once the user wants to stop."""
    seen: list[int] = []
    usual = signal.getsignal(signal.SIGINT)
    if not callable(usual) or threading.current_thread() is not threading.main_thread():
        yield seen
        return

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        usual(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, usual)


@contextlib.contextmanager
def _send_output_to_errors() -> Generator[None]:
    """Send what is printed to standard error, so that what a command prints can be read by a program."""
    real = sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        if real:
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or no file
                _turn_descriptor(stack)
        yield


def _turn_descriptor(stack: contextlib.ExitStack) -> None:
    """Send also what libraries in C and other processes print."""
    output, errors = sys.__stdout__.fileno(), sys.__stderr__.fileno()  # pyright: ignore[reportOptionalMemberAccess]
    sys.__stdout__.flush()  # pyright: ignore[reportOptionalMemberAccess]
    kept = os.dup(output)
    stack.callback(os.close, kept)
    stack.callback(os.dup2, kept, output)
    os.dup2(errors, output)


# --- settings of the process -----------------------------------------------------------------------------------------


def _list_settings() -> list[Setting]:
    """Return the settings of the process that a model could change for others."""
    settings: list[Setting] = [
        (lambda: dict(os.environ), _write_environment),
        (lambda: (sys.stdin, sys.stdout, sys.stderr), _write_streams),
        (lambda: (sys.excepthook, threading.excepthook, warnings.showwarning), _write_hooks),
        (lambda: list(warnings.filters), _write_filters),
        (sys.getrecursionlimit, sys.setrecursionlimit),
        (lambda: logging.root.manager.disable, logging.disable),
        (lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
        (random.getstate, random.setstate),
        (sys.gettrace, sys.settrace),
        (sys.getprofile, sys.setprofile),
        (os.getcwd, os.chdir),
    ]
    if threading.current_thread() is threading.main_thread():
        settings.append((_read_signals, _write_signals))
    return settings + _list_numpy() + _list_torch()


def _read(read: Callable[[], Any]) -> Any:
    """Return a setting; None where it cannot be had, as a folder that is gone."""
    try:
        return read()
    except Exception:  # noqa: BLE001 - of any library
        return None


def _put_back(before: list[tuple[Any, Setting]]) -> None:
    for value, (read, write) in before:
        now = _read(read)
        with contextlib.suppress(Exception):
            if now is not value and not _equal(now, value):
                write(value)


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - arrays have no single answer
        return False


def _write_environment(before: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(before)


def _write_streams(before: tuple[Any, Any, Any]) -> None:
    sys.stdin, sys.stdout, sys.stderr = before


def _write_hooks(before: tuple[Any, Any, Any]) -> None:
    sys.excepthook, threading.excepthook, warnings.showwarning = before


def _write_filters(before: list[Any]) -> None:
    warnings.resetwarnings()
    warnings.filters[:] = before  # pyright: ignore[reportIndexIssue]


def _read_signals() -> tuple[Any, ...]:
    return *map(signal.getsignal, _SIGNALS), any(signal.getitimer(signal.ITIMER_REAL)) if _TIMER else False


def _write_signals(before: tuple[Any, ...]) -> None:
    *handlers, timed = before
    for number, handler in zip(_SIGNALS, handlers, strict=True):
        if handler is not None:
            signal.signal(number, handler)
    if _TIMER and not timed:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _list_numpy() -> list[Setting]:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        return []
    return [
        (numpy.random.get_state, numpy.random.set_state),
        (numpy.geterr, lambda state: numpy.seterr(**state)),
        (numpy.geterrcall, numpy.seterrcall),
    ]


def _list_torch() -> list[Setting]:
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_default_device"):  # half imported
        return []
    mkldnn = torch.backends.mkldnn
    return [
        (torch.get_rng_state, torch.set_rng_state),
        (torch.get_default_dtype, torch.set_default_dtype),
        (torch.get_default_device, torch.set_default_device),
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.get_num_threads, torch.set_num_threads),
        (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
        (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
        (lambda: mkldnn.enabled, lambda on: setattr(mkldnn, "enabled", on)),
    ]


# --- functions that others use ---------------------------------------------------------------------------------------


def _read_names() -> list[tuple[str, Any, dict[str, Any]]]:
    """Return, for modules and classes whose functions a model could replace for others, what they hold."""
    held = [(name, holder, dict(vars(holder))) for name, holder in _list_holders(len(sys.modules))]
    return held + [("the registry", entries, dict(entries)) for entries in _list_registrations()]


@functools.lru_cache(1)
def _list_holders(modules: int) -> list[tuple[str, Any]]:
    """Return these modules and classes by name; they are looked up anew once there are more `modules`."""
    del modules
    found: list[tuple[str, Any]] = []
    for name, module in list(sys.modules.items()):
        if name in _GUARDED:
            found.append((name, module))
        elif name.partition(".")[0] == "brainmark":
            kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == name]
            found += [(name, module), *((f"{name}.{kind.__name__}", kind) for kind in kinds)]
    return found


def _list_registrations() -> list[dict[str, Any]]:
    registry: Any = sys.modules.get("brainmark.core.registry")
    names = ("models", "datasets", "metrics", "benchmarks")
    return [getattr(registry, name)._entries for name in names if hasattr(registry, name)]


def _put_back_names(held: list[tuple[str, Any, dict[str, Any]]]) -> list[str]:
    """Put back functions, classes and registrations that were replaced; return their names."""
    replaced: list[str] = []
    for place, holder, before in held:
        now = holder if isinstance(holder, dict) else vars(holder)
        if all(map(operator.is_, map(now.get, before), before.values())):
            continue
        for name in [name for name, value in before.items() if now.get(name) is not value]:
            if isinstance(now.get(name), ModuleType) or not _is_shared(name, before[name]):
                continue
            replaced.append(f"{place}.{name}")
            if isinstance(holder, dict):
                holder[name] = before[name]
            else:
                setattr(holder, name, before[name])
    return replaced


def _is_shared(name: str, value: Any) -> bool:
    """Return whether a name holds what others rely on: code, a registration or a constant, and no state."""
    if callable(value) or isinstance(value, property | classmethod | staticmethod):
        return True
    return not name.startswith("_") and not isinstance(value, bool | ModuleType)
