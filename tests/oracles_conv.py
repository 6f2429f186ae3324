"""Convolution, pooling and their companions in plain Python loops: slow, obvious, written from the
formulas alone.

Images (N, C, H, W). Every function of oracles.py's kind: what `name` returns is the layer's out;
`name_backward` its dx first, then one gradient a parameter.
"""

import math

import numpy as np


def margins(pixels, kernel, stride, padding):
    """(outputs, zeros before): "same" makes ceil(pixels / stride) outputs and puts the odd zero
    after the image.
    """
    if padding == "valid":
        return (pixels - kernel) // stride + 1, 0
    outputs = math.ceil(pixels / stride)
    return outputs, max((outputs - 1) * stride + kernel - pixels, 0) // 2


def conv2d(x, w, b, stride=1, padding="valid"):
    """out[n, f, p, q] = b[f] + sum_cij w[f, c, i, j] x[n, c, p stride + i - top, q stride + j -
    left].
    """
    (rows, top), (columns, left) = (
        margins(x.shape[2 + k], w.shape[2 + k], stride, padding) for k in (0, 1)
    )
    out = np.zeros((len(x), len(w), rows, columns))
    for n, f, p, q in np.ndindex(out.shape):
        total = [float(b[f])]
        for c, i, j in np.ndindex(w.shape[1:]):
            y, z = p * stride + i - top, q * stride + j - left
            if 0 <= y < x.shape[2] and 0 <= z < x.shape[3]:
                total.append(w[f, c, i, j] * x[n, c, y, z])
        out[n, f, p, q] = math.fsum(total)
    return out


def conv2d_backward(dout, x, w, stride=1, padding="valid"):
    """Every product of the sum above handed back: dx += w dout, dw += x dout; db = sum dout."""
    (_, top), (_, left) = (margins(x.shape[2 + k], w.shape[2 + k], stride, padding) for k in (0, 1))
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(len(w))
    for n, f, p, q in np.ndindex(dout.shape):
        db[f] += dout[n, f, p, q]
        for c, i, j in np.ndindex(w.shape[1:]):
            y, z = p * stride + i - top, q * stride + j - left
            if 0 <= y < x.shape[2] and 0 <= z < x.shape[3]:
                dx[n, c, y, z] += w[f, c, i, j] * dout[n, f, p, q]
                dw[f, c, i, j] += x[n, c, y, z] * dout[n, f, p, q]
    return dx, dw, db


def _window(p, q, size, stride):
    return [(p * stride + i, q * stride + j) for i in range(size) for j in range(size)]


def maxpool2d(x, size=2, stride=None):
    """out[n, c, p, q] = the largest of x in the window that begins at (p stride, q stride)."""
    stride = stride or size
    shape = (*x.shape[:2], *((m - size) // stride + 1 for m in x.shape[2:]))
    out = np.zeros(shape)
    for n, c, p, q in np.ndindex(shape):
        out[n, c, p, q] = max(float(x[n, c, y, z]) for y, z in _window(p, q, size, stride))
    return out


def maxpool2d_backward(dout, x, size=2, stride=None):
    """dout[n, c, p, q] to the first largest entry of its window, row by row."""
    stride, dx = stride or size, np.zeros(x.shape)
    for n, c, p, q in np.ndindex(dout.shape):
        best = None
        for y, z in _window(p, q, size, stride):
            if best is None or x[n, c, y, z] > x[n, c, best[0], best[1]]:
                best = (y, z)
        dx[n, c, best[0], best[1]] += dout[n, c, p, q]
    return (dx,)


def upsample(x, factor=2):
    n, c, h, w = x.shape
    out = np.zeros((n, c, factor * h, factor * w))
    for m, k, y, z in np.ndindex(out.shape):
        out[m, k, y, z] = x[m, k, y // factor, z // factor]
    return out


def upsample_backward(dout, x, factor=2):
    dx = np.zeros(x.shape)
    for m, k, y, z in np.ndindex(dout.shape):
        dx[m, k, y // factor, z // factor] += dout[m, k, y, z]
    return (dx,)


def unflatten(x, shape):
    """Channel by channel, row by row: out[n, c, y, z] = x[n, (c H + y) W + z]."""
    c, h, w = shape
    out = np.zeros((len(x), c, h, w))
    for n, k, y, z in np.ndindex(out.shape):
        out[n, k, y, z] = x[n, (k * h + y) * w + z]
    return out


def flatten(x):
    n, c, h, w = x.shape
    out = np.zeros((n, c * h * w))
    for m, k, y, z in np.ndindex(x.shape):
        out[m, (k * h + y) * w + z] = x[m, k, y, z]
    return out


def dropout(x, rate=0.0):
    """Not in training: the identity."""
    return x.copy()


def dropout_training(x, kept, rate):
    """x / (1 - rate) where kept, else 0."""
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        out[index] = x[index] / (1 - rate) if kept[index] else 0.0
    return out


def _channel(x, c):
    return [float(v) for v in np.moveaxis(x, 1, 0)[c].ravel()]


def batchnorm(x, gamma, beta, mean, var, eps=1e-5):
    """gamma (x - mean) / sqrt(var + eps) + beta, entry by entry."""
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        c = index[1]
        out[index] = gamma[c] * (x[index] - mean[c]) / math.sqrt(var[c] + eps) + beta[c]
    return out


def batch_statistics(x):
    """The mean and the variance (divided by the count) of each channel over all other axes."""
    mean, var = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for c in range(x.shape[1]):
        values = _channel(x, c)
        mean[c] = math.fsum(values) / len(values)
        var[c] = math.fsum((v - mean[c]) ** 2 for v in values) / len(values)
    return mean, var


def batchnorm_backward(dout, x, gamma, eps=1e-5):
    """In training: Ioffe and Szegedy (2015), section 3, the gradients of l as printed, one channel
    at a time.
    """
    mean, var = batch_statistics(x)
    dx, dgamma, dbeta = np.zeros(x.shape), np.zeros(len(gamma)), np.zeros(len(gamma))
    for c in range(x.shape[1]):
        entries = [i for i in np.ndindex(x.shape) if i[1] == c]
        m, root = len(entries), math.sqrt(var[c] + eps)
        hat = {i: (x[i] - mean[c]) / root for i in entries}
        dhat = {i: dout[i] * gamma[c] for i in entries}
        dvar = (
            math.fsum(dhat[i] * (x[i] - mean[c]) for i in entries) * -0.5 * (var[c] + eps) ** -1.5
        )
        dmean = (
            -math.fsum(dhat.values()) / root
            + dvar * math.fsum(-2 * (x[i] - mean[c]) for i in entries) / m
        )
        for i in entries:
            dx[i] = dhat[i] / root + dvar * 2 * (x[i] - mean[c]) / m + dmean / m
        dgamma[c], dbeta[c] = (
            math.fsum(dout[i] * hat[i] for i in entries),
            math.fsum(dout[i] for i in entries),
        )
    return dx, dgamma, dbeta
