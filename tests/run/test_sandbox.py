"""The sandbox: what a hostile model tries in it fails, ends that model alone, and leaves nothing behind.

Guards against: a submitted model that reads keys, tokens or the target, sends them away, fills the disk or the memory,
never answers, changes files, or lives on after the run.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import xarray as xr

from brainmark.core import Experiment, InvalidMeasurement, ModelError, Record, Stimuli, UnknownName
from brainmark.core.errors import InvalidModel, ResourceError
from brainmark.run import processes, sandbox
from brainmark.run.apart import ApartSubject, choose_isolation, isolate
from brainmark.run.guard import Guard
from brainmark.run.processes import Process
from brainmark.run.sandbox import MissingSandbox, find_obstacle, make_group, read_limits, start
from brainmark.run.visible import view_for

pytestmark = pytest.mark.skipif(bool(find_obstacle()), reason=f"no sandbox here: {find_obstacle()}")
SECRET = "correct-horse-" + "battery"  # in two parts, as this file may itself be seen
LIMITS = "memory=1GB seconds=60 scratch=8MB processes=30"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with secrets, a cache with data and scores, and a folder with a model in which there are secrets too."""
    for name in (
        "user/.ssh/id_rsa", "user/letters.txt", "cache/files/target.nc", "cache/brainmark.db", "mirror/target.nc",
        "user/project/.env", "user/project/.git/config", "user/project/weights.txt", "user/.cache/huggingface/token",
        "user/.cache/huggingface/hub/model.bin",
    ):  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SECRET)
    project = tmp_path / "user" / "project"
    (project / "hostile.py").write_text(HOSTILE)
    for variable, place in (("HOME", "user"), ("BRAINMARK_HOME", "cache"), ("BRAINMARK_MIRROR", "mirror")):
        monkeypatch.setenv(variable, str(tmp_path / place))
    for variable in ("HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME", "BRAINMARK_STORE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CLOUD_TOKEN", SECRET)
    monkeypatch.setenv(sandbox.SETTING, LIMITS)
    monkeypatch.chdir(project)
    return project


def try_in_sandbox(code: str, limits: str = LIMITS, name: str = "hostile:make") -> str:
    """Run Python code in the sandbox of a model; what it printed, and how it ended."""
    found = read_limits(limits)
    running, handle = start(
        [sys.executable, "-I", "-c", textwrap.dedent(code), str(Path.cwd())],
        view_for(name, found.show),
        Path.cwd(),
        found,
    )
    watch = Guard(handle, found)
    with watch.keep():
        said, errors = running.communicate()
    watch.end()
    return (said + errors).decode() + watch.reason


def attempt(*attempts: str, limits: str = LIMITS) -> dict[str, Any]:
    """Evaluate expressions in the sandbox of a model; each with its value, or the name of its error."""
    code = f"""
    import ctypes, glob, json, os, signal, socket, subprocess, sys
    def system_call(*numbers):
        ctypes.CDLL(None, use_errno=True).syscall(*numbers)
        return os.strerror(ctypes.get_errno())
    def tell(expression):
        try:
            return eval(expression)
        except BaseException as error:
            return type(error).__name__
    print(json.dumps({{one: tell(one) for one in {attempts!r}}}, default=repr))
    """
    return json.loads(try_in_sandbox(code, limits))


# --- what is seen ----------------------------------------------------------------------------------------------------


def test_secrets_are_not_there(lab: Path) -> None:
    home, top = lab.parent, lab.parents[1]
    shown = try_in_sandbox(f"""
    import os, subprocess
    texts = [str(dict(os.environ))]
    for number in ("self", "1"):
        for name in ("environ", "cmdline"):
            texts.append(open(f"/proc/{{number}}/{{name}}", "rb").read().decode())
    for place in ({str(home)!r}, {str(top)!r}, "/etc", "/tmp", "/dev/shm", os.getcwd()):
        for folder, _, files in os.walk(place):
            for file in files:
                try:
                    texts.append(folder + "/" + file + ":" + open(os.path.join(folder, file)).read())
                except (OSError, ValueError):
                    pass
    print("\\n".join(texts))
    """)
    seen = {line.rpartition("/")[2] for line in shown.splitlines() if SECRET in line}
    assert seen == {f"weights.txt:{SECRET}", f"model.bin:{SECRET}"}  # its own, and a network that was downloaded
    assert "CLOUD_TOKEN" not in shown


