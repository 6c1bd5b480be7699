"""What people do with an unmodified mlflow client: two ElasticNet runs of the wine data, from logging to loading by alias."""
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import mlflow
import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from mlflow.tracking import MlflowClient
from sklearn.linear_model import ElasticNet
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split

facts = {"version": mlflow.__version__}
client = MlflowClient()

# Names of their own: both versions talk to one server.
suffix = mlflow.__version__.replace(".", "-")
experiment = mlflow.set_experiment(f"wine {suffix}")
wine = pd.read_csv(sys.argv[1], sep=None, engine="python")
train, test = train_test_split(wine, random_state=40)
features = [column for column in wine.columns if column != "quality"]

models = {}
for name, alpha, l1_ratio in [("wine-b", 1.0, 0.1), ("wine-a", 0.1, 0.1)]:
    with mlflow.start_run(run_name=name) as run:
        model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, random_state=42).fit(train[features], train["quality"])
        predicted = model.predict(test[features])
        mlflow.log_params({"alpha": alpha, "l1_ratio": l1_ratio})
        mlflow.log_metrics(
            {
                "rmse": float(np.sqrt(mean_squared_error(test["quality"], predicted))),
                "mae": float(mean_absolute_error(test["quality"], predicted)),
                "r2": float(r2_score(test["quality"], predicted)),
            }
        )
        mlflow.set_tag("stage", "trial")
        mlflow.log_dict({"features": features}, "notes/features.json")
        signature = mlflow.models.infer_signature(train[features], predicted)
        if mlflow.__version__.startswith("2"):
            info = mlflow.sklearn.log_model(model, "model", signature=signature)
        else:
            info = mlflow.sklearn.log_model(model, name="model", signature=signature, serialization_format="cloudpickle")
        models[name] = (run.info.run_id, info.model_uri, predicted, model)

runs = mlflow.search_runs(order_by=["metrics.rmse ASC"], filter_string="params.l1_ratio LIKE '0.%' and tags.stage = 'trial'")
facts["best"] = runs.iloc[0]["tags.mlflow.runName"]
facts["metrics"] = {
    row["tags.mlflow.runName"]: [row["metrics.rmse"], row["metrics.mae"], row["metrics.r2"]] for _, row in runs.iterrows()
}
facts["artifacts"] = sorted(item.path for item in client.list_artifacts(models["wine-b"][0]))
facts["notes"] = [item.path for item in client.list_artifacts(models["wine-b"][0], "notes")]
with tempfile.TemporaryDirectory() as folder:
    path = client.download_artifacts(models["wine-b"][0], "notes/features.json", folder)
    facts["features"] = len(json.load(open(path))["features"])

registered = f"wine-{suffix}"
for name in ["wine-b", "wine-a"]:
    mlflow.register_model(models[name][1], registered)
client.set_registered_model_alias(registered, "champion", "2")
client.set_model_version_tag(registered, "2", "checked", "yes")
client.update_model_version(registered, "2", description="the better one")
loaded = mlflow.pyfunc.load_model(f"models:/{registered}@champion")
facts["same predictions"] = bool(np.allclose(loaded.predict(test[features]), models["wine-a"][2]))
version = client.get_model_version_by_alias(registered, "champion")
facts["champion"] = [version.version, version.description, version.tags, list(version.aliases)]
client.transition_model_version_stage(registered, "1", "Production")
client.transition_model_version_stage(registered, "2", "Production", archive_existing_versions=True)
facts["stages"] = {v.version: v.current_stage for v in client.search_model_versions(f"name = '{registered}'")}
client.delete_registered_model_alias(registered, "champion")
facts["aliases"] = dict(client.get_registered_model(registered).aliases)
facts["found models"] = [found.name for found in client.search_registered_models(f"name = '{registered}'")]



def as_onnx(model):
    weights = numpy_helper.from_array(model.coef_.astype(np.float32).reshape(-1, 1), "weights")
    intercept = numpy_helper.from_array(np.array([model.intercept_], dtype=np.float32), "intercept")
    node = helper.make_node("Gemm", ["features", "weights", "intercept"], ["quality"])
    graph = helper.make_graph(
        [node],
        "elastic-net",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(features)])],
        [helper.make_tensor_value_info("quality", TensorProto.FLOAT, [None, 1])],
        [weights, intercept],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


# The flavor that a deployment serves as it is: both models side by side.
served = f"wine-onnx-{suffix}"
rows = test[features].to_numpy().astype(np.float32)
for name, alias in [("wine-a", "gentle"), ("wine-b", "strong")]:
    with mlflow.start_run(run_name=f"{name} as ONNX"):
        where = {"artifact_path": "onnx"} if mlflow.__version__.startswith("2") else {"name": "onnx"}
        info = mlflow.onnx.log_model(as_onnx(models[name][3]), **where)
    version = mlflow.register_model(info.model_uri, served)
    client.set_registered_model_alias(served, alias, version.version)
answers = mlflow.pyfunc.load_model(f"models:/{served}@gentle").predict(rows)["quality"].ravel()
facts["onnx"] = bool(np.allclose(answers, models["wine-a"][2], atol=1e-4))
facts["question"] = {"row": [float(value) for value in rows[0]], "gentle": float(answers[0]), "truth": float(test["quality"].iloc[0])}

# A file in parts, and back by ranges: the environment says from which size on.
with tempfile.TemporaryDirectory() as folder:
    large = os.path.join(folder, "large.bin")
    content = np.random.default_rng(7).bytes(3_500_000)
    open(large, "wb").write(content)
    client.log_artifact(models["wine-a"][0], large, "large")
    back = client.download_artifacts(models["wine-a"][0], "large/large.bin", folder)
    facts["in parts"] = open(back, "rb").read() == content

with mlflow.start_run(run_name="parent") as parent:
    for depth in range(3):
        with mlflow.start_run(run_name=f"child {depth}", nested=True):
            mlflow.log_metric("depth", depth)
children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
facts["children"] = sorted(children["tags.mlflow.runName"])

try:
    with mlflow.start_run(run_name="failing") as failing:
        raise RuntimeError("on purpose")
except RuntimeError:
    facts["failed"] = client.get_run(failing.info.run_id).info.status

mlflow.sklearn.autolog(log_models=False, log_datasets=True)
with mlflow.start_run(run_name="automatic") as automatic:
    ElasticNet(alpha=0.3).fit(train[features], train["quality"])
mlflow.sklearn.autolog(disable=True)
logged = client.get_run(automatic.info.run_id)
facts["autolog"] = [logged.data.params.get("alpha"), "training_mean_squared_error" in logged.data.metrics, len(logged.inputs.dataset_inputs)]


def log(index):
    run = client.create_run(experiment.experiment_id, run_name=f"parallel {index}")
    for step in range(20):
        client.log_metric(run.info.run_id, "loss", index / (step + 1), step=step)
    client.set_terminated(run.info.run_id)
    return run.info.run_id


with ThreadPoolExecutor(50) as pool:
    ids = list(pool.map(log, range(50)))
facts["parallel"] = sum(len(client.get_metric_history(run_id, "loss")) for run_id in ids)
facts["parallel runs"] = len(client.search_runs([experiment.experiment_id], "run_name LIKE 'parallel %' and metrics.loss >= 0"))

print(json.dumps(facts))
