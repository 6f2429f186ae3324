"""The certificate's oracle: linear algebra with fractions, in which nothing is rounded.

Matrices are lists of rows of Fractions. Floats are converted exactly, so the oracle answers for the
very numbers that the certificate is given.
"""

import math
from fractions import Fraction


def exact(array):
    """A matrix of floats as Fractions, bit for bit."""
    return [[Fraction(float(v)) for v in row] for row in array]


def transpose(a):
    return [list(column) for column in zip(*a)]


def product(a, b):
    columns = transpose(b)
    return [[sum(x * y for x, y in zip(row, column)) for column in columns] for row in a]


def minus(a, b):
    return [[x - y for x, y in zip(p, q)] for p, q in zip(a, b)]


def reduced(a):
    """Gauss and Jordan: (the reduced row echelon form without its zero rows, the pivots' columns)."""
    a, pivots, top = [list(row) for row in a], [], 0
    for column in range(len(a[0])):
        found = next((r for r in range(top, len(a)) if a[r][column]), None)
        if found is None:
            continue
        a[top], a[found] = a[found], a[top]
        a[top] = [v / a[top][column] for v in a[top]]
        for r in range(len(a)):
            factor = a[r][column]
            if r != top and factor:
                a[r] = [v - factor * w for v, w in zip(a[r], a[top])]
        pivots.append(column)
        top += 1
        if top == len(a):
            break
    return a[:top], pivots


def inverse(a):
    n = len(a)
    both = [list(row) + [Fraction(i == j) for j in range(n)] for i, row in enumerate(a)]
    return [row[n:] for row in reduced(both)[0]]


def pseudo_inverse(a):
    """Of any rank, by a full-rank factorization a = b c: c' (c c')^-1 (b' b)^-1 b'."""
    c, pivots = reduced(a)
    b = [[row[p] for p in pivots] for row in a]
    left = product(inverse(product(transpose(b), b)), transpose(b))
    return product(product(transpose(c), inverse(product(c, transpose(c)))), left)


def norm(a):
    """Frobenius, as a float: the root of an exact sum."""
    total = sum(v * v for row in a for v in row)
    return math.sqrt(total) if total else 0.0


def limit(images, targets, start):
    """Where descent of squared error from start ends, and the images' condition |X~| |X~^+| in
    Frobenius norms: (theta (D + 1, K) in Fractions, float).
    """
    rows = [row + [Fraction(1)] for row in exact(images)]
    inverse_rows, begin = pseudo_inverse(rows), exact(start)
    step = product(inverse_rows, minus(exact(targets), product(rows, begin)))
    theta = [[x + y for x, y in zip(p, q)] for p, q in zip(begin, step)]
    return theta, norm(rows) * norm(inverse_rows)
