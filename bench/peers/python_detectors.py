"""Detectors of SciPy, scikit-learn and River on as many rows as bench/monitoring/detectors.ts takes. Prints figures as JSON.

Needs scipy, scikit-learn and river; python-detectors.ts installs them.
"""
import json
import time

import numpy as np
from river import drift
from scipy import stats
from sklearn.ensemble import IsolationForest

random = np.random.default_rng(1)
numeric_reference = random.normal(size=(1_000, 8))
codes_reference = random.integers(4, size=(1_000, 2))


def processor_seconds(work):
    before = time.process_time()
    work()
    return time.process_time() - before


def windows(count):
    for _ in range(count):
        numeric = random.normal(size=(1_000, 8))
        codes = random.integers(4, size=(1_000, 2))
        for column in range(8):
            stats.ks_2samp(numeric_reference[:, column], numeric[:, column], method="asymp")
        for column in range(2):
            table = [np.bincount(side[:, column], minlength=4) for side in (codes_reference, codes)]
            stats.chi2_contingency(table)


def mmd(x, y, permutations=100):
    pooled = np.vstack([x, y])
    squares = (pooled**2).sum(1)
    squared = np.maximum(squares[:, None] + squares[None, :] - 2 * pooled @ pooled.T, 0)
    sigma2 = np.median(squared[np.triu_indices(len(pooled), 1)])
    kernel = np.exp(-squared / (2 * sigma2))
    np.fill_diagonal(kernel, 0)
    n = len(x)

    def statistic(order):
        a, b = order[:n], order[n:]
        within = kernel[np.ix_(a, a)].sum() / (n * (n - 1)) + kernel[np.ix_(b, b)].sum() / (n * (n - 1))
        return within - 2 * kernel[np.ix_(a, b)].mean()

    observed = statistic(np.arange(2 * n))
    drawn = [statistic(random.permutation(2 * n)) for _ in range(permutations)]
    return (1 + sum(value >= observed for value in drawn)) / (1 + permutations)


def forest():
    rows = random.normal(size=(50_000, 10))
    fitted = IsolationForest(n_estimators=100, max_samples=256, random_state=1).fit(rows[:2_000])
    return 50_000 / processor_seconds(lambda: fitted.score_samples(rows))


def adwin():
    detector = drift.ADWIN()
    values = random.normal(size=100_000)
    return 100_000 / processor_seconds(lambda: [detector.update(value) for value in values])


x, y = random.normal(size=(500, 10)), random.normal(size=(500, 10))
figures = {
    "windows": 50_000 / processor_seconds(lambda: windows(50)),
    "mmd": 1_000 * processor_seconds(lambda: mmd(x, y)),
    "forest": forest(),
    "adwin": adwin(),
}
print(json.dumps(figures))
