"""Boosted trees by XGBoost, as ONNX by onnxmltools."""

import sys

import numpy as np
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from xgboost import XGBClassifier

from step_files import array, leave

model = XGBClassifier(n_estimators=int(sys.argv[1]), max_depth=3, learning_rate=0.2, random_state=0, n_jobs=1)
# both read 32-bit numbers, so that a value on a threshold falls to the same side
model.fit(array("train_rows").astype(np.float32), array("train_species"))
onnx_model = convert_xgboost(model, initial_types=[("rows", FloatTensorType([None, 4]))], target_opset=15)
leave("iris", "trees", onnx_model.SerializeToString(), model.predict_proba(array("test_rows").astype(np.float32)))
