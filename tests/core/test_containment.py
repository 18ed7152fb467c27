"""What a model changes of the process is put back."""

from __future__ import annotations

import io
import os
import random
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainmark.core import BrainmarkError, ModelError
from brainmark.core.containment import contain


def _alarm(*_: Any) -> None:
    raise RuntimeError("rung")


def state_of_process() -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    return {
        "folder": Path.cwd(), "environment": dict(os.environ), "filters": list(warnings.filters),
        "random": random.getstate(), "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002
        "errors": np.geterr(),
        "torch": torch.get_rng_state().tolist(), "type": torch.get_default_dtype(), "grad": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(), "alarm": signal.getsignal(signal.SIGALRM), "out": sys.stdout,
        "err": sys.stderr, "limit": sys.getrecursionlimit(), "hook": sys.excepthook, "shown": warnings.showwarning,
        "interrupt": signal.getsignal(signal.SIGINT), "exact": torch.are_deterministic_algorithms_enabled(),
    }  # fmt: skip


def upset(tmp_path: Any) -> None:
    torch = pytest.importorskip("torch")
    os.chdir(tmp_path)
    os.environ["OMP_NUM_THREADS"] = "7"
    os.environ.pop("PATH", None)
    warnings.simplefilter("ignore")
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    np.seterr(all="ignore")
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.use_deterministic_algorithms(True)
    signal.signal(signal.SIGALRM, _alarm)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 30)
    sys.stdout = sys.stderr = io.StringIO()
    sys.setrecursionlimit(50_000)
    sys.excepthook = warnings.showwarning = lambda *_: None


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_model_changes_of_the_process_is_put_back(tmp_path, fails):
    before = state_of_process()
    try:
        with contain("me"):
            upset(tmp_path)
            if fails:
                raise ValueError
    except BrainmarkError:
        assert fails
    after = state_of_process()
    assert {name for name in before if before[name] != after[name]} == set()
    assert not any(signal.getitimer(signal.ITIMER_REAL))


def test_containment_in_two_threads_leaves_the_process_as_it_was():
    before, inside, go_on = state_of_process(), threading.Event(), threading.Event()

    def other() -> None:
        with contain("other"):
            inside.set()
            go_on.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    with pytest.raises(ModelError, match="me: it ended the program"), contain("me"):
        sys.exit(0)
    go_on.set()
    thread.join()
    assert {name for name, was in state_of_process().items() if was != before[name]} == set()
    with pytest.raises(ModelError, match="replaced"), contain("again"):
        np.corrcoef = None
