import { inflateRawSync } from "node:zlib";
import { z } from "zod";

/** The state that a saved plan was made on; `serial` 0 and an empty `lineage`: there was none. */
export interface PlanBase {
  readonly serial: number;
  readonly lineage: string;
}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
/** Name of the state as the plan saw it after its refresh; serial and lineage are those of what it read. */
const ENTRY = "tfstate";
/** Largest state that is unpacked, in bytes: a bound against a small plan that unpacks into all memory. */
const LIMIT = 256 * 1024 * 1024;

const head = z.looseObject({ serial: z.number().int(), lineage: z.string() });

/**
 * What a plan file of terraform or tofu says about its state. null: it does not say (another format, an encrypted or a
 * damaged file); then only the tool itself can tell whether the plan fits.
 */
export function planBase(plan: Uint8Array): PlanBase | null {
  const bytes = Buffer.from(plan.buffer, plan.byteOffset, plan.byteLength);
  try {
    const state = entryOf(bytes);
    const parsed = state === null ? null : head.safeParse(JSON.parse(state.toString("utf8")));
    return parsed?.success ? { serial: parsed.data.serial, lineage: parsed.data.lineage } : null;
  } catch {
    return null;
  }
}

/** Reads past the end throw, as do bad sizes. */
function entryOf(zip: Buffer): Buffer | null {
  let end = zip.length - 22;
  const first = Math.max(0, end - 65_535);
  while (end >= first && zip.readUInt32LE(end) !== END) end--;
  if (end < first) return null;
  for (let at = zip.readUInt32LE(end + 16); at + 46 <= end && zip.readUInt32LE(at) === CENTRAL; ) {
    const length = zip.readUInt16LE(at + 28);
    if (zip.toString("utf8", at + 46, at + 46 + length) === ENTRY) return contentOf(zip, at);
    at += 46 + length + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return null;
}

function contentOf(zip: Buffer, central: number): Buffer | null {
  const method = zip.readUInt16LE(central + 10);
  const packed = zip.readUInt32LE(central + 20);
  const local = zip.readUInt32LE(central + 42);
  if (zip.readUInt32LE(local) !== LOCAL) return null;
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const content = zip.subarray(start, start + packed);
  if (method === 0) return content;
  return method === 8 ? inflateRawSync(content, { maxOutputLength: LIMIT }) : null;
}

/** The state as it is now; null: there is none. */
export type StateNow = PlanBase | null;

/** Why a plan made on `base` must not be applied to the state `now`, in one line for people; null: it fits. */
export function staleReason(base: PlanBase | null, now: StateNow): string | null {
  const before = base === null || isNone(base) ? null : base;
  const after = now === null || isNone(now) ? null : now;
  if (before === null && after === null) return null;
  if (before === null)
    return `${WORD}: the plan was made when there was no state, which is at serial ${after?.serial} now`;
  if (after === null) return `${WORD}: the plan was made on serial ${before.serial} of the state, which is gone now`;
  if (before.lineage !== after.lineage) {
    return `${WORD}: the plan was made on another state (lineage ${before.lineage}, here it is ${after.lineage})`;
  }
  if (before.serial === after.serial) return null;
  return `${WORD}: the plan was made on serial ${before.serial} of the state, which is at serial ${after.serial} now`;
}

/** First word of the reason. */
const WORD = "stale_plan";
/** What a person does about it. */
export const STALE_REMEDY = "nothing was executed; make a new plan: submit the job file again, or retry the change";

const isNone = ({ serial, lineage }: PlanBase) => serial === 0 && lineage === "";
