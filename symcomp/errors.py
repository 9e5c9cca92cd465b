"""The errors that symcomp raises on purpose; each message is one sentence a user can act on."""


class SymcompError(Exception):
    """Root of every error raised on purpose: what was found, where, and what was expected."""


class ExpressionError(SymcompError, ValueError):
    """Text or an expression that is not a real function of one variable."""


class DivergenceError(SymcompError, ValueError):
    """A Gaussian expectation that does not exist."""


class ArgumentError(SymcompError, ValueError):
    """An argument of the wrong shape, type or range."""
