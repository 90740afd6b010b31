import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { writeDurable } from "./durable-file.ts";

/**
 * What an update does next. Each step may be repeated from its start.
 *
 * | phase | next | until then runs |
 * |---|---|---|
 * | stage | fetch, verify, put beside, try | the old version |
 * | stop | drain the runner, or leave its tools | the old version |
 * | switch | move the links | nothing |
 * | start | start the runner | nothing |
 * | probation | is it healthy? | the new version |
 * | self | this process ends, the next one is of the new version | the new version |
 * | pending | of a runner that nobody manages: it has ended itself and is to come back | the new version |
 * | back | stop, move the links back, start, wait until it is healthy | the new version, then the old one |
 */
const phase = z.enum(["stage", "stop", "switch", "start", "probation", "self", "pending", "back"]);

const openUpdate = z.object({
  /** Of the job or the wish that asked; asking again with it joins. */
  id: z.string(),
  cause: z.enum(["settings", "job", "person"]),
  /** As it was asked for, such as `v1.2.3`. */
  wanted: z.string(),
  /** The version found for it; "": not yet. */
  version: z.string(),
  from: z.string().nullable(),
  /** `previous` before the update: what it is after a rollback. */
  before: z.string().nullable(),
  phase,
  /** Why it goes back; "" otherwise. */
  reason: z.string(),
  /** Starts of the new version that were counted (phases self and pending). */
  starts: z.number().int(),
  /** The start that comes now was counted by `runner mng guard`. */
  guarded: z.boolean(),
  started_ms: z.number(),
});
export type OpenUpdate = z.infer<typeof openUpdate>;

export const OUTCOMES = ["updated", "current", "rolled-back", "failed"] as const;
const lastUpdate = z.object({
  id: z.string(),
  cause: openUpdate.shape.cause,
  version: z.string(),
  from: z.string().nullable(),
  outcome: z.enum(OUTCOMES),
  reason: z.string(),
  started_ms: z.number(),
  ended_ms: z.number(),
  /** The journal's owner has said so in its log. */
  told: z.boolean(),
});
export type LastUpdate = z.infer<typeof lastUpdate>;

const document = z.object({
  schema: z.literal(1),
  open: openUpdate.nullable(),
  last: lastUpdate.nullable(),
  /** Versions that had to be rolled back: never tried again by itself. */
  bad: z.array(z.object({ version: z.string(), reason: z.string(), at_ms: z.number() })).max(50),
});
export type UpdateDocument = z.infer<typeof document>;

// Not strict: after a rollback the version before reads what a newer one wrote.
const EMPTY: UpdateDocument = { schema: 1, open: null, last: null, bad: [] };

/** One small file, whole before and after a power cut. */
export interface UpdateJournal {
  readonly file: string;
  /** As it is on disk. Throws RunnerError environment when it cannot be read. */
  read(): UpdateDocument;
  /** Durable when it returns. Throws RunnerError environment. */
  write(next: UpdateDocument): void;
}

export function openUpdateJournal(stateDir: string): UpdateJournal {
  const file = join(stateDir, "update.json");
  return {
    file,
    read() {
      let text: string;
      try {
        text = readFileSync(file, "utf8");
      } catch (cause) {
        if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return EMPTY;
        throw unusable(file, cause);
      }
      try {
        return document.parse(JSON.parse(text));
      } catch (cause) {
        throw unusable(file, cause);
      }
    },
    write(next) {
      try {
        writeDurable(file, `${JSON.stringify(next)}\n`);
      } catch (cause) {
        throw unusable(file, cause);
      }
    },
  };
}

function unusable(file: string, cause: unknown): RunnerError {
  return new RunnerError("environment", `the journal of updates ${file} cannot be used: ${reasonOf(cause)}`, {
    remedy: `Check the disk; a damaged file can be moved aside, \`current\` then stays as it is.`,
    cause,
  });
}
