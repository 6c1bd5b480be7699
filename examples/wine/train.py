"""ElasticNet on the wines: prints and leaves RMSE, MAE and R2, and registers the model as ONNX."""

import argparse
import json
import os
import pathlib

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import ElasticNet
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split

arguments = argparse.ArgumentParser()
arguments.add_argument("--alpha", type=float, required=True)
arguments.add_argument("--l1-ratio", type=float, required=True)
arguments.add_argument("--data", required=True)
options = arguments.parse_args()

np.random.seed(40)
wines = pd.read_csv(options.data)
train, test = train_test_split(wines)
model = ElasticNet(alpha=options.alpha, l1_ratio=options.l1_ratio, random_state=42)
model.fit(train.drop(columns="quality").to_numpy(), train["quality"])

predicted = model.predict(test.drop(columns="quality").to_numpy())
truth = test["quality"]
metrics = {
    "rmse": float(np.sqrt(mean_squared_error(truth, predicted))),
    "mae": float(mean_absolute_error(truth, predicted)),
    "r2": float(r2_score(truth, predicted)),
}
print(f"Elasticnet model (alpha={options.alpha:f}, l1_ratio={options.l1_ratio:f}):")
for name, value in metrics.items():
    print(f"  {name.upper()}: {value}")

output = pathlib.Path(os.environ["MILLRACE_OUTPUT"])
onnx_model = to_onnx(model, initial_types=[("wine", FloatTensorType([None, 11]))], target_opset={"": 15, "ai.onnx.ml": 3})
(output / "model.onnx").write_bytes(onnx_model.SerializeToString())
manifest = {
    "metrics": metrics,
    "params": {"alpha": options.alpha, "l1_ratio": options.l1_ratio},
    "models": [{"model": "wine", "path": "model.onnx", "metrics": metrics, "tags": {"alpha": str(options.alpha)}}],
}
(output / "manifest.json").write_text(json.dumps(manifest))
