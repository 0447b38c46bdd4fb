"""What nearest-neighbour structures find of the K most similar rows, by how many rows they look at: what docs/sparse.md chose by.

    python3 bench/structures.py [ROWS]

Recall alone, in NumPy: of hyperplane hashing (one table, probed in order of the margins that are crossed), of inverted lists over fixed random
centroids, and of codes of one and two bits a dimension of which the best are compared exactly. Rows and queries as in recall.js.
"""
import sys

import numpy as np

W, K, QUERIES = 32, 4, 40
ROWS = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
random = np.random.default_rng(1)


def normal(*shape):
    return random.standard_normal(shape, dtype=np.float32)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def near(x, cosine):
    noise = normal(*x.shape)
    across = unit(noise - (noise * x).sum(-1, keepdims=True) * x)
    return cosine * x + np.sqrt(1 - cosine * cosine) * across


def some(rows):
    return rows[random.integers(0, len(rows), QUERIES)]


def kinds():
    rows = unit(normal(ROWS, W))
    yield "normal", rows, unit(normal(QUERIES, W))
    yield "near 0.9", rows, near(some(rows), 0.9)
    centres = unit(normal(ROWS // 100, W))
    yield "clusters", near(centres[random.integers(0, len(centres), ROWS)], 0.8), near(some(centres), 0.8)
    rows = unit(rows + unit(normal(1, W)))
    yield "in common", rows, near(some(rows), 0.9)


def by_buckets(bucket_of, scores, wanted, examine):
    """Buckets by falling score until `examine` rows were seen."""
    counts = np.bincount(bucket_of, minlength=scores.shape[1])
    found, seen = [], []
    for query, cells in enumerate(wanted):
        order = np.argsort(-scores[query], kind="stable")
        total = np.cumsum(counts[order])
        last = min(np.searchsorted(total, examine), len(order) - 1)
        rank = np.empty(len(order), int)
        rank[order] = np.arange(len(order))
        found.append((rank[bucket_of[cells]] <= last).mean())
        seen.append(total[last])
    return np.mean(found), np.mean(seen)


def by_codes(approximate, wanted, compared):
    best = np.argpartition(-approximate, compared, axis=1)[:, :compared]
    return np.mean([np.isin(cells, best[query]).mean() for query, cells in enumerate(wanted)]), compared


for kind, rows, queries in kinds():
    wanted = np.argsort(-(queries @ rows.T), axis=1)[:, :K]
    rotation = np.linalg.qr(normal(W, W))[0]
    turned, asked = rows @ rotation, queries @ rotation
    results = {}

    bits = 14
    margins = asked[:, :bits]
    patterns = (np.arange(1 << bits)[:, None] >> np.arange(bits)) & 1
    crossed = patterns[None] != (margins >= 0)[:, None, :]
    scores = -(crossed * margins[:, None, :] ** 2).sum(-1)
    buckets = (turned[:, :bits] >= 0) @ (1 << np.arange(bits))
    for examine in (ROWS // 500, ROWS // 30, ROWS // 10):
        results[f"{bits} hyperplanes, {examine} rows"] = by_buckets(buckets, scores, wanted, examine)

    centroids = unit(normal(4096, W))
    lists = np.concatenate([np.argmax(rows[i : i + 20_000] @ centroids.T, axis=1) for i in range(0, ROWS, 20_000)])
    results[f"4096 centroids, {ROWS // 30} rows"] = by_buckets(lists, queries @ centroids.T, wanted, ROWS // 30)

    levels = np.array([-1.51, -0.4528, 0.4528, 1.51], dtype=np.float32)
    two = levels[np.digitize(turned * np.sqrt(W), [-0.9816, 0, 0.9816])]
    results["one bit a dimension, 512 compared"] = by_codes(asked @ np.sign(turned).T, wanted, 512)
    results["two bits a dimension, 512 compared"] = by_codes(asked @ two.T, wanted, 512)
    for name, (recall, seen) in results.items():
        print(f"{kind:10} {name:40} recall@{K} {recall:.2f}  rows looked at {seen:.0f}", flush=True)
