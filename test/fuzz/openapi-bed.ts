import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { EXECUTION_STATUSES, isTerminal, JOB_STATUSES } from "../../internal/protocol/enums.ts";
import { type Control, startControl } from "../faults/lib/control.ts";
import { type Bed, makeBed } from "../faults/lib/processes.ts";
import { type RawAnswer, rawRequest } from "../lib/raw-http.ts";
import type { Attack } from "./openapi-requests.ts";
import { type Random, seeded } from "./seeded.ts";

/** A coordinator as a process of its own, that strangers shall not bring down. */
export interface Victim {
  readonly bed: Bed;
  readonly control: Control;
  readonly adminKey: string;
  /** The answer, or how there was none; a defect or a silence fails with the request's name. */
  send(attack: Attack, authorization: string): Promise<RawAnswer | "closed">;
  /** Stops it by SIGTERM and looks into its database. */
  end(): Promise<void>;
}

/** The base of this run's seeds; FUZZ_SEED repeats a run. */
export const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000_000);

export async function startVictim(): Promise<Victim> {
  const bed = makeBed();
  const control = await startControl(bed);
  const adminKey = control.admin().RUNNER_ADMIN_KEY ?? "";
  return {
    bed,
    control,
    adminKey,
    send: async (attack, authorization) => {
      const head = `${attack.head}${authorization === "" ? "" : `Authorization: ${authorization}\r\n`}\r\n`;
      const bytes = Buffer.concat([Buffer.from(head, "latin1"), attack.body]);
      const answer = await rawRequest(control.url, bytes, { waitMs: 20_000, bodyless: head.startsWith("HEAD ") });
      if (answer === "silent") throw new Error(`no answer within 20 s: ${attack.name}`);
      if (typeof answer === "object" && answer.status >= 500) {
        throw new Error(`${answer.status} ${answer.body.toString("utf8").slice(0, 300)}: ${attack.name}`);
      }
      return answer;
    },
    end: async () => {
      try {
        expect((await fetch(`${control.url}/readyz`)).status).toBe(200);
        expect(control.proc.alive()).toBe(true);
        control.proc.signal("SIGTERM");
        expect(await control.proc.exited).toBe(0);
        expect(control.proc.stderr()).not.toMatch(/a request failed|operator request failed|defect/);
        expect(troublesOf(bed.path("coordinator", "coordinator.db"))).toEqual([]);
      } finally {
        await bed.end();
      }
    },
  };
}

/** Runs `once` with so many seeds; a failure names the one that repeats it. */
export async function fuzzEach(count: number, salt: number, once: (random: Random) => Promise<void>): Promise<void> {
  for (let at = 0; at < count; at++) {
    try {
      await once(seeded(SEED + salt * 100_003 + at));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`FUZZ_SEED=${SEED}: ${message}`, { cause: error });
    }
  }
}

/** What must hold in the database whatever was asked: empty when all of it does. */
export function troublesOf(file: string): string[] {
  const db = new Database(file, { readonly: true });
  const troubles: string[] = [];
  try {
    const check = db.query<{ integrity_check: string }, []>("PRAGMA integrity_check").all();
    if (check.some((row) => row.integrity_check !== "ok")) troubles.push(`integrity: ${JSON.stringify(check)}`);
    if (db.query("PRAGMA foreign_key_check").all().length > 0) troubles.push("foreign keys");
    interface Row {
      readonly id: string;
      readonly status: string;
      readonly finished_at: number | null;
    }
    const rows = (table: string) => db.query<Row, []>(`SELECT id, status, finished_at FROM ${table}`).all();
    const ends = db.query<{ n: number }, [string]>(
      "SELECT count(*) AS n FROM events WHERE job_id = ? AND what IN ('finished','failed','timed-out','cancelled','not-attempted')",
    );
    for (const job of rows("jobs")) {
      const status = JOB_STATUSES.find((word) => word === job.status);
      if (status === undefined) troubles.push(`job ${job.id} is ${job.status}`);
      else if (isTerminal(status) !== (job.finished_at !== null))
        troubles.push(`job ${job.id}: ${status} and its time`);
      const ended = ends.get(job.id)?.n ?? 0;
      if (status !== undefined && ended !== (isTerminal(status) ? 1 : 0)) {
        troubles.push(`job ${job.id}: ${status} with ${ended} outcomes`);
      }
    }
    for (const run of rows("executions")) {
      const status = EXECUTION_STATUSES.find((word) => word === run.status);
      if (status === undefined) troubles.push(`execution ${run.id} is ${run.status}`);
      else if (isTerminal(status) && run.finished_at === null) troubles.push(`execution ${run.id}: ${status}, no time`);
    }
    return troubles;
  } finally {
    db.close();
  }
}
