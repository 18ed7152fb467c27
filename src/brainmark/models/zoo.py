"""The zoo: every network of ``zoo.toml`` is a registered model. No library is imported before a network is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError, InvalidModel, UnknownName
from brainmark.core.registry import models
from brainmark.core.source_code import digest_code, is_our_code
from brainmark.core.subject import Subject
from brainmark.models import described
from brainmark.models.described.description import ModelDescription
from brainmark.models.described.model import DescribedModel, factory
from brainmark.models.described.toml_files import ZOO_FILE, card_of_registered, digest_description, read_models
from brainmark.models.sources.function import Function
from brainmark.models.sources.names import find_source
from brainmark.models.sources.source import USUAL, digest_over


def register(path: Path | str, module: str | None = None) -> dict[str, DescribedModel]:
    """Register every model of a file of descriptions, and return them by name.

    A model takes four lines: ``like`` names a family of the file or of the zoo. Without a domain it sees; what else is
    left out is as the network has it, and the card says so.

    Parameters
    ----------
    path : of the file.
    module : name of the module that registers them; None: the one that calls.

    Raises
    ------
    InvalidModel, UnknownName : a field is missing or wrong; names file, model, field and value.
    DataError : the file is not there.
    """
    path = Path(path)
    if module is None:
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        module = str(caller.f_globals["__name__"])
    described = {name: _describe(path, name, spec, module) for name, spec in read_models(path).items()}
    cards = {name: card_of_registered(path, name, model.spec) for name, model in described.items()}
    for name, model in described.items():
        make = factory(_loader(path, model, module), model.options, module)
        make.__qualname__ = f"{path.stem}[{name}]"
        models.add(name, card=cards[name], content=_content(model, module))(make)
    return described


def _describe(path: Path, name: str, spec: ModelDescription, module: str) -> DescribedModel:
    try:
        source = find_source(spec.source, path.parent, spec.arguments)
    except (UnknownName, InvalidModel, DataError) as error:
        raise InvalidModel(f"{path} [{name}]: source is {spec.source!r}: {error}") from None
    except TypeError as error:
        raise InvalidModel(f"{path} [{name}]: arguments is {spec.arguments!r}: {error}") from None
    if not is_our_code(module):
        seen = (spec.size, spec.mean, spec.std)
        changes: dict[str, Any] = {"domain": None} if spec.domain == "vision" and None in seen else {}
        if spec.options is None and isinstance(source, Function):  # its own could be read from its module alone
            changes["options"] = USUAL
        spec = spec.model_copy(update=changes)
    return DescribedModel(name, source, spec, path.parent)


def _loader(path: Path, model: DescribedModel, module: str) -> Callable[[Mapping[str, Any]], Subject]:
    """Return what loads a model, and refuses a subject that is not as its card says."""

    def load(options: Mapping[str, Any]) -> Subject:
        try:
            subject = model.load(options)
        except InvalidModel as error:
            raise InvalidModel(f"{path} [{model.name}]: {error}") from None
        described.check_kind(path, model, subject)
        if not is_our_code(module):
            described.check_layers(path, model.name, subject)
        return subject

    return load


def _content(model: DescribedModel, module: str) -> Callable[[], str | None]:
    """Return what gives a digest of a description and of the network that it describes; nothing is read before.

    What lies in our own package is known by the versions on its cards.
    """
    spec, source = model.spec, model.source

    def content() -> str | None:
        if is_our_code(module):
            return digest_over(spec.identity)
        given = source.content or (None if source.named else model.maker.content)
        network = given() if given else spec.source
        code = digest_code(source.code) if isinstance(source, Function) else None
        return network and digest_description(spec, model.folder, network, code)

    return content


ZOO = register(ZOO_FILE)
"""All networks of the zoo by name."""
