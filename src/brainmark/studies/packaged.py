"""Data sets that a lab packaged: the path of their folder is their name."""

from __future__ import annotations

from pathlib import Path

from brainmark.core import DatasetCard, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.registry import Entry
from brainmark.data.packaging.folder import dataset_card, load_package, verified


def package_at(name: str) -> Path | None:
    """Return the folder that a name leads to, if a card of a packaged data set lies in it (or is named itself)."""
    path = Path(name)
    path = path.parent if path.name == "card.toml" else path
    try:
        return path if (path / "card.toml").is_file() else None
    except (OSError, ValueError):  # no name that a file can have
        return None


@datasets.add_finder
def find_dataset(name: str) -> Entry[Dataset, DatasetCard] | None:
    """Return the packaged data set at a path; None for any other name.

    Raises
    ------
    DataError : its card is broken, or a file is missing.
    """
    path = package_at(name)
    if path is None:
        return None

    def load() -> Dataset:
        return load_package(path, name)

    load.__module__ = "brainmark.data.packaging.folder"
    return Entry("dataset", name, load, dataset_card(path), lambda: verified(path))