def test_only_its_own_processes_are_there(lab: Path) -> None:
    del lab
    found = attempt(
        "sorted(map(int, filter(str.isdigit, os.listdir('/proc'))))[:3]", f"os.kill({os.getpid()}, 9)",
        "os.kill(1, 9)", "system_call(101, 16, 1, 0, 0)", "os.listdir('/proc/2/root/root/..')",
        "os.readlink('/proc/1/exe')",
    )  # fmt: skip
    assert list(found.values())[:3] == [[1, 2], "ProcessLookupError", None]  # the kernel ignores the last
    assert "not permitted" in found["system_call(101, 16, 1, 0, 0)"] or os.uname().machine != "x86_64"


def test_there_is_no_network(lab: Path) -> None:
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as hidden, socket.socket(socket.AF_UNIX) as file:
        tcp.bind(("127.0.0.1", 0))  # which can be reached from everywhere else on this machine
        hidden.bind(name := f"\0hostile-{os.getpid()}")
        file.bind(place := str(lab.parents[1] / "s"))
        for listener in (tcp, hidden, file):
            listener.listen()
        port = tcp.getsockname()[1]
        found = attempt(
            "socket.create_connection(('192.0.2.1', 80), 1)",
            f"socket.create_connection(('127.0.0.1', {port}), 1)",
            "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
            "socket.getaddrinfo('example.org', 80)",
            f"socket.socket(socket.AF_UNIX).connect({name!r})",
            f"socket.socket(socket.AF_UNIX).connect({place!r})",
            "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
            "[name for _, name in socket.if_nameindex()]",
        )
    refused = ["OSError", "ConnectionRefusedError", "OSError", "gaierror"]
    assert list(found.values()) == [*refused, "ConnectionRefusedError", "FileNotFoundError", "PermissionError", ["lo"]]


def test_no_file_can_be_written_but_in_a_scratch_of_a_size(lab: Path) -> None:
    before = {p: p.read_bytes() for p in lab.parents[1].rglob("*") if p.is_file()}
    places = [
        "hostile.py", "new.txt", os.__file__, sandbox.__file__, "/new", "/dev/new", "/usr/new", "/etc/new",
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/self/oom_score_adj",
        str(lab.parents[1] / "cache" / "brainmark.db"), str(lab.parent / ".ssh" / "authorized_keys"),
    ]  # fmt: skip
    found = attempt(
        *(f"open({place!r}, 'a').close()" for place in places),
        "os.unlink('hostile.py')", "os.chmod('hostile.py', 0o777)",
        "open('/tmp/large', 'wb').write(bytes(2**24))", "open('/dev/shm/large', 'wb').write(bytes(2**24))",
        "os.listdir('/tmp/home')", "ctypes.CDLL(None).mount(b'x', b'/usr', b'tmpfs', 32, None)",
        "ctypes.CDLL(None).unshare(0x10000000)", "open('/tmp/small', 'w').write('yes')",
    )  # fmt: skip
    *refused, homes, mounted, namespace, wrote = found.values()
    assert set(refused) <= {"OSError", "PermissionError", "FileNotFoundError", "IsADirectoryError"}
    assert (homes, mounted, namespace, wrote) == ([], -1, -1, 3)
    assert {p: p.read_bytes() for p in lab.parents[1].rglob("*") if p.is_file()} == before
    assert not Path("/tmp/small").exists()


