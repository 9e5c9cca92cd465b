"""The tiles of a generated module, shared among threads."""

SHARING = '''

# ---- threads -------------------------------------------------------------------------------------

Place = tuple[slice, slice]  # of a tile
Work = Callable[[Place], tuple[Array, ...]]


class _Crew(NamedTuple):
    """Threads that share work, or nobody."""

    pool: ThreadPoolExecutor | None = None
    ahead: int = 0

    def map(self, work: Work, places: Iterable[Place]) -> Iterator[tuple[Array, ...]]:
        """work(place) of all places in their order, at most so many of them ahead of their use."""
        if self.pool is None:
            yield from map(work, places)
            return
        waiting: deque[Future[tuple[Array, ...]]] = deque()
        for place in places:
            waiting.append(self.pool.submit(copy_context().run, work, place))
            if len(waiting) > self.ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def beside(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """What gives function(*arguments) when called, begun at once if there is anybody."""
        if self.pool is None:
            return partial(function, *arguments)
        return self.pool.submit(copy_context().run, function, *arguments).result


ALONE = _Crew()


@contextmanager
def _shared(pairs: int) -> Iterator[_Crew]:
    """As many threads as BLAS has, which is held to one meanwhile.

    Tile by tile, threads that need not wait for each other do more than the threads of one matrix
    product after the other, and elementwise work is shared as well; results come in the same order
    and have the same bits. Without threadpoolctl, or for few pairs, there is nobody to share with.
    """
    threads, held = _held() if pairs > FEW else (1, None)
    if held is None:
        yield ALONE
        return
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield _Crew(pool, 2 * threads)
    finally:
        with _LOCK:
            held.restore_original_limits()


_LOCK = Lock()  # two calls at once must not each put back what the other one has set


def _held() -> tuple[int, Any]:
    """How many threads BLAS has, and what gives them back if there were several."""
    blas = _blas()
    if blas is None:
        return 1, None
    with _LOCK:
        threads = max((each.num_threads for each in blas.lib_controllers), default=1)
        return threads, blas.limit(limits=1) if threads > 1 else None


@cache
def _blas() -> Any:
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController().select(user_api="blas")


def _add_up(
    work: Work, sources: int, probes: int, crew: _Crew, totals: tuple[Array, ...]
) -> None:
    """Adds what `work` finds for every tile to the totals' rows j of that tile."""
    places = list(_tiles(sources, probes))
    for (_, j), found in zip(places, crew.map(work, places), strict=True):
        for total, sums in zip(totals, found, strict=True):
            total[j] += sums
'''
