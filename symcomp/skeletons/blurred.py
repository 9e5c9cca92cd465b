"""Soft thresholds Φ(y/blur): sharp ones, [y + blur Z > 0], once Gaussian noise is added to y."""

SOFT_FIELD = "    blur: float\n"
SOFT_TEXT = " Where blur > 0\n    the threshold is soft, Φ(side y/blur)."

SKIP = """\
    if not powers:
        return
"""

SHARP_LINE, SOFT_LINE = "_on_line(f.side", "_blurred_line(f"

BLURRED = '''

def _blurred(
    c: _Tilted, f: _Piece, g: _Piece, powers: list[tuple[int, int]]
) -> dict[tuple[int, int], Array]:
    """E X^m Y^n over the sides of X + f.blur Z and Y + g.blur Z', thresholds both sharp or soft.

    Given these sums, X and Y are linear in them but for Gaussian noise.
    """
    if not (f.blur or g.blur):
        return _piece_moments(c, f.side, g.side, powers)
    a, b, cov = f.blur**2, g.blur**2, c.rho * c.ru * c.rv
    det = (c.ru * c.rv * c.root) ** 2 + a * c.rv**2 + b * c.ru**2 + a * b
    wide = _widened(c, a, b, det)
    u, v, x, y = c.ru**2 / det, c.rv**2 / det, c.h * c.ru, c.k * c.rv
    free, swing = c.ru**2 * v * c.root**2, cov / det
    X = (free + b * u, a * swing, a * (v * c.ru * c.root * c.z + b * x / det))
    Y = (free + a * v, b * swing, b * (u * c.rv * c.root * c.w + a * y / det))
    noise = (a * X[0], a * b * swing, b * Y[0])
    found = {(m, n): _in_sums(X, Y, noise, m, n) for m, n in powers}
    needed = sorted({each for polynomial in found.values() for each in polynomial})
    moments = _piece_moments(wide, f.side, g.side, needed)
    return {mn: sum(q * moments[ij] for ij, q in p.items()) for mn, p in found.items()}


def _widened(c: _Tilted, a: Array, b: Array, det: Array) -> _Tilted:
    """Independent variances a and b added to X and Y."""
    ru, rv, root = np.sqrt(c.ru**2 + a), np.sqrt(c.rv**2 + b), np.sqrt(det)
    x, y = c.h * c.ru, c.k * c.rv
    z = (c.rv * (c.rv * (c.ru * c.root * c.z)) + b * x) / (rv * root)
    w = (c.ru * (c.ru * (c.rv * c.root * c.w)) + a * y) / (ru * root)
    rho, h = c.rho * (c.ru / ru) * (c.rv / rv), x / ru
    return _Tilted(
        ru, rv, h, y / rv, z, w, rho, root / (ru * rv),
        c.shrunk, c.peak, c.peak - 0.5 * (h * h + w * w),
    )  # fmt: skip


def _in_sums(
    X: tuple[Array, ...], Y: tuple[Array, ...], noise: tuple[Array, ...], m: int, n: int
) -> dict[tuple[int, int], Array]:
    """E X^m Y^n given X', Y' as a polynomial in them: X = X_0 X' + X_1 Y' + X_2 + noise."""
    if m == n == 0:
        return {(0, 0): 1.0}
    if m == 0:  # the same with the variables exchanged
        found = _in_sums(Y, X, noise[::-1], n, 0)
        return {(j, i): q for (i, j), q in found.items()}
    before = _in_sums(X, Y, noise, m - 1, n)
    total = {}
    parts = [(X[0], before, 1, 0), (X[1], before, 0, 1), (X[2], before, 0, 0)]
    if m > 1:
        parts.append(((m - 1) * noise[0], _in_sums(X, Y, noise, m - 2, n), 0, 0))
    if n:
        parts.append((n * noise[1], _in_sums(X, Y, noise, m - 1, n - 1), 0, 0))
    for factor, polynomial, right, up in parts:
        for (i, j), q in polynomial.items():
            total[i + right, j + up] = total.get((i + right, j + up), 0.0) + factor * q
    return total
'''

BLURRED_LINE = '''

def _blurred_line(
    f: _Piece, mean: Array, spread: Array, peak: Array, edge: Array, top: int
) -> list[Array]:
    """The same where f's threshold is soft."""
    if not f.blur:
        return _on_line(f.side, mean, spread, peak, edge, top)
    wide = np.sqrt(spread**2 + f.blur**2)
    share, x = (spread / wide) ** 2, mean * spread
    h = x / wide
    moments = _on_line(f.side, h, wide, peak, peak - 0.5 * h * h, top)
    X = (share, 0.0, (f.blur / wide) ** 2 * x)
    noise = (f.blur**2 * share, 0.0, 0.0)
    return [
        sum(q * moments[i] for (i, j), q in _in_sums(X, X, noise, n, 0).items() if not j)
        for n in range(top + 1)
    ]
'''
