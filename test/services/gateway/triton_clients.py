"""Asks a server with NVIDIA's clients over HTTP and gRPC, and prints what they say as JSON: triton_clients.py HTTP GRPC"""

import json
import sys

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

rows = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]], dtype=np.float32)
texts = np.array(["", "größe ✓", "zwei"], dtype=object)


def error(call):
    try:
        call()
    except InferenceServerException as problem:
        return [problem.status(), problem.message()]
    return None


def infer(module, client, model, name, datatype, values, **options):
    tensor = module.InferInput(name, list(values.shape), datatype)
    if module is http:
        tensor.set_data_from_numpy(values, binary_data=options.pop("binary", True))
    else:
        tensor.set_data_from_numpy(values)
    return client.infer(model, [tensor], **options)


def ask(module, address):
    client = module.InferenceServerClient(address)
    iris = infer(module, client, "iris-logreg", "X", "FP32", rows, request_id="triton-" + module.__name__)
    echo = infer(module, client, "dtype-string-echo", "x", "BYTES", texts)
    halves = infer(module, client, "dtype-float16", "x", "FP16", np.array([[1, 2, 3, 4]], dtype=np.float16))
    answer = iris.get_response()
    metadata = client.get_model_metadata("iris-logreg")
    server = client.get_server_metadata()
    client.unload_model("iris-logreg")
    unloaded = client.get_model_repository_index()
    client.load_model("iris-logreg")
    is_http = module is http
    states = unloaded if is_http else [{"name": model.name, "state": model.state} for model in unloaded.models]
    wrong = lambda: infer(module, client, "iris-logreg", "X", "FP64", rows.astype(np.float64))
    unknown = lambda: infer(module, client, "nowhere", "X", "FP32", rows)
    result = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready("iris-logreg", "1"),
        "server": server["name"] if is_http else server.name,
        "inputs": metadata["inputs"] if is_http else [{"name": i.name, "datatype": i.datatype, "shape": list(i.shape)} for i in metadata.inputs],
        "id": answer["id"] if is_http else answer.id,
        "label": iris.as_numpy("label").tolist(),
        "probabilities": iris.as_numpy("probabilities").tolist(),
        "texts": [text.decode() if isinstance(text, bytes) else text for text in echo.as_numpy("y").tolist()],
        "halves": halves.as_numpy("y").dtype.name,
        "unloaded": [entry["state"] for entry in states if entry["name"] == "iris-logreg"],
        "wrong": error(wrong),
        "unknown": error(unknown),
    }
    if is_http:
        wanted = [http.InferRequestedOutput("label", binary_data=False)]
        plain = infer(http, client, "iris-logreg", "X", "FP32", rows, binary=False, outputs=wanted)
        result["plain"] = plain.as_numpy("label").tolist()
    client.close()
    return result


print(json.dumps({"http": ask(http, sys.argv[1]), "grpc": ask(grpc, sys.argv[2])}))
