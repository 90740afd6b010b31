import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { createChainCheck, FIRST, readLine } from "../internal/kit/audit/chain.ts";
import { linesOf, trailFiles, verifyTrail } from "../internal/kit/audit/trail-file.ts";
import { EXIT, type ExitCode, RunnerError } from "../internal/protocol/errors.ts";
import { type AuditDoc, auditDoc } from "../internal/protocol/operator.ts";
import type { Command, Context } from "./lib/context.ts";
import { stateBase } from "./lib/folders.ts";
import { operatorFrom } from "./lib/operator-client.ts";
import { table } from "./lib/table.ts";

/** Calls of one page. */
const PAGE = 1_000;

export const auditVerify: Command = async (context) => {
  const { expect, json } = context.values;
  const files = filesOf(context);
  const [only] = context.operands;
  // A file by itself may begin anywhere in its trail.
  const verdict = only === undefined ? verifyTrail(files, expect) : verifyTrail(files, expect, 0);
  if (json) context.out(JSON.stringify(verdict));
  else if (verdict.ok)
    context.out(`the chain is whole: ${verdict.lines} lines in ${verdict.files} files, last hash ${verdict.last}`);
  else context.out(`${verdict.file}:${verdict.line}: ${verdict.why}`);
  return verdict.ok ? EXIT.done : EXIT.failed;
};

export const auditShow: Command = async (context) => {
  for (const file of filesOf(context)) {
    for (const { text } of linesOf(file)) context.out(context.values.json ? text : shown(text));
  }
  return EXIT.done;
};

export const auditList: Command = async (context) => {
  const { expect, json } = context.values;
  const client = operatorFrom(context.values);
  const check = createChainCheck(FIRST);
  const rows: string[][] = [];
  const hashes = new Set<string>();
  for (let after = 0, more = true; more; ) {
    const page = await client.get(`/audit?after=${after}&limit=${PAGE}`, z.array(auditDoc));
    for (const doc of page) {
      check.add(doc.line);
      hashes.add(readLine(doc.line)?.hash ?? "");
      if (json) context.out(doc.line);
      else rows.push(rowOf(doc));
    }
    after = page.at(-1)?.seq ?? after;
    more = page.length === PAGE;
  }
  if (!json) context.out(table(["at", "who", "call", "answer", "made", "reason"], rows));
  const verdict = check.verdict();
  if (!verdict.ok) return broken(context, `line ${verdict.line}: ${verdict.why}`);
  if (expect !== null && !hashes.has(expect))
    return broken(context, "the expected hash is not in it: lines were cut off");
  if (!json) context.say(`The chain is whole; last hash ${verdict.last}`);
  return EXIT.done;
};

function broken(context: Context, why: string): ExitCode {
  context.say(`The chain is broken: ${why}`);
  return EXIT.failed;
}

/** Oldest first. Throws RunnerError usage when there is none. */
function filesOf({ operands, values, env }: Context): string[] {
  const [file] = operands;
  const folder = values.stateDir ?? join(stateBase({ env, uid: process.getuid?.() ?? 0 }), values.mode);
  const files = file === undefined ? trailFiles(folder) : [file].filter((one) => existsSync(one));
  if (files.length > 0) return files;
  throw new RunnerError("usage", file === undefined ? `no audit trail lies in ${folder}` : `there is no file ${file}`, {
    remedy: "Give the runner's --state-dir (and --mode), or the file.",
  });
}

const programLine = z.object({
  at: z.string(),
  event: z.literal("program"),
  job: z.string(),
  program: z.string(),
  args: z.array(z.string()),
});
const jobLine = z.object({
  at: z.string(),
  event: z.literal("job"),
  job: z.string(),
  type: z.string(),
  operation: z.string(),
  outcome: z.string(),
  reason: z.string(),
  signer: z.string().optional(),
  policy: z.string().optional(),
});
const trailLine = z.discriminatedUnion("event", [programLine, jobLine]);

/** A line for people; one that cannot be read is shown as it is. */
function shown(text: string): string {
  const parsed = trailLine.safeParse(jsonOf(text));
  if (!parsed.success) return text;
  const one = parsed.data;
  if (one.event === "program") return `${one.at}  ${one.job}  ran ${[one.program, ...one.args].map(quoted).join(" ")}`;
  const why = one.reason === "" ? "" : `: ${one.reason}`;
  const signed = one.signer === undefined ? "" : `, signed by ${one.signer}`;
  const ruled = one.policy === undefined ? "" : `, rule ${one.policy}`;
  return `${one.at}  ${one.job}  ${[one.type, one.operation].filter(Boolean).join(" ")} ${one.outcome}${signed}${ruled}${why}`;
}

const quoted = (arg: string): string => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : JSON.stringify(arg));

const callLine = z.object({
  at: z.string(),
  actor: z.string(),
  method: z.string(),
  path: z.string(),
  status: z.number(),
  outcome: z.string(),
  made: z.string(),
  reason: z.string(),
});

function rowOf({ line }: AuditDoc): string[] {
  const parsed = callLine.safeParse(jsonOf(line));
  if (!parsed.success) return ["", "", line, "", "", ""];
  const { at, actor, method, path, status, outcome, made, reason } = parsed.data;
  return [at, actor, `${method} ${path}`, `${status} ${outcome}`, made, reason];
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
