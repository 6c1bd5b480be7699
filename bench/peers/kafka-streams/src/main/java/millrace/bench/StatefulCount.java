package millrace.bench;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * Counts records by key, exactly once (v2), one stream thread, RocksDB store with changelog, an output for every record.
 * Ends when a reader of committed records has seen every output; prints one JSON line.
 * Arguments: bootstrap, input topic, output topic, partitions, records, application id, state folder.
 */
public final class StatefulCount {
  public static void main(String[] args) throws Exception {
    String bootstrap = args[0];
    String input = args[1];
    String output = args[2];
    int partitions = Integer.parseInt(args[3]);
    long records = Long.parseLong(args[4]);

    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[5]);
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, Path.of(args[6]).toString());
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");

    StreamsBuilder builder = new StreamsBuilder();
    builder
        .stream(input, Consumed.with(Serdes.Bytes(), Serdes.Bytes()))
        .groupByKey()
        .count(Materialized.with(Serdes.Bytes(), Serdes.Long()))
        .toStream()
        .to(output, Produced.with(Serdes.Bytes(), Serdes.Long()));

    long began = System.nanoTime();
    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    streams.start();
    long seen = 0;
    long first = 0;
    try (KafkaConsumer<byte[], byte[]> reader =
        new KafkaConsumer<>(
            Map.of(
                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap,
                ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed",
                ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest"),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer())) {
      List<TopicPartition> all =
          IntStream.range(0, partitions).mapToObj(n -> new TopicPartition(output, n)).toList();
      reader.assign(all);
      reader.seekToBeginning(all);
      while (seen < records) {
        int count = reader.poll(Duration.ofMillis(200)).count();
        if (count > 0 && first == 0) first = System.nanoTime();
        seen += count;
      }
    }
    long ended = System.nanoTime();
    long cpuNanos =
        ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getProcessCpuTime();
    System.out.printf(
        "{\"records\":%d,\"seconds\":%.3f,\"secondsFromFirst\":%.3f,\"cpuSeconds\":%.3f}%n",
        seen, (ended - began) / 1e9, (ended - first) / 1e9, cpuNanos / 1e9);
    streams.close(Duration.ofSeconds(20));
  }
}
