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
  /** Every metric that has a series; for exporters. */
  read(): Family[];
  text(): string;
}

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Seconds: from a job that does nothing to an apply of an hour. */
export const SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600] as const;

export interface Point {
  /** Name and value of each label, in order. */
  readonly labels: readonly (readonly [string, string])[];
  /** Of a histogram: the sum of what was observed. */
  readonly value: number;
  /** Of a histogram; `counts` are per bound, not summed up, without what lies above the last one. */
  readonly buckets?: { readonly bounds: readonly number[]; readonly counts: readonly number[]; readonly count: number };
}

/** One metric with its series as they are now. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly points: readonly Point[];
}

export function createRegistry(): Registry {
  const families = new Map<string, () => Family>();
  const add = (name: string, help: string, type: Family["type"], points: () => readonly Point[]) =>
    void families.set(name, () => ({ name, help, type, points: points() }));
  const reading = (type: "counter" | "gauge") => (name: string, help: string, read: () => Iterable<Sample>) =>
    add(name, help, type, () =>
      Array.from(read(), ([labels, value]) => ({ labels: Object.entries(labels), value: finite(value) })),
    );
  /** Families without series are left out. */
  const read = () => [...families.values()].map((family) => family()).filter((family) => family.points.length > 0);

  return {
    counter(name, help, labels = []) {
      const series = new Map<string, number>();
      if (labels.length === 0) series.set("", 0);
      add(name, help, "counter", () =>
        [...series].map(([key, value]) => ({ labels: labelsOf(labels, key), value: finite(value) })),
      );
      return {
        add(n, ...values) {
          const key = keyOf(values);
          series.set(key, (series.get(key) ?? 0) + n);
        },
      };
    },
    histogram(name, help, bounds, labels = []) {
      const series = new Map<string, Buckets>();
      add(name, help, "histogram", () =>
        [...series].map(([key, { counts, sum, count }]) => ({
          labels: labelsOf(labels, key),
          value: finite(sum),
          buckets: { bounds, counts, count },
        })),
      );
      return {
        observe(value, ...values) {
          const key = keyOf(values);
          let buckets = series.get(key);
          if (!buckets) {
            buckets = { counts: bounds.map(() => 0), sum: 0, count: 0 };
            series.set(key, buckets);
          }
          const at = bucketOf(bounds, value);
          if (at < bounds.length) buckets.counts[at] = (buckets.counts[at] ?? 0) + 1;
          buckets.sum += value;
          buckets.count += 1;
        },
      };
    },
    gauge: reading("gauge"),
    counted: reading("counter"),
    read,
    text: () => read().map(familyText).join(""),
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

/** The first that holds `value`; the length of `bounds`: it is above them all. */
function bucketOf(bounds: readonly number[], value: number): number {
  let at = 0;
  while (value > (bounds[at] ?? Number.POSITIVE_INFINITY)) at++;
  return at;
}

const keyOf = (values: readonly string[]): string => (values.length < 2 ? (values[0] ?? "") : values.join(SEPARATOR));

function labelsOf(names: readonly string[], key: string): Point["labels"] {
  const values = key.split(SEPARATOR);
  return names.map((name, n) => [name, values[n] ?? ""]);
}

function familyText({ name, help, type, points }: Family): string {
  const lines = points.flatMap((point) => pointLines(name, point));
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function pointLines(name: string, { labels, value, buckets }: Point): string[] {
  const own = pairs(labels);
  if (!buckets) return [line(name, own, value)];
  const join = (more: string) => (own === "" ? more : `${own},${more}`);
  let below = 0;
  const lines = buckets.bounds.map((bound, n) => {
    below += buckets.counts[n] ?? 0;
    return line(`${name}_bucket`, join(`le="${bound}"`), below);
  });
  return [
    ...lines,
    line(`${name}_bucket`, join('le="+Inf"'), buckets.count),
    line(`${name}_sum`, own, value),
    line(`${name}_count`, own, buckets.count),
  ];
}

const line = (name: string, labels: string, value: number) => `${name}${labels === "" ? "" : `{${labels}}`} ${value}\n`;
const finite = (value: number) => (Number.isFinite(value) ? value : 0);

const pairs = (labels: Point["labels"]) => labels.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",");

const escapeLabel = (text: string) => text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
const escapeHelp = (text: string) => text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
