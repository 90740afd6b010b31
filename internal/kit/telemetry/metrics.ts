/**
 * A small metrics registry in the Prometheus text format (version 0.0.4). Counting is adding to a number in a map, so
 * that it costs the same whether anybody reads it or not; text is made only when it is asked for.
 */
export interface Counter {
  /** Label values in the order of the counter's label names. */
  add(n: number, ...values: readonly string[]): void;
}

export interface Histogram {
  observe(value: number, ...values: readonly string[]): void;
}

/** Labels and value of one series of a gauge. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

export interface Registry {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  /** Upper bounds ascending, without the infinite one. */
  histogram(name: string, help: string, bounds: readonly number[], labels?: readonly string[]): Histogram;
  /** Read when the text is made. A gauge without samples is left out. */
  gauge(name: string, help: string, read: () => Iterable<Sample>): void;
  /** As `gauge`, for numbers that are counted elsewhere and only grow. */
  counted(name: string, help: string, read: () => Iterable<Sample>): void;
  text(): string;
}

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Seconds: from a job that does nothing to an apply of an hour. */
export const SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600] as const;

export function createRegistry(): Registry {
  const families = new Map<string, () => string>();
  const add = (name: string, help: string, type: string, lines: () => readonly string[]) => {
    families.set(name, () => {
      const body = lines();
      return body.length === 0 ? "" : `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${body.join("")}`;
    });
  };
  const reading = (type: string) => (name: string, help: string, read: () => Iterable<Sample>) =>
    add(name, help, type, () => [...read()].map(([labels, value]) => line(name, pairs(Object.entries(labels)), value)));

  return {
    counter(name, help, labels = []) {
      const series = new Map<string, number>();
      if (labels.length === 0) series.set("", 0);
      add(name, help, "counter", () => [...series].map(([key, value]) => line(name, labelsOf(labels, key), value)));
      return {
        add(n, ...values) {
          const key = values.join(SEPARATOR);
          series.set(key, (series.get(key) ?? 0) + n);
        },
      };
    },
    histogram(name, help, bounds, labels = []) {
      const series = new Map<string, Buckets>();
      add(name, help, "histogram", () =>
        [...series].flatMap(([key, buckets]) => bucketLines(name, labelsOf(labels, key), bounds, buckets)),
      );
      return {
        observe(value, ...values) {
          const key = values.join(SEPARATOR);
          const buckets = series.get(key) ?? { counts: bounds.map(() => 0), sum: 0, count: 0 };
          const at = bounds.findIndex((bound) => value <= bound);
          if (at >= 0) buckets.counts[at] = (buckets.counts[at] ?? 0) + 1;
          buckets.sum += value;
          buckets.count += 1;
          series.set(key, buckets);
        },
      };
    },
    gauge: reading("gauge"),
    counted: reading("counter"),
    text: () => [...families.values()].map((family) => family()).join(""),
  };
}

interface Buckets {
  /** Per bound, not yet summed up. */
  readonly counts: number[];
  sum: number;
  count: number;
}

/** In no label value of ours; values that hold it would only be shown apart differently. */
const SEPARATOR = "\u0000";

function bucketLines(name: string, labels: string, bounds: readonly number[], buckets: Buckets): string[] {
  const join = (more: string) => (labels === "" ? more : `${labels},${more}`);
  let below = 0;
  const lines = bounds.map((bound, n) => {
    below += buckets.counts[n] ?? 0;
    return line(`${name}_bucket`, join(`le="${bound}"`), below);
  });
  return [
    ...lines,
    line(`${name}_bucket`, join('le="+Inf"'), buckets.count),
    line(`${name}_sum`, labels, buckets.sum),
    line(`${name}_count`, labels, buckets.count),
  ];
}

const line = (name: string, labels: string, value: number) =>
  `${name}${labels === "" ? "" : `{${labels}}`} ${Number.isFinite(value) ? value : 0}\n`;

function labelsOf(names: readonly string[], key: string): string {
  const values = key.split(SEPARATOR);
  return pairs(names.map((name, n): [string, string] => [name, values[n] ?? ""]));
}

const pairs = (labels: readonly (readonly [string, string])[]) =>
  labels.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",");

const escapeLabel = (text: string) => text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
const escapeHelp = (text: string) => text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
