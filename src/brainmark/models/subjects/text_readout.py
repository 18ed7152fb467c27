"""What the layers of a network that reads stand for. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from brainmark.core.libraries import np
from brainmark.models.sources.arguments import check_name, refuse

Pool = Literal["last", "mean", "all", "first"]


@dataclass(frozen=True, eq=False)
class TextReadout:
    """Where a region is read from.

    Attributes
    ----------
    layers : dotted name of a layer, or several, whose units stand side by side.
    pool : the last token of a part or the mean of its tokens; of networks that see both sides also the mean of all
        tokens of the pass with those of its frame ("all", as sentence encoders are trained), or the first ("first").
    units : layer -> its units that are read; None: all.
    unit_length : whether each representation is divided by its length, as sentence encoders are trained.

    Raises
    ------
    InvalidModel : a field that describes no readout.
    """

    layers: tuple[str, ...]
    pool: Pool = "last"
    units: Mapping[str, Sequence[int]] | None = None
    unit_length: bool = False

    def __post_init__(self) -> None:
        given: Any = (self.layers,) if isinstance(self.layers, str) else tuple(self.layers)
        for name in given:
            check_name("TextReadout", "layers", name, "name layers of the network")
        if not given or len(set(given)) < len(given):
            raise refuse("TextReadout", "layers", self.layers, "name at least one layer, each once")
        object.__setattr__(self, "layers", given)
        if self.pool not in get_args(Pool):
            raise refuse("TextReadout", "pool", self.pool, f"give one of {', '.join(get_args(Pool))}")
        if self.units is not None and not any(len(self.units.get(n, ())) for n in given):
            raise refuse("TextReadout", "units", self.units, "name at least one unit of its layers, or None for all")

    def as_table(self) -> dict[str, Any]:
        """Return it as a file of descriptions says it; what is as usual is left out."""
        told: dict[str, Any] = {"layer": self.layers[0] if len(self.layers) == 1 else list(self.layers)}
        told["pool"] = self.pool
        if self.units is not None:
            told["units"] = {n: [int(u) for u in self.units[n]] for n in self.layers if n in self.units}
        if self.unit_length:
            told["unit_length"] = True
        return told

    def chosen(self) -> list[tuple[str, Sequence[int] | None]]:
        """Each layer, and its units that are read (None: all)."""
        return [(n, None if self.units is None else self.units.get(n, ())) for n in self.layers]


def as_text_readout(given: str | TextReadout) -> TextReadout:
    """Return the readout, or that of the layer with this name."""
    return given if isinstance(given, TextReadout) else TextReadout((given,))


def taken(
    given: tuple[np.ndarray, list[int]], layers: Sequence[str], readout: TextReadout
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, layers and numbers of a readout's units, out of those of several layers side by side."""
    values, sizes = given
    first = dict(zip(layers, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    size = dict(zip(layers, sizes, strict=True))
    units = [np.arange(size[n]) if u is None else np.asarray(u, int) for n, u in readout.chosen()]
    columns = np.concatenate([first[n] + u for n, u in zip(readout.layers, units, strict=True)])
    names = np.repeat(np.array(readout.layers), [len(u) for u in units])
    whole = len(columns) == values.shape[1] and bool((columns == np.arange(len(columns))).all())
    values = values if whole else values[:, columns]
    if readout.unit_length:
        values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.float32(1e-12))
    return values, names, np.concatenate(units)


__all__ = ["Pool", "TextReadout", "as_text_readout", "taken"]
