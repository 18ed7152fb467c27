from .subject import build, check_kind, check_layers, load

__all__ = ["build", "check_kind", "check_layers", "load"]
