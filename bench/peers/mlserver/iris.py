"""The iris classifier (logistic regression on the same data), for MLServer's scikit-learn runtime: iris.py <file>."""
import sys

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

data = load_iris()
joblib.dump(LogisticRegression(max_iter=1000).fit(data.data, data.target), sys.argv[1])
