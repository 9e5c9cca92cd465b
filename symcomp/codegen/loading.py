"""Generated source as a module in memory."""

import importlib.util
from dataclasses import dataclass
from importlib.abc import ExecutionLoader
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["Loader", "executed"]


def executed(name: str, source: str) -> ModuleType:
    """A module of this name that no other one sees."""
    loader = Loader(source)
    module = importlib.util.module_from_spec(ModuleSpec(name, loader))
    loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Loader(ExecutionLoader):
    """Imports text that this module has generated."""

    source: str

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        """The text itself."""
        return self.source

    def get_filename(self, fullname: str) -> str:
        """The name that tracebacks show."""
        return f"{fullname}.py"
