"""What a step is given and what it leaves: plain JSON and plain files, nothing to install."""

import json
import os
import pathlib

import numpy as np

task = json.loads(pathlib.Path(os.environ["MILLRACE_MANIFEST"]).read_text())
output = pathlib.Path(os.environ["MILLRACE_OUTPUT"])


def array(name):
    """An artifact that is an array."""
    return np.load(task["artifacts"][name]["path"])


def leave(model_name, family, onnx_bytes, expected):
    """Leaves a model and what Python predicts with it for the test rows, after holding the ONNX file against that."""
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_bytes)
    rows = array("test_rows").astype(np.float32)
    answer = session.run(["probabilities"], {"rows": rows})[0]
    difference = float(np.abs(answer - expected).max())
    if not difference < 1e-5:
        raise SystemExit(f"the ONNX model of {family} differs from Python by {difference}")
    accuracy = float((expected.argmax(axis=1) == array("test_species")).mean())
    metrics = {"accuracy": accuracy, "onnx_difference": difference}
    (output / f"{family}.onnx").write_bytes(onnx_bytes)
    np.save(output / "expected.npy", np.asarray(expected, dtype=np.float64))
    manifest = {
        "metrics": metrics,
        "models": [
            {
                "model": model_name,
                "path": f"{family}.onnx",
                "metrics": metrics,
                "tags": {"family": family},
                "alias": family,
            }
        ],
    }
    (output / "manifest.json").write_text(json.dumps(manifest))
