/** Counts of a minute by name; names that nobody asks for are forgotten. */
export interface Rate {
  /** Seconds to wait; 0: there is room. */
  wait(name: string): number;
  count(name: string): void;
}

const MINUTE = 60_000;
/** An address more only makes the oldest one forgotten. */
const NAMES = 10_000;

/** Whom an address stands for: of IPv6 the network of a customer, who has any number of addresses in it. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head = [], tail] = address.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const gap = tail === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return `${[...head, ...Array(gap).fill("0"), ...(tail ?? [])].slice(0, 4).join(":")}::/64`;
}

/** `perMinute` in a window that begins with the first one. `now`: monotonic ms. */
export function createRate(perMinute: number, now: () => number): Rate {
  const windows = new Map<string, { readonly from: number; count: number }>();
  const current = (name: string) => {
    const found = windows.get(name);
    if (found && now() - found.from < MINUTE) return found;
    windows.delete(name);
    return null;
  };
  return {
    wait: (name) => {
      const found = current(name);
      return found && found.count >= perMinute ? Math.ceil((found.from + MINUTE - now()) / 1_000) : 0;
    },
    count: (name) => {
      const found = current(name);
      if (found) {
        found.count += 1;
        return;
      }
      windows.set(name, { from: now(), count: 1 });
      if (windows.size > NAMES) windows.delete(windows.keys().next().value ?? "");
    },
  };
}
