"""Fisher's irises (scikit-learn has them), three quarters to train on, the species in equal shares."""

import json
import os
import pathlib
import sys

import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

iris = load_iris()
train_rows, test_rows, train_species, test_species = train_test_split(
    iris.data, iris.target, test_size=0.25, random_state=int(sys.argv[1]), stratify=iris.target
)
output = pathlib.Path(os.environ["MILLRACE_OUTPUT"])
np.save(output / "train_rows.npy", train_rows)
np.save(output / "test_rows.npy", test_rows)
np.save(output / "train_species.npy", train_species.astype(np.int32))
np.save(output / "test_species.npy", test_species.astype(np.int32))
(output / "species.json").write_text(json.dumps([str(name) for name in iris.target_names]))
