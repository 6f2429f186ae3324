"""The definitions in plain Python loops: slow, obvious, and written without looking at refimpl's
code.

Each takes and returns arrays. Shapes as in refimpl: x (N, D), w (D, K), z (N, K).
"""

import math

import numpy as np


def affine(x, w, b):
    """out_nk = b_k + sum_d x_nd w_dk."""
    out = np.zeros((len(x), len(b)))
    for n in range(len(x)):
        for k in range(len(b)):
            out[n, k] = b[k] + math.fsum(x[n, d] * w[d, k] for d in range(len(w)))
    return out


def affine_backward(dout, x, w):
    """dx_nd = sum_k dout_nk w_dk; dw_dk = sum_n x_nd dout_nk; db_k = sum_n dout_nk."""
    (n_images, d_in), k_out = x.shape, w.shape[1]
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(k_out)
    for n in range(n_images):
        for d in range(d_in):
            dx[n, d] = math.fsum(dout[n, k] * w[d, k] for k in range(k_out))
    for k in range(k_out):
        db[k] = math.fsum(dout[n, k] for n in range(n_images))
        for d in range(d_in):
            dw[d, k] = math.fsum(x[n, d] * dout[n, k] for n in range(n_images))
    return dx, dw, db


def elementwise(g, x):
    return np.array([g(float(v)) for v in x.ravel()]).reshape(x.shape)


def relu(x):
    return elementwise(lambda v: v if v > 0 else 0.0, x)


def sigmoid(x):
    return elementwise(lambda v: 1 / (1 + math.exp(-v)) if v > -700 else 0.0, x)


def tanh(x):
    return elementwise(math.tanh, x)


def log_softmax(z):
    out = np.zeros(z.shape)
    for n, row in enumerate(z):
        top = max(float(v) for v in row)
        total = math.log(math.fsum(math.exp(v - top) for v in row))
        for c, v in enumerate(row):
            out[n, c] = v - top - total
    return out


def softmax(z):
    return elementwise(math.exp, log_softmax(z))


def cross_entropy(z, target, temperature=1.0):
    """-1/N sum_n sum_c t_nc log softmax(z_n / T)_c, and dz_nc = (p_nc sum_k t_nk - t_nc) / (N T)."""
    n_images, classes = z.shape
    t = np.zeros(z.shape)
    for n in range(n_images):
        for c in range(classes):
            t[n, c] = target[n, c] if np.ndim(target) == 2 else float(target[n] == c)
    logp, dz = log_softmax(z / temperature), np.zeros(z.shape)
    for n in range(n_images):
        for c in range(classes):
            dz[n, c] = (math.exp(logp[n, c]) * math.fsum(t[n]) - t[n, c]) / (n_images * temperature)
    value = (
        -math.fsum(t[n, c] * logp[n, c] for n in range(n_images) for c in range(classes)) / n_images
    )
    return value, dz


def distillation(z, teacher_z, temperature=1.0):
    return cross_entropy(z, softmax(teacher_z / temperature), temperature)


def squared_error(z, target):
    """1/2N sum_nc (z_nc - t_nc)^2, and dz_nc = (z_nc - t_nc) / N."""
    n_images, dz, total = len(z), np.zeros(z.shape), []
    for n in range(n_images):
        for c in range(z.shape[1]):
            total.append((z[n, c] - target[n, c]) ** 2)
            dz[n, c] = (z[n, c] - target[n, c]) / n_images
    return math.fsum(total) / (2 * n_images), dz


def objective(name, z, classes):
    """The values (N,) and gradients (N, K) of an objective, from dp_c/dz_k = p_c ([c = k] - p_k)."""
    p, logp, (n_images, k_all) = softmax(z), log_softmax(z), z.shape
    values, dz = np.zeros(n_images), np.zeros(z.shape)
    for n, c in enumerate(classes):
        values[n] = {
            "logit": z[n, c],
            "centred_logit": z[n, c] - math.fsum(z[n]) / k_all,
            "probability": p[n, c],
            "log_probability": logp[n, c],
        }[name]
        for k in range(k_all):
            own = float(c == k)
            dz[n, k] = {
                "logit": own,
                "centred_logit": own - 1 / k_all,
                "probability": p[n, c] * (own - p[n, k]),
                "log_probability": own - p[n, k],
            }[name]
    return values, dz
