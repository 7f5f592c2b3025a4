// Counters, gauges and histograms, and the text format of Prometheus. Knows nothing of what is measured.

export type Labels = Readonly<Record<string, string>>;

export interface Registry {
  counter(name: string, help: string): { add(labels: Labels, amount?: number): void };
  gauge(name: string, help: string): { set(labels: Labels, value: number): void };
  /** `buckets` are upper bounds, ascending. */
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
  ): { observe(labels: Labels, value: number): void };
  text(): string;
}

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

export function createRegistry(): Registry {
  const families: (() => string)[] = [];
  const head = (name: string, help: string, type: string): string =>
    `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;

  function values(name: string, help: string, type: string): Map<string, number> {
    const series = new Map<string, number>();
    families.push(() => {
      if (series.size === 0) return "";
      const lines = [...series].map(([labels, value]) => `${name}${labels} ${value}\n`);
      return head(name, help, type) + lines.join("");
    });
    return series;
  }

  return {
    counter(name, help) {
      const series = values(name, help, "counter");
      return {
        add(labels, amount = 1) {
          const key = written(labels);
          series.set(key, (series.get(key) ?? 0) + amount);
        },
      };
    },
    gauge(name, help) {
      const series = values(name, help, "gauge");
      return { set: (labels, value) => void series.set(written(labels), value) };
    },
    histogram(name, help, buckets) {
      const series = new Map<string, { labels: Labels; histogram: Histogram }>();
      families.push(() => {
        if (series.size === 0) return "";
        const lines = [...series.values()].map(({ labels, histogram }) =>
          lineOf(name, { labels, histogram, buckets }),
        );
        return head(name, help, "histogram") + lines.join("");
      });
      return {
        observe(labels, value) {
          const key = written(labels);
          const found = series.get(key) ?? {
            labels,
            histogram: { counts: buckets.map(() => 0), sum: 0, count: 0 },
          };
          series.set(key, found);
          const { histogram } = found;
          const at = buckets.findIndex((bound) => value <= bound);
          if (at >= 0) histogram.counts[at]++;
          histogram.sum += value;
          histogram.count++;
        },
      };
    },
    text: () => families.map((family) => family()).join(""),
  };
}

interface HistogramLine {
  readonly labels: Labels;
  readonly histogram: Histogram;
  readonly buckets: readonly number[];
}

function lineOf(name: string, { labels, histogram, buckets }: HistogramLine): string {
  let below = 0;
  const bounds = buckets.map((bound, index) => {
    below += histogram.counts[index];
    return `${name}_bucket${written({ ...labels, le: String(bound) })} ${below}\n`;
  });
  return (
    bounds.join("") +
    `${name}_bucket${written({ ...labels, le: "+Inf" })} ${histogram.count}\n` +
    `${name}_sum${written(labels)} ${histogram.sum}\n${name}_count${written(labels)} ${histogram.count}\n`
  );
}

function written(labels: Labels): string {
  const entries = Object.entries(labels);
  if (entries.length === 0) return "";
  return `{${entries.map(([name, value]) => `${name}="${escaped(value)}"`).join(",")}}`;
}

const escaped = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
