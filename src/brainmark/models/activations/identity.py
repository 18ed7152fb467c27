"""Tells networks apart by what they compute: weights, layers, the values that layers hold, and their code.

Whatever can change an answer is part of the description. Code of installed packages is told by their version; any other
as it was loaded, with the functions and values of its module that it uses, wherever it was written. Of what cannot be
described (a generator of random numbers, a program of TorchScript) nothing is kept.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import sys
import sysconfig
import types
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from brainmark.core.errors import InvalidStimuli
from brainmark.core.libraries import nn, np, torch
from brainmark.core.stimuli import content_digest

_INSTALLED = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) for name in ("purelib", "platlib", "stdlib", "platstdlib")}
)
_OWN = Path(__file__).resolve().parents[2]
_NAMED = (bool, int, float, complex, str, bytes, types.NoneType, types.EllipsisType)
_KEPT_BY_TORCH = {
    "training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "_backward_hooks",
    "_backward_pre_hooks", "_is_full_backward_hook", "_forward_hooks_with_kwargs", "_forward_hooks_always_called",
    "_forward_pre_hooks_with_kwargs", "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
}  # fmt: skip
"""What every layer holds, and what changes no answer of a network that is evaluated."""
_DEEPEST = 40
_OF_CLASSES = {"__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__qualname__", "__firstlineno__",
    "__static_attributes__", "__parameters__", "__orig_bases__", "__abstractmethods__", "_abc_impl",
}  # fmt: skip


class CannotDescribe(Exception):
    """Something that a network holds cannot be told from another."""


class _Seen:
    """Objects that were met, by number, so that circles end; held, as places in memory are used again."""

    def __init__(self) -> None:
        self._numbers: dict[int, tuple[int, Any]] = {}

    def find(self, value: Any) -> str:
        """Return the number of an object; nothing when it is met for the first time."""
        known = self._numbers.get(id(value))
        self._numbers.setdefault(id(value), (len(self._numbers), value))
        return "" if known is None else f"#{known[0]}"


def describe_network(module: nn.Module) -> str:
    """Return the sha256 over all that a network computes with, beside its weights. Raises CannotDescribe."""
    seen = _Seen()
    whole = hashlib.sha256(_describe_settings().encode())
    for hooks in ("_global_forward_hooks", "_global_forward_pre_hooks"):
        whole.update(_describe(dict(getattr(nn.modules.module, hooks)), seen, 0).encode())
    whole.update(_describe_layers(module, seen, 0).encode())
    return whole.hexdigest()


def describe_device(device: torch.device) -> str:
    """Return what of a device changes bits: its kind, and of CUDA its make and whether it rounds what it multiplies."""
    if device.type != "cuda":
        return device.type
    return f"{torch.cuda.get_device_name(device)}, TF32 {torch.backends.cudnn.allow_tf32}"


def describe_object(value: Any) -> str:
    """Return what a value is, as text that is alike in every process. Raises CannotDescribe."""
    return _describe(value, _Seen(), 0)


def _describe_settings() -> str:
    """Return the settings of torch that change bits."""
    settings = (
        torch.__version__,
        torch.get_default_dtype(),
        torch.get_float32_matmul_precision(),
        torch.backends.mkldnn.enabled,
    )
    return str(settings)


def _describe_layers(module: nn.Module, seen: _Seen, depth: int) -> str:
    if isinstance(module, torch.jit.ScriptModule):
        raise CannotDescribe("programs of TorchScript hold code that cannot be read")
    parts: list[str] = []
    for name, layer in module.named_modules(remove_duplicate=False):
        if isinstance(layer, torch.fx.GraphModule):
            parts.append(f"{name}:program {layer.code}")
            continue
        held = {key: value for key, value in vars(layer).items() if key not in _KEPT_BY_TORCH}
        seen.find(layer)
        parts.append(f"{name}:{_describe_kind(type(layer), seen, depth)}{_describe(held, seen, depth + 1)}")
    return "\n".join(parts)


def _describe(value: Any, seen: _Seen, depth: int) -> str:
    """Return what a value is, with all that it holds."""
    if isinstance(value, enum.Enum):
        return f"{_describe_kind(type(value), seen, depth)}.{value.name}"
    if type(value) in _NAMED:
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, torch.dtype | torch.device | torch.layout | torch.memory_format | slice | range):
        return repr(value)
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        try:
            return f"array {content_digest(value).hex()}"
        except InvalidStimuli as error:
            raise CannotDescribe(str(error)) from error
    if known := seen.find(value):
        return known
    if depth > _DEEPEST:
        raise CannotDescribe("it holds objects within objects without end")
    if isinstance(value, nn.Module):
        return _describe_layers(value, seen, depth + 1)
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        inside = (f"{_describe(k, seen, depth + 1)}={_describe(v, seen, depth + 1)}" for k, v in items)
        return f"{_describe_kind(type(value), seen, depth)}{{{','.join(inside)}}}"
    if isinstance(value, list | tuple):
        inside = [_describe(part, seen, depth + 1) for part in cast("list[Any]", value)]
        return f"{_describe_kind(type(value), seen, depth)}[{','.join(inside)}]"
    if isinstance(value, set | frozenset):
        return f"set{{{','.join(sorted(_describe(part, seen, depth + 1) for part in cast('set[Any]', value)))}}}"
    return _describe_function(value, seen, depth) or _describe_fields(value, seen, depth)


def _describe_function(value: Any, seen: _Seen, depth: int) -> str:
    """Return what a function, class or module is, with what it uses; nothing for anything else."""
    if isinstance(value, functools.partial):
        return f"partial{_describe([value.func, value.args, value.keywords], seen, depth + 1)}"
    if isinstance(value, types.MethodType):
        return f"method{_describe([value.__func__, value.__self__], seen, depth + 1)}"
    if isinstance(value, staticmethod | classmethod):
        return f"{type(value).__name__}{_describe(value.__func__, seen, depth + 1)}"
    if isinstance(value, property):
        return f"property{_describe([value.fget, value.fset], seen, depth + 1)}"
    if isinstance(value, type):
        return _describe_kind(value, seen, depth)
    if isinstance(value, types.ModuleType):
        return f"module {value.__name__} {_find_package(value.__name__) or _describe_module(value, seen, depth)}"
    if isinstance(value, types.FunctionType):
        return _describe_python(value, seen, depth)
    if isinstance(value, types.BuiltinFunctionType) or hasattr(value, "__objclass__"):
        owner = getattr(value, "__objclass__", None) or getattr(value, "__self__", None)
        if owner is not None and not isinstance(owner, type | types.ModuleType):
            raise CannotDescribe(f"it holds {value.__qualname__} of an object")
        return f"{getattr(owner, '__name__', value.__module__)}.{value.__qualname__}"
    return ""


def _describe_python(value: types.FunctionType, seen: _Seen, depth: int) -> str:
    """Return what a function does, and what it uses of its module unless that is of an installed package."""
    held = [_open(cell) for cell in value.__closure__ or ()]
    inside = _describe([held, value.__defaults__, value.__kwdefaults__], seen, depth + 1)
    if package := _find_package(value.__module__ or "builtins"):
        return f"{value.__module__}.{value.__qualname__} {package}{inside}"
    names = sorted(_list_names(value.__code__) & value.__globals__.keys())
    used = {name: value.__globals__[name] for name in names}
    return f"{value.__qualname__} {_describe_code(value.__code__)}{inside}{_describe(used, seen, depth + 1)}"


def _describe_code(value: Any) -> str:
    """Return what compiled code, or a constant in it, does, as text that is alike in every process."""
    if isinstance(value, types.CodeType):
        names = (value.co_name, value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
        counts = (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, value.co_flags)
        return f"{names}{counts}{value.co_code.hex()}{_describe_code(value.co_consts)}"
    if isinstance(value, tuple):
        return f"({','.join(map(_describe_code, cast('tuple[Any, ...]', value)))})"
    if isinstance(value, frozenset):
        return f"{{{','.join(sorted(map(_describe_code, cast('frozenset[Any]', value))))}}}"
    return f"{type(value).__name__} {value!r}"


def _open(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not set yet
        return None


def _list_names(code: types.CodeType) -> set[str]:
    """Return the names that a function may look up, also in the functions within it."""
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return {*code.co_names, *(name for one in inner for name in _list_names(one))}


def _describe_kind(kind: type, seen: _Seen, depth: int) -> str:
    """Return the name of a class, and what its methods do unless it is of an installed package."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    if package := _find_package(kind.__module__):
        own = getattr(kind, "forward", None)  # which may have been replaced
        foreign = isinstance(own, types.FunctionType) and not _find_package(own.__module__ or "builtins")
        return f"{name} {package}{_describe(own, seen, depth + 1) if foreign else ''}"
    if known := seen.find(kind):
        return known
    held = {key: value for key, value in vars(kind).items() if key not in _OF_CLASSES and not _is_slot(value)}
    return f"{name}{[_describe_kind(b, seen, depth) for b in kind.__bases__]}{_describe(held, seen, depth + 1)}"


