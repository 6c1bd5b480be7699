"""Logistic regression by scikit-learn, as ONNX by skl2onnx."""

import sys

from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from step_files import array, leave

model = make_pipeline(StandardScaler(), LogisticRegression(C=float(sys.argv[1])))
model.fit(array("train_rows"), array("train_species"))
onnx_model = to_onnx(
    model,
    initial_types=[("rows", FloatTensorType([None, 4]))],
    options={"zipmap": False},
    target_opset={"": 15, "ai.onnx.ml": 3},
)
leave("iris", "logistic", onnx_model.SerializeToString(), model.predict_proba(array("test_rows")))
