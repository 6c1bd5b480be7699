"""Makes the reference results of this folder by statsmodels: python make.py. Seeds are fixed."""
import json
from pathlib import Path

import numpy as np
import statsmodels
import statsmodels.api as sm

VERSIONS = f"statsmodels {statsmodels.__version__}, numpy {np.__version__}"


def write(name, seed, sizes):
    random = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    # what the rows of a cluster have in common, and what each has of its own
    x = np.round(random.normal(0, 2, len(sizes))[cluster] + random.normal(5, 1, len(cluster)), 3)
    order = random.permutation(len(x))
    x, cluster = x[order], cluster[order]
    fit = sm.OLS(x, np.ones(len(x))).fit(cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True)
    case = {
        "name": f"clustered/{name}",
        "source": VERSIONS,
        "definition": "OLS on a constant, cov_type='cluster', use_t=True: mean, its standard error with the correction k / (k - 1), 95 % interval by Student with k - 1 degrees of freedom",
        "inputs": {"x": x.tolist(), "cluster": cluster.tolist()},
        "expected": {
            "mean": float(fit.params[0]),
            "standard_error": float(fit.bse[0]),
            "ci95": [float(bound) for bound in fit.conf_int()[0]],
        },
        "tolerance": {"default": {"abs": 1e-9, "rel": 1e-9}},
    }
    (Path(__file__).parent / f"{name}.json").write_text(json.dumps(case, separators=(",", ":")) + "\n")


write("several-rows", 31, np.random.default_rng(30).integers(1, 12, 40))
write("one-row", 32, np.ones(50, dtype=int))
write("one-large", 33, np.array([1, 1, 2, 60, 1, 3, 1, 2]))