def _is_slot(value: Any) -> bool:
    return isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType)


def _describe_module(module: types.ModuleType, seen: _Seen, depth: int) -> str:
    """Return what the functions, classes and plain values of a module are."""
    held = {
        key: value
        for key, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ or (type(value) in _NAMED and not key.startswith("__"))
    }
    return _describe(held, seen, depth + 1)


def _describe_fields(value: Any, seen: _Seen, depth: int) -> str:
    """Return type and fields of an object whose class is written in Python: no other shows all that it holds."""
    kind = type(value)
    for base in kind.__mro__[:-1]:
        file = getattr(sys.modules.get(base.__module__), "__file__", "") or ""
        if not file.endswith(".py") and base.__module__ != "__main__":
            raise CannotDescribe(f"a {kind.__name__} does not show what it holds")
    fields: dict[str, Any] = dict(getattr(value, "__dict__", {}))
    slots = [name for base in kind.__mro__ for name, held in vars(base).items() if _is_slot(held)]
    fields |= {n: getattr(value, n) for n in slots if n not in ("__dict__", "__weakref__") and hasattr(value, n)}
    return f"{_describe_kind(kind, seen, depth)}{_describe(fields, seen, depth + 1)}"


# --- packages --------------------------------------------------------------------------------------------------------


