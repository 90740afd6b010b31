import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { encodeLogsRequest } from "../../internal/protocol/otlp.ts";
import type { RawAnswer } from "../lib/raw-http.ts";
import { fuzzEach, SEED, startVictim, type Victim } from "./openapi-bed.ts";
import { type Attack, attackOn, type Operation, withBody, wordFrom } from "./openapi-requests.ts";
import { CANARY, goParty, idsFor, nativeParty, type Party } from "./openapi-runner-bed.ts";
import { RUNNER_OPERATIONS } from "./openapi-runner-routes.ts";
import type { Random } from "./seeded.ts";

/** Requests per route and caller. */
const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 40);

let victim: Victim;
let first: Party;
let stranger: Party;
let go: Party;
beforeAll(async () => {
  victim = await startVictim();
  first = await nativeParty(victim, "first", CANARY);
  stranger = await nativeParty(victim, "stranger", "nothing");
  go = await goParty(victim, "go");
}, 60_000);
afterAll(() => victim.end(), 30_000);

/** A request made for `caller`, about things of `target`. */
function attackFor(random: Random, operation: Operation, caller: Party, target: Party): Attack {
  const words = (name: string) => {
    // Its own door, another's room: the body and the rest of the path name what is not its.
    const party = (name === "runner_id" || name === "instance_id") && random.int(3) > 0 ? caller : target;
    return wordFrom(random, idsFor(party, name));
  };
  const attack = attackOn({ random, refs: {}, words }, operation);
  if (!operation.path.endsWith("/logs") || random.int(3) === 0) return attack;
  return withBody(attack, logBytes(random), "application/x-protobuf");
}

/** Records as they should be, or with some bytes turned. */
function logBytes(random: Random): Uint8Array {
  const record = { time: 1n, severity: "info" as const, body: "from the stranger", attributes: {} };
  const bytes = encodeLogsRequest({ resource: {}, schemaUrl: "", scope: "x", records: [record] });
  if (random.int(2) === 0) bytes[random.int(bytes.length)] = random.int(256);
  return random.int(3) === 0 ? gzipSync(bytes) : bytes;
}

async function ask(random: Random, operation: Operation, caller: Party, target: Party): Promise<void> {
  const attack = attackFor(random, operation, caller, target);
  const withBasic = caller.basic !== null && (operation.path.startsWith("/v2/") || random.int(4) === 0);
  const answer = await victim.send(attack, withBasic ? (caller.basic ?? "") : `Bearer ${caller.token}`);
  if (answer === "closed") throw new Error(`closed without an answer: ${attack.name}`);
  const trouble = misfit(answer);
  if (trouble !== null) throw new Error(`${trouble}: ${attack.name}\n${answer.body.toString("utf8").slice(0, 300)}`);
  if (caller !== target && answer.bytes.includes(CANARY)) throw new Error(`it saw the canary: ${attack.name}`);
}

/** A refusal says why, as the real server's do. */
function misfit({ status, headers, body }: RawAnswer): string | null {
  if (status < 400 || body.length === 0 || status === 423) return null;
  const text = body.toString("utf8");
  if (status === 404 && text === "404 page not found") return null;
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === "object") {
      if ("error" in value || "errors" in value || "stored" in value) return null;
    }
  } catch {
    // told below
  }
  return `${status} as ${headers["content-type"]} does not say why`;
}

/** What the first party has, but for what its own lease and contact change. */
function belongings(): string {
  const db = new Database(victim.bed.path("coordinator", "coordinator.db"), { readonly: true });
  const jobs = (first.ids.job_id ?? []).map((id) => `'${id}'`).join(",");
  const spaces = (first.ids.workspace_id ?? []).map((id) => `'${id}'`).join(",");
  try {
    return JSON.stringify([
      db.query(`SELECT id, status, cancel_at, runner_id, epoch, attempts FROM jobs WHERE id IN (${jobs})`).values(),
      db.query(`SELECT * FROM plans WHERE job_id IN (${jobs})`).values(),
      db.query(`SELECT * FROM documents WHERE job_id IN (${jobs})`).values(),
      db.query(`SELECT id, status, result, outputs, steps FROM executions WHERE job_id IN (${jobs})`).values(),
      db.query(`SELECT id, stored, bytes, records FROM log_streams WHERE job_id IN (${jobs})`).values(),
      db.query(`SELECT * FROM states WHERE workspace_id IN (${spaces})`).values(),
      db.query(`SELECT * FROM locks WHERE workspace_id IN (${spaces})`).values(),
      db.query("SELECT * FROM helm_releases WHERE chart_id = ?").values(first.ids.helm_chart_id?.[0] ?? ""),
      db.query("SELECT id, token_hash, draining, deleted_at FROM runners WHERE id = ?").values(first.runnerId),
    ]);
  } finally {
    db.close();
  }
}

describe(`the runner API of a real process (seed ${SEED})`, () => {
  for (const [at, operation] of RUNNER_OPERATIONS.entries()) {
    test(`${operation.method} ${operation.path}: a stranger reaches nothing of another runner's`, async () => {
      const before = belongings();
      expect(before).toContain(first.ids.job_id?.[0] ?? "never");
      await fuzzEach(ROUNDS, at, (random) => ask(random, operation, stranger, first));
      expect(belongings()).toBe(before);
    }, 60_000);
  }

  for (const [at, operation] of RUNNER_OPERATIONS.entries()) {
    test(`${operation.method} ${operation.path}: about its own things too, no runner causes a defect`, async () => {
      await fuzzEach(ROUNDS, 1_000 + at, (random) => ask(random, operation, stranger, stranger));
      await fuzzEach(ROUNDS, 2_000 + at, (random) => ask(random, operation, go, go));
    }, 60_000);
  }
});
