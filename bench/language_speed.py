"""Speed and memory of reading: texts in parts to representations and reading times, GPT-2 of 12 blocks, random weights.

Compared, each case in a process of its own (peak memory is that of the whole process):

- ours: `LanguageSubject`;
- incumbent: `HuggingfaceSubject` of brainscore_language, in its own environment (``--peer PYTHON``), which reads the
  context anew for each part that it records, and keeps keys and values for reading times.

Both have the same weights (in a file that is made first), tokenizer and layer. Speed does not depend on what weights
hold. Run ``python bench/language_speed.py --peer PYTHON --results FILE [--cases story-250] [--markdown FILE]``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LAYER, VOCABULARY = "transformer.h.8", 50257
CASES: dict[str, tuple[str, int, float | None]] = {  # what, words (passages), goal against the incumbent
    "story-100": ("neural", 100, None),
    "story-250": ("neural", 250, 200.0),
    "story-900": ("neural", 900, None),
    "story-1800": ("neural", 1800, None),
    "story-7200": ("neural", 7200, None),
    "reading-900": ("reading", 900, 15.0),
    "passages": ("passages", 168, 10.0),
}
BY_HAND = {"story-900", "story-1800", "story-7200"}  # quadratic for the incumbent: not run


def words(count: int, seed: int) -> list[str]:
    """Return words of a made-up language, frequent ones more often, sentences of about a dozen."""
    import numpy as np

    random = np.random.default_rng(0)
    syllables = [c + v + e for c in "bdfgklmnprst" for v in "aeiou" for e in ("", "n", "s", "r")]
    lexicon = ["".join(random.choice(syllables, 1 + int(n))) for n in random.integers(0, 3, 2000)]
    random = np.random.default_rng(seed)
    chosen = [lexicon[min(int(r), 1999)] for r in random.zipf(1.3, count) - 1]
    return [w + ("." if i % 12 == 11 else "") for i, w in enumerate(chosen)]


def texts(case: str, folder: Path) -> list[list[str]]:
    """Return contexts, each a list of parts, as they were drawn once: other versions of NumPy draw others."""
    return json.loads((folder / "texts.json").read_text())[case]


def drawn(case: str) -> list[list[str]]:
    """Draw the texts of a case."""
    what, count, _ = CASES[case]
    if what != "passages":
        return [words(count, 1)]
    found = []
    for passage in range(count):  # 630 sentences in 168 passages, as in Pereira et al. 2018
        sentences = 4 if passage < 126 else 3
        found.append([" ".join(words(12, 10 * passage + s)) for s in range(sentences)])
    return found


def prepare(folder: Path) -> None:
    """Write a tokenizer and random weights."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    torch.manual_seed(0)
    transformers = library()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [" ".join(words(20000, 5))],
        trainers.BpeTrainer(vocab_size=2500, initial_alphabet=alphabet, show_progress=False),
    )
    (folder / "texts.json").write_text(json.dumps({case: drawn(case) for case in CASES}))
    tokenizer.save(str(folder / "tokenizer.json"))
    network = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=VOCABULARY))
    torch.save(network.state_dict(), folder / "weights.pt")


def library() -> Any:
    """Return transformers, also where torchvision does not load."""
    try:
        from brainmark.models.sources.libraries import transformers
    except ImportError:
        import transformers

        return transformers
    return transformers()


def network(folder: Path) -> tuple[Any, Any]:
    """Return the network and the tokenizer."""
    import torch

    transformers = library()
    made = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=VOCABULARY))
    made.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        model_max_length=1024,
        truncation_side="left",
        model_input_names=["input_ids", "attention_mask"],  # the incumbent would add up types of tokens
    )
    return made.eval(), tokenizer


def ours(case: str, folder: Path) -> tuple[float, Any]:
    """Time our subject."""
    import pandas as pd

    from brainmark.core import Experiment, Read, Record, Setting, Stimuli
    from brainmark.models.subjects.language import LanguageSubject

    subject = LanguageSubject("gpt2", *network(folder), {"language_system": LAYER}, begin=False)
    rows = [(f"{c}-{i}", c, part) for c, parts in enumerate(texts(case, folder)) for i, part in enumerate(parts)]
    stimuli = Stimuli("texts", "text", pd.DataFrame(rows, columns=["stimulus_id", "context", "text"]))
    ask = Read("reading_time") if CASES[case][0] == "reading" else Record("language_system")
    subject.perform(Experiment(stimuli.take([0]), ask))  # libraries are loaded, as for the incumbent
    start = time.perf_counter()
    answer = subject.perform(Experiment(stimuli, ask, Setting(context="context")))
    return time.perf_counter() - start, answer.values


