"""Saves the models of the ModelRuntime suite by unmodified mlflow, each in a folder below the one that is named."""
import os
import sys

import mlflow
import numpy as np


def conformance(folder):
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    def schema(*specs):
        return Schema([TensorSpec(np.dtype(kind), shape, name) for name, kind, shape in specs])

    def save(name, inputs, outputs, run):
        class Model(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                return run(model_input)

        signature = ModelSignature(schema(*inputs), schema(*outputs))
        requirements = [f"mlflow=={mlflow.__version__}", "numpy"]
        mlflow.pyfunc.save_model(
            os.path.join(folder, name), python_model=Model(), signature=signature, pip_requirements=requirements
        )

    save(
        "two-in-four-out",
        [("a", "float32", (-1, 3)), ("b", "float32", (-1, 3))],
        [("sum", "float32", (-1, 3)), ("difference", "float32", (-1, 3)), ("a_greater", "bool", (-1, 3)), ("total", "float32", (-1,))],
        lambda x: {
            "total": x["a"].sum(axis=1),
            "sum": x["a"] + x["b"],
            "difference": x["a"] - x["b"],
            "a_greater": x["a"] > x["b"],
        },
    )
    x = lambda kind, *shape: [("x", kind, shape)]
    y = lambda kind, *shape: [("y", kind, shape)]
    save("dtype-int64", x("int64", -1, 4), y("int64", -1, 4), lambda x: {"y": x["x"] * 2})
    save("dtype-float16", x("float16", -1, 4), y("float16", -1, 4), lambda x: {"y": x["x"] / np.float16(2)})
    save(
        "dtype-bool",
        x("bool", -1, 3),
        [*y("bool", -1, 3), ("n", "int64", (-1, 3))],
        lambda x: {"y": ~x["x"], "n": x["x"].astype(np.int64)},
    )
    save("dtype-string-echo", x("str", -1), y("str", -1), lambda x: {"y": x["x"]})
    save("gives-nan-and-infinity", x("float32", -1), y("float32", -1), lambda x: {"y": x["x"] / np.float32(0)})
    save("scalar-rank-0", x("float32"), y("float32"), lambda x: {"y": np.asarray(x["x"] * np.float32(2))})
    save("fixed-batch-4", x("float32", 4, 5), y("float32", 4, 2), lambda x: {"y": np.zeros((4, 2), np.float32)})


conformance(sys.argv[1])
