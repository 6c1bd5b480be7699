"""Builds each event on standard input (JSON, one a line) with OpenLineage's own client, whose classes are generated from the
specification: a field that it does not know, one that is missing, a version that is another one, or a malformed UUID or time is an error.
Prints one line for each event: `ok`, or what is wrong."""

import importlib
import inspect
import json
import pkgutil
import sys

import openlineage.client.generated as generated
from openlineage.client.generated import base, parent_run

by_schema = {}
for module in pkgutil.iter_modules(generated.__path__):
    loaded = importlib.import_module(f"openlineage.client.generated.{module.name}")
    for _, one in inspect.getmembers(loaded, inspect.isclass):
        if issubclass(one, base.BaseFacet):
            by_schema[one._get_schema()] = one


def facets(said, kind):
    built = {}
    for name, facet in said.items():
        schema, producer = facet.pop("_schemaURL"), facet.pop("_producer")
        if name.startswith("millrace"):
            built[name] = kind(producer=producer)
            continue
        known = by_schema[schema]
        if not issubclass(known, kind):
            raise TypeError(f"{name} is no {kind.__name__}")
        if known is parent_run.ParentRunFacet:
            facet = {"run": parent_run.Run(**facet["run"]), "job": parent_run.Job(**facet["job"])}
        built[name] = known(**facet, producer=producer)
    return built


def dataset(said, kind, **more):
    return kind(said["namespace"], said["name"], facets=facets(said["facets"], base.DatasetFacet), **more)


def event(said):
    run, job = said["run"], said["job"]
    schema = said.pop("schemaURL")
    built = base.RunEvent(
        eventType=base.EventType(said["eventType"]),
        eventTime=said["eventTime"],
        producer=said["producer"],
        run=base.Run(run["runId"], facets=facets(run["facets"], base.RunFacet)),
        job=base.Job(job["namespace"], job["name"], facets=facets(job["facets"], base.JobFacet)),
        inputs=[dataset(one, base.InputDataset) for one in said["inputs"]],
        outputs=[
            dataset(one, base.OutputDataset, outputFacets=facets(one.get("outputFacets", {}), base.OutputDatasetFacet))
            for one in said["outputs"]
        ],
    )
    if built.schemaURL != schema:
        raise ValueError(f"{schema} is not {built.schemaURL}")


for line in sys.stdin:
    try:
        event(json.loads(line))
        print("ok")
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