def incumbent(case: str, folder: Path) -> tuple[float, Any]:
    """Time the incumbent's subject, passage by passage as its benchmarks do."""
    import numpy as np
    from brainscore_language.artificial_subject import ArtificialSubject
    from brainscore_language.model_helpers.huggingface import HuggingfaceSubject

    made, tokenizer = network(folder)
    subject = HuggingfaceSubject("gpt2", {"language_system": LAYER}, model=made, tokenizer=tokenizer)
    part = "neural"
    if CASES[case][0] == "reading":
        part = "behavior"
        subject.start_behavioral_task(ArtificialSubject.Task.reading_times)
    else:
        subject.start_neural_recording(
            ArtificialSubject.RecordingTarget.language_system, ArtificialSubject.RecordingType.fMRI
        )
    subject.digest_text(["warm"])
    start = time.perf_counter()
    found = [np.asarray(subject.digest_text(parts)[part].values) for parts in texts(case, folder)]
    return time.perf_counter() - start, np.concatenate(found)


def run_one(side: str, case: str, folder: Path) -> dict[str, Any]:
    """Run a case on a side in this process."""
    import numpy as np
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    seconds, values = {"ours": ours, "incumbent": incumbent}[side](case, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
    np.save(folder / f"{case}-{side}.npy", np.asarray(values, np.float64))
    return {
        "seconds": seconds, "MB": peak, "words": sum(len(p.split()) for t in texts(case, folder) for p in t),
        "torch": torch.__version__, "transformers": library().__version__,
    }  # fmt: skip


def measured(side: str, case: str, folder: Path, peer: str | None) -> dict[str, Any] | None:
    """Run a case in a process of its own."""
    python = peer if side == "incumbent" else sys.executable
    if python is None:
        return None
    command = [python, __file__, "--one", side, "--cases", case, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-1500:], file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def difference(case: str, folder: Path) -> float | None:
    """Largest difference between the two sides' answers."""
    import numpy as np

    files = [folder / f"{case}-{side}.npy" for side in ("ours", "incumbent")]
    if not all(f.exists() for f in files):
        return None
    left, right = (np.load(f) for f in files)
    known = ~(np.isnan(left) & np.isnan(right))
    return float(np.abs(left - right.reshape(left.shape))[known].max())


def table(rows: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| case | words | ours s (MB) | ours, words a second | incumbent s (MB) | ratio | goal | largest difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case, sides in rows.items():
        mine, other = sides["ours"], sides.get("incumbent")
        theirs = f"{other['seconds']:.1f} ({other['MB']:.0f})" if other else "-"
        ratio = f"{other['seconds'] / mine['seconds']:.0f}" if other else "-"
        goal, off = CASES[case][2], sides.get("difference")
        lines.append(
            f"| {case} | {mine['words']} | {mine['seconds']:.2f} ({mine['MB']:.0f}) | "
            f"{mine['words'] / mine['seconds']:.0f} | {theirs} | {ratio} | {'-' if goal is None else f'{goal:.0f}'} | "
            f"{'-' if off is None else f'{off:.0e}'} |"
        )
    return "\n".join(lines)


HEAD = """# Speed: reading

Texts in parts to representations of each part (neural) and reading times, by a GPT-2 of 12 blocks and 768 units with
random weights, two threads; in brackets the most memory that the whole process held, in MB. *story* is one text, word
by word, recorded from block 9; *passages* are 630 sentences in 168 passages, as in Pereira et al. 2018; *reading* is
the surprisal of each word. The incumbent is `HuggingfaceSubject` of brainscore_language; longer stories take it minutes
to hours, since it reads the context anew for each word. Differences are between answers to the same texts, of the size
of {size}. Made by `bench/language_speed.py` on {date}: {cores} cores {machine}, Python {python}, torch {torch},
transformers {transformers}; other work ran on the machine at a lower priority.

"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--sides", nargs="*", default=["ours", "incumbent"])
    parser.add_argument("--peer", help="Python of an environment with brainscore_language")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "brainmark-bench-language")
    parser.add_argument("--results", type=Path, help="JSON of earlier results, to add to")
    parser.add_argument("--markdown", type=Path, help="where the table goes")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if not (given.folder / "weights.pt").exists():
        prepare(given.folder)
    if given.one:
        print(json.dumps(run_one(given.one, given.cases[0], given.folder)))
        return
    rows = json.loads(given.results.read_text()) if given.results and given.results.exists() else {}
    for case in given.cases:
        for side in given.sides:
            if side == "incumbent" and case in BY_HAND:
                continue
            if found := measured(side, case, given.folder, given.peer):
                rows.setdefault(case, {})[side] = found
                print(case, side, f"{found['seconds']:.2f} s, {found['MB']:.0f} MB", flush=True)
        rows.get(case, {})["difference"] = difference(case, given.folder)
        if given.results:
            given.results.write_text(json.dumps(rows))
    rows = {case: rows[case] for case in CASES if "ours" in rows.get(case, {})}
    text = table(rows)
    print(text)
    if given.markdown:
        import numpy as np

        sides = [s for r in rows.values() for s in r.values() if isinstance(s, dict)]
        versions = {n: " and ".join(sorted({s[n] for s in sides})) for n in ("torch", "transformers")}
        head = HEAD.format(
            size=f"{np.abs(np.load(given.folder / 'story-250-ours.npy')).max():.1f}",
            date=f"{datetime.now(UTC):%Y-%m-%d}", cores=os.cpu_count(), machine=platform.machine(),
            python=platform.python_version(), **versions,
        )  # fmt: skip
        given.markdown.write_text(head + text + "\n")


if __name__ == "__main__":
    main()
