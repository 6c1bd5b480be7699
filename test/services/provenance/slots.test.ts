/** Rows that lie in slots: what a record leaves of the one that had its slot. */
import { describe, expect, it } from 'vitest';
import type { ProjectedEvent } from '../../../runtime/engine/projection.ts';
import { provenance } from '../../../services/provenance/projection.ts';
import type { projectedTopics } from '../../../services/provenance/rows.ts';
import { tables } from '../../../services/provenance/tables.ts';

const changes = (topic: string, type: string, offset: number, data: object) =>
  provenance.rowsOf({
    ...{ catalogueTopic: topic, topic, type, partition: 3, offset, key: 'k', id: 'i', timeMs: 1, data },
  } as unknown as ProjectedEvent<(typeof projectedTopics)[number]>);

describe('a record takes its slot', () => {
  const fact = (offset: number) =>
    changes('webhook-deliveries', 'deliveries-attempted', offset, {
      ...{ webhook: 'w', origin: 'o', topic: 'alerts', positions: [] },
      attempts: [1, 2].map((n) => ({ deliveryId: `msg_${n}`, outcome: 'dead' })),
    });

  it('of requests to a webhook, and the places that the one before may have had more', () => {
    const places = fact(20_007).map((change) => ('remove' in change ? ['gone', change.remove] : ['said', change.row]));
    expect(places).toHaveLength(100);
    expect(places[0]).toEqual(['gone', { fact_partition: 3, slot: 7, place: 2 }]);
    expect(places[97]).toEqual(['gone', { fact_partition: 3, slot: 7, place: 99 }]);
    expect(places[98]).toMatchObject(['said', { slot: 7, place: 0, fact_offset: 20_007 }]);
    expect(fact(19_999), 'nobody had it before').toHaveLength(2);
  });

  it.each(['shadow-answered', 'prediction-conflicted'])('of predictions also when it is no request: %s', (type) => {
    expect(changes('predictions', type, 200_005, {})).toContainEqual({
      table: 'requests',
      remove: { partition: 3, slot: 5 },
    });
  });

  it('of quality whatever the number of deployments, versions and segments', () => {
    const key = (offset: number, deploymentVersion: number): unknown => {
      const series = { deployment: `d${offset}`, deploymentVersion, route: 'a', model: 'm', segment: `s=${offset}` };
      const rest = {
        modelVersion: deploymentVersion,
        window: 1,
        metrics: [],
        calibration: [],
        bounds: [],
        reward: null,
      };
      const [change] = changes('quality', 'quality-assessed', offset, { ...series, ...rest, toMs: 1, rows: 1 });
      const { fact_partition: partition, slot } = (change as unknown as { row: Record<string, unknown> }).row;
      return [partition, slot];
    };
    expect(tables.quality_windows.key).toEqual(['fact_partition', 'slot']);
    expect(key(100_007, 300)).toEqual([3, 7]);
    expect(key(7, 1)).toEqual([3, 7]);
  });

  it('of feature statistics whatever the number of versions', () => {
    const key = (deploymentVersion: number): unknown => {
      const data = { deployment: 'd', deploymentVersion, startMs: 60_000, endMs: 120_000, columns: [] };
      const [change] = changes('feature-statistics', 'features-summarized', 0, data);
      const { version_slot: version, slot } = (change as unknown as { row: Record<string, unknown> }).row;
      return [version, slot];
    };
    expect(key(5)).toEqual(key(1));
    expect(key(2)).not.toEqual(key(1));
  });
});
