"""The errors of the package. A score that could not be computed is one of these, never a 0 or a NaN."""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar, Literal

from brainmark.core.text import hide_secrets

FailureKind = Literal["environment", "resource", "contract", "model", "not_applicable", "no_data", "not_run"]
EXTRAS_WITH: dict[str, tuple[str, ...]] = {  # libraries by the names they are imported under -> extras that bring them
    **dict.fromkeys(("torch", "transformers", "safetensors", "sklearn"), ("vision", "language")),
    **dict.fromkeys(("torchvision", "timm"), ("vision",)),
    "tokenizers": ("language",),
    **dict.fromkeys(("jinja2", "markupsafe", "matplotlib"), ("report",)),
    **dict.fromkeys(("nibabel", "pynwb"), ("data",)),
    **dict.fromkeys(("dask", "distributed"), ("cluster",)),
}


class BrainmarkError(Exception):
    """Base of the errors of this package; a message says what is wrong, where, and what to do.

    Messages reach terminals, tables and reports, so addresses in them have no password (see `hide_secrets`).
    """

    kind: ClassVar[FailureKind] = "environment"

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*(hide_secrets(part) if isinstance(part, str) else part for part in parts), **more)


class UnknownName(BrainmarkError, LookupError):
    """A name that no registry holds; the message offers the nearest ones."""

    kind = "contract"

    def __init__(self, what: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.name = name
        self.suggestions = suggest(name, known)
        offer = f"; did you mean {_quote(self.suggestions)}?" if self.suggestions else ""
        super().__init__(f"unknown {what} {name!r}{offer}{hint}")


class InvalidMeasurement(BrainmarkError, ValueError):
    """An array that breaks the measurement contract; names dimension, coordinate and value."""

    kind = "contract"


class InvalidStimuli(BrainmarkError, ValueError):
    """A stimulus table or medium that cannot be presented."""

    kind = "contract"


class InvalidRegistration(BrainmarkError, ValueError):
    """A registry entry that cannot be accepted: taken name, wrong card, unusable factory."""

    kind = "contract"


class InvalidModel(BrainmarkError, ValueError):
    """A model's description that cannot be used: names the field, its value and the way out."""

    kind = "contract"


class NotApplicable(BrainmarkError):
    """A subject cannot do what is asked; says why. It is an answer, not a fault."""

    kind = "not_applicable"


class DataError(BrainmarkError):
    """A registered file that is missing, damaged or cannot be stored."""

    kind = "environment"


class MissingData(DataError):
    """A registered file that is neither cached nor mirrored, and cannot be downloaded from its URL."""

    kind = "no_data"


class MissingDependency(BrainmarkError, ImportError):
    """A library of an extra, or one that no extra brings, is not installed."""

    kind = "environment"

    def __init__(self, library: str, extra: str | None, purpose: str) -> None:
        called = library.replace("sklearn", "scikit-learn")
        wanted = called if extra is None else f"'brainmark[{extra}]'"
        super().__init__(f"{purpose} needs {called}; install it with: pip install {wanted}", name=library)
        self.purpose = purpose


@contextmanager
def say_what_to_install(purpose: str = "this", preferred: str = "vision") -> Generator[None]:
    """Raise `MissingDependency` where the block fails because a library of an extra is missing.

    Parameters
    ----------
    purpose : what needs the library; "this" where it is not known, until a block around this one knows it.
    preferred : the extra to offer where several bring it.
    """
    try:
        yield
    except (ModuleNotFoundError, MissingDependency) as error:
        extras = EXTRAS_WITH.get(error.name or "")  # a missing part of an installed library is another matter
        if extras is None or getattr(error, "purpose", "this") != "this":
            raise
        raise MissingDependency(str(error.name), preferred if preferred in extras else extras[0], purpose) from error


class ResourceError(BrainmarkError):
    """Memory, disk or time ran out, or would have."""

    kind = "resource"


class MethodError(BrainmarkError):
    """A metric, a ceiling or a control failed with an unexpected error."""

    kind = "contract"


class ModelError(BrainmarkError):
    """The model's own code failed, or produced values that are not numbers."""

    kind = "model"


def tell(error: BaseException) -> str:
    """Return type and message of an error in one line, with its notes; also of one whose message cannot be had."""
    try:
        parts = (str(error), *(f"({note})" for note in getattr(error, "__notes__", ())))
        text = " ".join(" ".join(part.split()) for part in parts if part)
    except BaseException:  # noqa: BLE001 - code of others
        text = "its message cannot be read"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def warn(message: str) -> None:
    """Warn of something; the line that the warning names is the first one outside of this package."""
    inside, frame, level = str(Path(__file__).parents[1]), sys._getframe(1), 2  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and (frame.f_code.co_filename.startswith(inside) or _imports(frame.f_code)):
        level += not _imports(frame.f_code)  # which Python does not count either
        frame = frame.f_back
    warnings.warn(message, stacklevel=level)


def _imports(code: CodeType) -> bool:
    return "importlib" in code.co_filename and "_bootstrap" in code.co_filename


def suggest(name: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """Return the known names nearest to `name`, best first; case does not count."""
    by_lower: dict[str, str] = {k.lower(): k for k in known}
    wanted = name.lower()
    close = difflib.get_close_matches(wanted, list(by_lower), n=most, cutoff=0.6)
    inside = [k for k in sorted(by_lower) if len(wanted) > 2 and wanted in k and k not in close]
    return tuple(by_lower[k] for k in (close + inside)[:most])


def _quote(names: Iterable[str]) -> str:
    return " or ".join(repr(n) for n in names)
