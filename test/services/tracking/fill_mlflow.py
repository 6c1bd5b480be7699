"""Fills an MLflow server with everything that an import has to carry over; prints the ids as JSON."""
import json
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

client = MlflowClient()
experiment = client.create_experiment("orchard", tags={"team": "fruit"})
other = client.create_experiment("gone")
runs = []
for number in range(3):
    run = client.create_run(experiment, run_name=f"tree {number}", tags={"kind": "apple", "naïve": "größe 文"})
    run_id = run.info.run_id
    runs.append(run_id)
    points = [Metric("loss", 1 / (step + 1 + number), 1_000 + step, step) for step in range(900 if number == 0 else 20)]
    points += [Metric("odd", float("nan"), 1, 0), Metric("big", float("inf"), 1, 0)]
    client.log_batch(run_id, metrics=points, params=[Param("depth", str(number))])
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        (model / "data").mkdir(parents=True)
        (model / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: none\n")
        (model / "data" / "weights.bin").write_bytes(bytes(range(256)) * 100 * (number + 1))
        client.log_artifacts(run_id, folder)
    client.set_terminated(run_id, "FAILED" if number == 2 else "FINISHED")
deleted = client.create_run(experiment, run_name="deleted").info.run_id
client.delete_run(deleted)
client.create_run(other)
client.delete_experiment(other)

mlflow.set_experiment("orchard")
with mlflow.start_run(run_name="logged") as active:
    dataset = mlflow.data.meta_dataset.MetaDataset(
        mlflow.data.http_dataset_source.HTTPDatasetSource("https://example.invalid/apples.csv"), name="apples", digest="d1"
    )
    mlflow.log_input(dataset, context="training")
    logged = active.info.run_id

model_id = ""
if not mlflow.__version__.startswith("2"):
    model = client.create_logged_model(experiment, name="forest", source_run_id=logged, params={"trees": "9"}, tags={"kind": "cider"})
    model_id = model.model_id
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "MLmodel").write_text("flavors: {}\n")
        client.log_model_artifacts(model_id, folder)
    client.finalize_logged_model(model_id, "READY")
    client.log_metric(logged, "auc", 0.75, timestamp=5, step=2, model_id=model_id)

client.create_registered_model("apples", tags={"team": "fruit"}, description="**Apples**")
for number in range(3):
    source = f"{client.get_run(runs[number]).info.artifact_uri}/model"
    client.create_model_version("apples", source, runs[number], description=f"from tree {number}", tags={"n": str(number)})
client.delete_model_version("apples", "2")
client.set_registered_model_alias("apples", "champion", "3")
client.transition_model_version_stage("apples", "1", "Staging")
print(json.dumps({"runs": runs, "deleted": deleted, "logged": logged, "model": model_id}))
