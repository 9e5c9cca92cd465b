"""How generated modules share long sums over the nodes of a network among threads."""

THREADS = '''

# ---- threads -------------------------------------------------------------------------------------

STRANDS = 8  # a sum over many nodes is made of so many, whatever the number of threads
_limiting = Lock()  # whoever has it may hold BLAS to one thread


def _strands(nodes: Any) -> list[Any]:
    """The network in parts of whole tiles, at most STRANDS of them."""
    blocks = -(-len(nodes.rows) // (4 * SIDE))
    ends = [4 * SIDE * (blocks * k // STRANDS) for k in range(STRANDS + 1)]
    return [nodes.part(slice(i, j)) for i, j in pairwise(ends) if i < j]


def _each(function: Callable[[Any, Any], Any], sources: list[Any], probe: Any) -> list[Any]:
    """function(source, probe) for each of the sources.

    BLAS shares its products among threads, and nothing else. For many pairs of nodes the sources
    are shared instead, among as many threads, and BLAS is held to one meanwhile.
    """
    pairs = sum(len(source.rows) for source in sources) * len(probe.rows)
    if len(sources) > 2 and pairs > 2 * TILE and _limiting.acquire(blocking=False):
        try:
            count = _threads()
            if count > 1:
                with _blas().limit(limits=1), ThreadPoolExecutor(count) as pool:
                    return list(pool.map(function, sources, repeat(probe)))
        finally:
            _limiting.release()
    return [function(source, probe) for source in sources]


@cache
def _blas() -> Any:
    """What knows and sets the number of BLAS's threads; None if threadpoolctl is not installed."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController().select(user_api="blas")


def _threads() -> int:
    """How many threads BLAS may use, as far as is known."""
    libraries = _blas().info() if _blas() else []
    return min((int(library["num_threads"]) for library in libraries), default=1)
'''
