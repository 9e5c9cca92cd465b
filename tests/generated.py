"""Generated modules, each derived once in a run of the tests."""

from functools import cache
from types import ModuleType

import symcomp
from symcomp.codegen import Generated


@cache
def generated(name: str) -> Generated:
    return symcomp.generate(name)


def module(name: str = "relu") -> ModuleType:
    return generated(name).load()
