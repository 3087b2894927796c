/**
 * Counters and gauges as plain numbers, and their exposition in Prometheus text format 0.0.4.
 * Cores count through `Counter.add`; nothing here reads a clock or a socket.
 */

type Labels = Readonly<Record<string, string>>;

const MAX_SERIES = 500;

class Family {
  readonly series = new Map<string, number>();
  constructor(
    readonly name: string,
    readonly help: string,
    readonly type: "counter" | "gauge",
  ) {}
}

const labelText = (labels: Labels | undefined): string => {
  if (labels === undefined) return "";
  const parts = Object.entries(labels).map(
    ([key, value]) => `${key}="${value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`,
  );
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
};

export class Counter {
  readonly #family: Family;
  constructor(family: Family) {
    this.#family = family;
  }
  /** Adds `by` (default 1). A family keeps at most 500 label sets; further ones go to `reason="other"`. */
  add(labels?: Labels, by = 1): void {
    let key = labelText(labels);
    const series = this.#family.series;
    if (!series.has(key) && series.size >= MAX_SERIES) key = '{reason="other"}';
    series.set(key, (series.get(key) ?? 0) + by);
  }
  get(labels?: Labels): number {
    return this.#family.series.get(labelText(labels)) ?? 0;
  }
}

export class Gauge {
  readonly #family: Family;
  constructor(family: Family) {
    this.#family = family;
  }
  set(value: number, labels?: Labels): void {
    const key = labelText(labels);
    if (this.#family.series.has(key) || this.#family.series.size < MAX_SERIES) this.#family.series.set(key, value);
  }
  get(labels?: Labels): number {
    return this.#family.series.get(labelText(labels)) ?? 0;
  }
}

export class Metrics {
  readonly #families = new Map<string, Family>();

  /** The counter of that name, made at the first call. Names carry the part as prefix, e.g. `parley_xmpp_dropped_total`. */
  counter(name: string, help: string): Counter {
    return new Counter(this.#family(name, help, "counter"));
  }

  gauge(name: string, help: string): Gauge {
    return new Gauge(this.#family(name, help, "gauge"));
  }

  /** All families in Prometheus text format 0.0.4. */
  exposition(): string {
    let text = "";
    for (const family of this.#families.values()) {
      text += `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n`;
      for (const [labels, value] of family.series) text += `${family.name}${labels} ${value}\n`;
    }
    return text;
  }

  #family(name: string, help: string, type: "counter" | "gauge"): Family {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = new Family(name, help, type);
      this.#families.set(name, family);
    }
    return family;
  }
}
