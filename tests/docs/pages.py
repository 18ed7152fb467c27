"""Reads the fenced blocks of a Markdown page and runs them.

An HTML comment right above a block says what else is done with it:

``<!-- file: NAME -->``
    its content is written to a file; nothing runs.
``<!-- not run: REASON -->``
    it is shown only.
``<!-- output -->``
    it is what the block before it prints; only white space and times may differ.

Blocks of Python share one namespace, like one session; shell blocks run line by line.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"(?:^<!-- *(?P<mark>[a-z ]+?)(?:: *(?P<what>.*?))? *-->\n)?^```(?P<language>[a-z]*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
MARKS = ("file", "not run", "output")
TIME = re.compile(r"\b(?:\d+ min )?\d+(?:\.\d+)? s\b")
RULE = re.compile("─+")
RUNS = ("python", "bash")


@dataclass(frozen=True)
class Block:
    """One fenced block: language, content, line of the page, and the mark above it."""

    language: str
    code: str
    line: int
    mark: str = ""
    what: str = ""


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    found: list[Block] = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code"))
        mark = match["mark"] or ""
        if mark and mark not in MARKS:
            raise ValueError(f"line {line}: unknown mark {mark!r} above a block; use one of {MARKS}")
        if mark in ("file", "not run") and not match["what"]:
            raise ValueError(f"line {line}: the mark {mark!r} needs a name or a reason")
        found.append(Block(match["language"], match["code"], line, mark, match["what"] or ""))
    return found


def runnable(page: list[Block]) -> list[Block]:
    """Return the blocks that do something."""
    return [b for b in page if b.mark in ("file", "output") or (b.mark == "" and b.language in RUNS)]


def script_of(page: list[Block], name: str) -> str:
    """Return one Python program that does what a reader would do with the page."""
    lines = ["import subprocess, pathlib, sys", "sys.path.insert(0, '.')", "_page = {'__name__': '__main__'}"]
    for number, block in enumerate(runnable(page)):
        lines.append(f"print('\\0', {number}, sep='', flush=True)")
        if block.mark == "file":
            path = f"pathlib.Path({block.what!r})"
            lines += [f"{path}.parent.mkdir(parents=True, exist_ok=True)", f"{path}.write_text({block.code!r})"]
        elif block.mark == "output":
            continue
        elif block.language == "python":
            place = "\n" * block.line + block.code
            lines.append(f"exec(compile({place!r}, {name!r}, 'exec'), _page)")
        else:
            for command in block.code.replace("\\\n", " ").splitlines():
                if words := shlex.split(command, comments=True):
                    lines.append(f"subprocess.run({words!r}, check=True)")
    return "\n".join(lines)


def run(page: list[Block], name: str, folder: Path) -> dict[int, str]:
    """Run a page in an empty folder with a cache of its own; return what each runnable block printed.

    Raises
    ------
    AssertionError : a block failed; shows its traceback.
    """
    programs = Path(sys.executable).parent
    environment = os.environ | {
        "BRAINMARK_HOME": str(folder / "home"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONWARNINGS": "error",
        "COLUMNS": "120",
    }
    script = folder / "page.py"
    script.write_text(script_of(page, name), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{name}: {done.stderr[-4000:]}"
    parts = re.split("\0(\\d+)\n", done.stdout)[1:]
    return {int(n): printed for n, printed in zip(parts[::2], parts[1::2], strict=True)}


def differences(page: list[Block], printed: dict[int, str]) -> list[str]:
    """Return where the page shows another output than was printed."""
    found: list[str] = []
    steps = runnable(page)
    for number, block in enumerate(steps):
        if block.mark == "output":
            if number == 0:
                found.append(f"line {block.line}: nothing runs before this output")
            elif not same(block.code, printed[number - 1]):
                found.append(f"line {block.line}: shown\n{block.code}printed\n{printed[number - 1]}")
    return found


def same(shown: str, printed: str) -> bool:
    """Whether two outputs agree to the last figure; white space, the length of rules and times do not count."""
    shown, printed = (RULE.sub("─", TIME.sub("a time", " ".join(text.split()))) for text in (shown, printed))
    return shown == printed
