"""Making a model once for two purposes: to know what it is made of, and to use it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")


class Maker(Generic[Made]):
    """Makes things that are slow to make; the one that `content` looked at is handed to who asks next, to keep.

    Parameters
    ----------
    make : options -> the thing.
    digest : of what a thing is made of; None: that cannot be known.
    usual : options that mean the same as none.
    """

    def __init__(
        self,
        make: Callable[[Mapping[str, Any]], Made],
        digest: Callable[[Made], str | None],
        usual: Mapping[str, Any] | None = None,
    ) -> None:
        self._make, self._digest_of, self._usual = make, digest, dict(usual or {})
        self._waiting: list[Made] = []
        self._digest: list[str | None] = []

    def make(self, options: Mapping[str, Any]) -> Made:
        """Return the thing with these options: a new one, or the one that waits. Raises what making it raises."""
        if self._waiting and {**self._usual, **options} == self._usual:
            return self._waiting.pop()
        return self._make(options)

    def content(self) -> str | None:
        """Digest of the thing without options, which is made if this was never asked."""
        if not self._digest:
            thing = self._make(self._usual)
            self._digest.append(self._digest_of(thing))
            self._waiting.append(thing)
        return self._digest[0]


def digest_over(*parts: Any) -> str:
    """Return the sha256 over what JSON can hold; anything else counts by its text."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def configuration(network: object) -> dict[str, Any]:
    """Return what a network of transformers is configured by, beside its weights; not where it lies, nor who wrote it.

    Empty for any other network.
    """
    config: Any = getattr(network, "config", None)
    told: dict[str, Any] = config.to_dict() if callable(getattr(config, "to_dict", None)) else {}
    return {k: v for k, v in told.items() if k not in ("_name_or_path", "transformers_version")}


__all__ = ["Maker", "configuration", "digest_over"]
