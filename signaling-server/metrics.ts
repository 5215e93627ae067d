/** What the server counts; nothing of a room or an address is in it. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export class Metrics {
  readonly registry = new Registry();
  readonly requests = new Counter({
    name: 'blindsight_requests_total',
    help: 'Requests of tabs, by what became of them.',
    labelNames: ['request', 'outcome'] as const,
    registers: [this.registry],
  });
  readonly admissionSeconds = new Histogram({
    name: 'blindsight_admission_seconds',
    help: 'From the request to open or join a room to its answer.',
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 8],
    registers: [this.registry],
  });

  /** @param rooms and @param tabs how many there are now */
  constructor(rooms: () => number, tabs: () => number) {
    collectDefaultMetrics({ register: this.registry });
    for (const [name, help, count] of [
      ['blindsight_rooms', 'Rooms that are open.', rooms],
      ['blindsight_tabs', 'Tabs that are connected.', tabs],
    ] as const)
      new Gauge({
        name,
        help,
        registers: [this.registry],
        collect() {
          this.set(count());
        },
      });
  }
}
