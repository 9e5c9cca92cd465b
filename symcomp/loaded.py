"""The package whose modules are the loaded ones, so that what they define pickles.

A module that `Generated.load` has made is called symcomp.loaded.m<name>_<digest>: the activation's
name in base 32 and the first digits of the SHA-256 of its source. Where a pickle asks another
process for it, the source is derived anew from the activation, and must have that digest: what a
pickle holds is a name, never a source.
"""

import sys
from base64 import b32decode
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from symcomp.codegen import generate, module_name
from symcomp.codegen.loading import Loader
from symcomp.errors import SymcompError

__all__: list[str] = []
__path__: list[str] = []  # makes this module a package


class _Finder(MetaPathFinder):
    """Finds the modules of this package and no others."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """The spec of a module that is derived anew; raises ImportError where it is another."""
        if path is not __path__:
            return None
        try:
            coded = fullname.removeprefix(f"{__name__}.m").partition("_")[0].upper()
            name = b32decode(coded + "=" * (-len(coded) % 8)).decode()
            found = generate(name)
        except (ValueError, SymcompError) as error:
            raise ImportError(f"{fullname} is not a module that symcomp can derive") from error
        if module_name(found) != fullname:
            raise ImportError(
                f"symcomp derives another module from {name!r} than the one that was pickled;"
                " write that one to a file and import it"
            )
        return ModuleSpec(fullname, Loader(found.source))


sys.meta_path.append(_Finder())
