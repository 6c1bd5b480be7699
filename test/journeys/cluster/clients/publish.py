"""Publishes what comes on standard input, one JSON object a line:

    {"topic", "key", "form": "json" | "avro" | "event-binary" | "event-structured", "headers", "attributes", "value"}

Usage: publish.py <bootstrap> <registry url>. Exits with 1 unless the broker acknowledged every record.
"""

import json
import sys

from cloudevents.core.bindings.kafka import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

bootstrap, registry_url = sys.argv[1:]
producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5})
registry = SchemaRegistryClient({"url": registry_url})
# The platform has registered its schemas: a client takes them and registers nothing.
to_avro = AvroSerializer(registry, conf={"auto.register.schemas": False, "use.latest.version": True})
failures = []


def encoded(line):
    """The value and the headers of a record."""
    form, topic, value = line["form"], line["topic"], line["value"]
    if form == "json":
        return json.dumps(value).encode(), {}
    if form == "avro":
        return to_avro(value, SerializationContext(topic, MessageField.VALUE)), {}
    event = CloudEvent(attributes={**line["attributes"], "datacontenttype": "application/json"}, data=value)
    message = to_binary_event(event) if form == "event-binary" else to_structured_event(event)
    return message.value, message.headers


def delivered(error, message):
    if error is not None:
        failures.append(f"{message.topic()} {message.key()}: {error}")


for text in sys.stdin:
    line = json.loads(text)
    value, own_headers = encoded(line)
    headers = [*own_headers.items(), *((name, text.encode()) for name, text in line.get("headers", {}).items())]
    producer.produce(line["topic"], key=line.get("key"), value=value, headers=headers, on_delivery=delivered)
    producer.poll(0)
left = producer.flush(30)
if left or failures:
    sys.exit(f"{left} records not acknowledged, refused: {failures[:5]}")