def test_a_folder_with_much_else_shows_the_model_alone(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = lab.parent
    (home / "lone.py").write_text("import helper")
    (home / "helper.py").write_text("")
    monkeypatch.chdir(home)
    assert "letters" not in try_in_sandbox("import os; print(os.listdir('.'))", name="lone:make")
    shown = try_in_sandbox("import os; print(sorted(n for n in os.listdir('.') if n[0] != '.'))", name="lone:make")
    assert shown == "['helper.py', 'lone.py']\n"


def test_more_can_be_shown(lab: Path) -> None:
    place = lab.parent / "letters.txt"
    assert SECRET in try_in_sandbox(f"print(open({str(place)!r}).read())", f"{LIMITS} show={place}")
    assert SECRET in try_in_sandbox("import os; print(os.environ['CLOUD_TOKEN'])", f"{LIMITS} keep=CLOUD_TOKEN")


@pytest.mark.parametrize("given", ["memory=much", "seconds=0", "colour=red", "scratch", "memory=-1GB"])
def test_limits_that_are_none_are_refused(given: str) -> None:
    with pytest.raises(InvalidModel, match="BRAINMARK_SANDBOX"):
        read_limits(given)


# --- what is used ----------------------------------------------------------------------------------------------------


MANY_PAGES = "import mmap\nm = mmap.mmap(-1, 2**30)\nfor i in range(0, 2**30, 4096): m[i] = 1"
MANY_PROCESSES = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        kept = b"x" * 2**27
        time.sleep(60)
os.wait()
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import time; time.sleep(60)", "it took longer than 1 s"),
        ("while True: pass", "it took longer than 1 s"),
        ("import os\nwhile True:\n    os.fork()", "it started more than 30 processes"),
        (MANY_PAGES, "it used more than 300 MB"),
        (MANY_PROCESSES, "it used more than 300 MB"),
    ],
    ids=["sleeps", "computes", "forks", "memory", "memory of many"],
)  # fmt: skip
def test_what_goes_over_a_limit_ends(lab: Path, code: str, reason: str) -> None:
    del lab
    if "fork" in code and os.geteuid() == 0 and make_group(read_limits()) is None:
        pytest.skip("the superuser's processes cannot be bounded here: there are no control groups")
    seconds = 1 if "1 s" in reason else 60
    assert reason in try_in_sandbox(code, f"memory=300000000 seconds={seconds} scratch=8MB processes=30")
    assert not find_leftovers()


def test_what_it_started_ends_with_it(lab: Path) -> None:
    code = "import os, time, signal\nif os.fork() == 0:\n    os.setsid()\n    signal.signal(15, 1)\n    os.fork()\n"
    started = time.monotonic()
    try_in_sandbox(code + "    [os.close(i) for i in range(3)]; time.sleep(60)")
    assert time.monotonic() - started < 30
    assert not find_leftovers()
    del lab


def find_leftovers() -> list[list[str]]:
    """Commands of processes that were started in the folder of this test and have not ended."""
    found = [p.info for p in psutil.process_iter(["cmdline", "status"])]
    here = str(Path.cwd())
    return [i["cmdline"] for i in found if i["status"] != psutil.STATUS_ZOMBIE and here in " ".join(i["cmdline"] or [])]


# --- models ----------------------------------------------------------------------------------------------------------

