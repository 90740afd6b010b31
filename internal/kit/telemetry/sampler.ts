import type { SpanContext } from "./trace-ids.ts";

/** Decides once for a whole trace. */
export type Sampler = (traceId: string, parent: SpanContext | null) => boolean;

type Warn = (text: string) => void;
const RANGE = 2n ** 56n;

/** OTEL_TRACES_SAMPLER and its argument; the default follows the parent and takes every trace that begins here. */
export function samplerOf(name: string | undefined, arg: string | undefined, warn: Warn): Sampler {
  const word = name?.trim() || "parentbased_always_on";
  const root = rootOf(word.replace(/^parentbased_/, ""), arg, warn);
  if (root === null) {
    warn(`OTEL_TRACES_SAMPLER=${word} is not known: parentbased_always_on is used`);
    return parentBased(() => true);
  }
  return word.startsWith("parentbased_") ? parentBased(root) : root;
}

const parentBased =
  (root: Sampler): Sampler =>
  (traceId, parent) =>
    parent === null ? root(traceId, null) : parent.sampled;

function rootOf(word: string, arg: string | undefined, warn: Warn): Sampler | null {
  if (word === "always_on") return () => true;
  if (word === "always_off") return () => false;
  if (word !== "traceidratio") return null;
  const ratio = Number(arg?.trim() || 1);
  if (!(ratio >= 0 && ratio <= 1)) {
    warn("OTEL_TRACES_SAMPLER_ARG must be from 0 to 1: 1 is used");
    return () => true;
  }
  // The last 56 bits, as the W3C's consistent probability sampling takes them: every SDK that does so agrees.
  const below = BigInt(Math.round(ratio * 2 ** 32)) * (RANGE / 2n ** 32n);
  return (traceId) => RANGE - 1n - BigInt(`0x${traceId.slice(-14)}`) < below;
}
