"""Reads topics of Avro events from their start to their present end and prints each fact as a line of JSON.

Usage: read.py <bootstrap> <registry url> <topic> ... The first record of a ce_id is the fact; the last line counts the repeats.
"""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

bootstrap, registry_url, *topics = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.partition.eof": True})
from_avro = AvroDeserializer(SchemaRegistryClient({"url": registry_url}))
known = consumer.list_topics(timeout=10).topics
partitions = [TopicPartition(t, p, OFFSET_BEGINNING) for t in topics for p in known[t].partitions]
consumer.assign(partitions)

seen, repeats, unfinished = set(), 0, len(partitions)
while unfinished:
    message = consumer.poll(20)
    if message is None:
        sys.exit(f"{unfinished} partitions did not end within 20 s")
    if message.error():
        if message.error().code() != KafkaError._PARTITION_EOF:
            sys.exit(str(message.error()))
        unfinished -= 1
        continue
    headers = {name: value.decode() for name, value in message.headers() or []}
    if "millrace-control" in headers:
        continue
    fact = (message.topic(), headers["ce_id"])
    if fact in seen:
        repeats += 1
        continue
    seen.add(fact)
    context = SerializationContext(message.topic(), MessageField.VALUE)
    event = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "key": message.key().decode(),
        "id": headers["ce_id"],
        "type": headers["ce_type"],
        "data": from_avro(message.value(), context),
    }
    # bytes are no JSON
    print(json.dumps(event, default=lambda value: value.decode("utf-8", "replace")))
consumer.close()
print(json.dumps({"repeats": repeats}))