HOSTILE = """
import ctypes, gc, os, sys
import numpy as np
import xarray as xr

class Model:
    domain, degrees, regions, identifier = "vision", 8.0, ("V4",), "hostile"

    def __init__(self, act):
        self.act = act

    def perform(self, experiment):
        media = experiment.stimuli.media
        values = np.stack([np.asarray(media[i], float).reshape(-1)[:3] for i in range(len(media))])
        ids = experiment.stimuli.ids
        return globals()[self.act](answer(values, ids), values, ids)

def answer(values, ids, neuroids=None):
    count = values.shape[1]
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords={
        "stimulus_id": ("presentation", ids), "region": ("neuroid", ["V4"] * count),
        "neuroid_id": ("neuroid", np.arange(count) if neuroids is None else neuroids)})

def make(act="honest"):
    return Model(act)

def honest(found, values, ids):
    print("a fake score of 1.0")
    return found

def exits(found, values, ids):
    os._exit(0)

def crashes(found, values, ids):
    ctypes.string_at(0)

def forges(found, values, ids):
    for file in range(3, 10):
        try:
            os.write(file, (2).to_bytes(8, "big") + bytes(8) + b"{}")
        except OSError:
            pass
    return found

def reads_target(found, values, ids):
    from brainmark.core import benchmarks
    names = [type(o).__name__ for o in gc.get_objects() if type(o).__name__ in ("Benchmark", "Score")]
    assert not names, names
    return answer(benchmarks["Toy.V4"].load().target.values, ids)

def asks_for_more(found, values, ids):
    return answer(np.stack([hidden_media().ask(7, 99)]), ids)

def hidden_media():
    return next(o for o in gc.get_objects() if type(o).__name__ == "SentMedia")

def patches(found, values, ids):
    import brainmark.metrics
    np.corrcoef = lambda *_, **__: np.ones((2, 2))
    return found

def bad_text(found, values, ids):
    return answer(values, ids, ["a", "\\ud800", "b"])

def objects(found, values, ids):
    return answer(np.array([[object()] * 3] * len(ids)), ids)

def writes(found, values, ids):
    open("result.txt", "w")

def loops(found, values, ids):
    sys.stderr.write("\\x1b[2J" + "x" * 100)
    return found
"""


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    pictures = np.random.default_rng(0).integers(0, 255, (4, 4, 4, 3), dtype=np.uint8)
    table = pd.DataFrame({"stimulus_id": list("abcd"), "kind": ["x", None, "y", "ü"]})
    return Experiment(Stimuli("toy", "image", table, tuple(pictures)), Record("V4"))


def test_hostile_models_fail_alone(lab: Path, experiment: Experiment, capfd: pytest.CaptureFixture[str]) -> None:
    process = Process("hostile:make", confined=True)
    plain = np.stack([np.asarray(medium, float).reshape(-1)[:3] for medium in experiment.stimuli.media])

    def perform(act: str) -> xr.DataArray:
        return ApartSubject("hostile:make", process, {"act": act}).perform(experiment)

    try:
        np.testing.assert_array_equal(perform("honest").values, plain)
        for act, error, reason in (
            ("reads_target", UnknownName, "Toy"),
            ("patches", ModelError, "it replaced numpy.corrcoef"),
            ("objects", InvalidMeasurement, "hold a object"),
            ("bad_text", ModelError, "cannot be understood"),
            ("writes", ResourceError, "Read-only file system.*--isolation process"),
            ("exits", ModelError, "ended its process .exit status 0"),
            ("crashes", ModelError, "ended its process .signal SIGSEGV"),
            ("forges", ModelError, "asked for"),
        ):
            with pytest.raises(error, match=reason):
                perform(act)
        np.testing.assert_array_equal(perform("loops").values, plain)
    finally:
        process.stop()
    said = capfd.readouterr()
    assert said.out == ""
    assert "\x1b" not in said.err
    assert not find_leftovers()
    assert not (lab / "result.txt").exists()


def test_where_there_can_be_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("brainmark.run.sandbox.find_obstacle", "brainmark.run.apart.find_obstacle"):
        monkeypatch.setattr(place, lambda: "bubblewrap is not installed")
    monkeypatch.delenv("BRAINMARK_ISOLATION", raising=False)
    with isolate("sandbox"), pytest.raises(MissingSandbox, match="not installed; run the whole command in a container"):
        choose_isolation()
    with isolate("auto"), pytest.warns(UserWarning, match="with your rights.*not installed"):
        assert choose_isolation() == "process"
    with isolate("none"):
        assert choose_isolation() == "none"
    assert processes.HINT
