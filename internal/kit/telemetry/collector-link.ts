import type { SystemLog } from "../base/system-log.ts";
import type { OtlpSender, Sent } from "./otlp-sender.ts";

/** Deliveries to one collector, told to people: once when it begins to fail, once when it works again. */
export interface CollectorLink {
  /** Answers how many of `items` are lost. */
  deliver(body: Uint8Array, items: number, withinMs: number, signal: AbortSignal): Promise<number>;
  /** Lost without being sent: there was no room. */
  overflowed(items: number): void;
}

/** `lost` counts what does not arrive. */
export function createLink(
  what: "traces" | "metrics",
  sender: OtlpSender,
  { log, lost }: { readonly log: SystemLog; readonly lost: (items: number) => void },
): CollectorLink {
  let trouble = false;
  let missing = 0;
  const miss = (items: number, why: string) => {
    missing += items;
    if (items > 0) lost(items);
    if (trouble) return;
    trouble = true;
    log.warn(`${what} do not reach the collector; work goes on without them`, { collector: sender.peer, reason: why });
  };
  const arrived = ({ rejected, said }: Extract<Sent, { ok: true }>) => {
    if (rejected > 0) {
      miss(rejected, said || `it rejects ${rejected} of them`);
      return;
    }
    if (trouble) log.info(`${what} reach the collector again`, { collector: sender.peer, lost: missing });
    trouble = false;
    missing = 0;
  };
  return {
    async deliver(body, items, withinMs, signal) {
      const sent = await sender.send(body, withinMs, signal);
      if (sent.ok) arrived(sent);
      else miss(items, sent.why);
      return sent.ok ? sent.rejected : items;
    },
    overflowed: (items) => miss(items, "more were made than it takes"),
  };
}
