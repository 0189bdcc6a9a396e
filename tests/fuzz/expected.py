"""Independent computations in NumPy and float64, which right results are judged against."""

import numpy as np


def logsumexp(z, axis=-1):
    most = z.max(axis=axis, keepdims=True)
    most = np.where(np.isfinite(most), most, 0)
    return np.squeeze(most, axis) + np.log(np.exp(z - most).sum(axis=axis))


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def own_and_others(logits, labels):
    """The labelled logit, and those of the other classes."""
    z = np.asarray(logits, np.float64)
    y = np.broadcast_to(np.asarray(labels), z.shape[:-1])
    own = np.take_along_axis(z, y[..., None], -1)[..., 0]
    others = z.copy()
    np.put_along_axis(others, y[..., None], -np.inf, -1)
    return own, others


def cross_entropy(logits, labels):
    own, _ = own_and_others(logits, labels)
    return logsumexp(np.asarray(logits, np.float64)) - own


def margins(logits, labels):
    own, others = own_and_others(logits, labels)
    return others.max(-1) - own


def log_odds(logits, labels):
    own, others = own_and_others(logits, labels)
    return own - logsumexp(others)


def accuracy(logits, labels):
    z = np.asarray(logits, np.float64)
    right = (z.argmax(-1) == np.asarray(labels)) & ~np.isnan(z).any(-1)
    return right.mean(-1)


def explained(z1, z2, eta, ridge, total="centred", held=None):
    """R² of z2 on z1, fitted there and measured on `held` (z1, z2); the residual, mu, weights."""
    z1, z2 = np.asarray(z1, np.float64), np.asarray(z2, np.float64)
    n = len(z1)
    diagonal = np.abs(np.diag(np.linalg.qr(z1)[1]))
    keep = diagonal > eta * diagonal.max()
    kept = np.where(keep, z1, 0)
    mu = (ridge * np.linalg.norm(np.column_stack([kept, np.ones(n)]), 2)) ** 2
    a, b = z1[:, keep] - z1[:, keep].mean(0), z2 - z2.mean(0)
    stacked = np.vstack([a, np.sqrt(mu) * np.eye(a.shape[1])])
    target = np.vstack([b, np.zeros((a.shape[1], b.shape[1]))])
    weights = np.linalg.lstsq(stacked, target, rcond=None)[0]
    intercept = z2.mean(0) - z1[:, keep].mean(0) @ weights
    at1, at2 = (z1, z2) if held is None else (np.asarray(h, np.float64) for h in held)
    error = at2 - at1[:, keep] @ weights - intercept
    whole = np.sum((at2 - at2.mean(0)) ** 2) if total == "centred" else np.sum(at2**2)
    penalised = np.sum(error**2) + mu * np.sum(weights**2)
    return 1 - np.sum(error**2) / whole, penalised, whole


def gradient(weights, bias, x, y, kind):
    """Of minus the log odds, or the margin, of a linear network: `[B, P]`."""
    z = x @ weights + bias
    _, others = own_and_others(z, y)
    if kind == "margin":
        return (weights[:, others.argmax(-1)] - weights[:, y]).T
    share = np.exp(others - others.max(-1, keepdims=True))
    share /= share.sum(-1, keepdims=True)
    return share @ weights.T - weights[:, y].T


def ascended(x, weights, bias, y, *, eps, step, steps, ball, low, high, kind, sign=1.0, decay=None):
    """Projected steepest ascent from `x [B, …]` without a random start, in float64."""
    shape, x = x.shape, np.asarray(x, np.float64).reshape(len(x), -1)
    low, high = (np.broadcast_to(v, shape).reshape(x.shape) for v in (low, high))
    eps, step = (np.broadcast_to(v, len(x)).reshape(-1, 1).astype(float) for v in (eps, step))
    moved, momentum = x, 0.0
    norm = lambda v: np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-300)  # noqa: E731
    for _ in range(steps):
        ascent = sign * gradient(weights, bias, moved, y, kind)
        if decay is not None:
            size = np.abs(ascent).sum(1, keepdims=True)
            momentum = decay * momentum + ascent / np.where(size > 0, size, 1)
            ascent = momentum
        moved = moved + step * (np.sign(ascent) if ball == "linf" else ascent / norm(ascent))
        away = moved - x
        away = (
            np.clip(away, -eps, eps) if ball == "linf" else away * np.minimum(1, eps / norm(away))
        )
        moved = np.clip(x + away, low, high)
    return moved.reshape(shape)


def outside(made, x, eps, ball, low, high):
    """What is wrong with images that should be near x and in the bounds."""
    made, x = np.asarray(made, np.float64), np.asarray(x).astype(np.float64)
    if made.shape != x.shape:
        return f"shape {made.shape} of images {x.shape}"
    if not np.isfinite(made).all():
        return "images that are not finite"
    low, high = (np.float32(v).astype(np.float64) for v in (low, high))
    if np.any(made < np.minimum(low, x)) or np.any(made > np.maximum(high, x)):
        return f"images from {made.min()} to {made.max()}"
    away = (made - x).reshape(len(x), -1)
    norms = np.abs(away).max(1) if ball == "linf" else np.linalg.norm(away, axis=1)
    size = max(np.max(np.abs(low)), np.max(np.abs(high)), np.max(np.abs(x)))
    excess = np.max(norms - np.asarray(eps, np.float64))
    return f"{excess:.2g} outside the ball" if excess > 1e-7 * size else ""