def _find_package(module: str) -> str:
    """Return name and version of the package of a module; nothing where it is not installed, as a file of one's own."""
    top = module.partition(".")[0]
    if top == "__main__":
        return ""
    if top in sys.builtin_module_names or top in sys.stdlib_module_names:
        return f"python {sys.version_info.major}.{sys.version_info.minor}"
    if top == _OWN.name:
        return f"brainmark {digest_of_models()}"
    return _find_installed(top)


@functools.cache
def _find_installed(package: str) -> str:
    module = sys.modules.get(package)
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), "")
    if not str(Path(file).resolve() if file else "").startswith(_INSTALLED):
        return ""
    version = getattr(module, "__version__", None)
    if isinstance(version, str):
        return f"{package} {version}"
    found = sorted(metadata.packages_distributions().get(package, []))
    if not found:  # a file that lies there alone
        return ""
    return " ".join(f"{name} {metadata.version(name)}" for name in found)


@functools.cache
def digest_of_models() -> str:
    """Return the digest of what our own code does that turns stimuli into activations; docstrings do not count."""
    whole = hashlib.sha256()
    for file in [*sorted((_OWN / "models").rglob("*.py")), _OWN / "core" / "images.py"]:
        code = compile(file.read_bytes(), file.name, "exec", dont_inherit=True, optimize=2)
        whole.update(f"{file.name}{_describe_code(code)}".encode("utf-8", "surrogatepass"))
    return whole.hexdigest()
