import { join } from "node:path";
import { systemClock } from "../internal/kit/base/clock.ts";
import { EXIT, type ExitCode } from "../internal/protocol/errors.ts";
import { guardStart } from "../internal/runner/supervisor/guard.ts";
import { openImageFile } from "../internal/runner/supervisor/image-file.ts";
import { presenceOf, sessionWords } from "../internal/runner/supervisor/presence.ts";
import {
  dropRequest,
  leaveRequest,
  type ManagementRequest,
  readRequest,
} from "../internal/runner/supervisor/requests.ts";
import { openUpdateJournal } from "../internal/runner/supervisor/update-journal.ts";
import { createUpdater, type UpdateOutcome } from "../internal/runner/supervisor/updater.ts";
import { type Command, type Context, operand } from "./lib/context.ts";
import { stateBase } from "./lib/folders.ts";
import { managerFor } from "./lib/managed-service.ts";
import { updateOptions } from "./lib/management.ts";
import { layoutFor } from "./lib/releases.ts";
import { versionsFor } from "./lib/versions.ts";

const LOOK_MS = 250;

const stateDirOf = ({ values, env }: Context): string =>
  values.stateDir ?? join(stateBase({ env, uid: process.getuid?.() ?? 0 }), "mng");

export const mngStatus: Command = async (context) => {
  const stateDir = stateDirOf(context);
  const layout = layoutFor(context);
  const manager = managerFor(context, stateDir, layout, { lasts: false });
  const { pid, ready, text } = await manager.state();
  manager.close();
  const { open, last, bad } = openUpdateJournal(stateDir).read();
  const mng = presenceOf(stateDir);
  const { current, previous } = pointersOf(context, layout);
  const wrong = pid === null || last?.outcome === "rolled-back" || last?.outcome === "failed";
  const code = wrong ? EXIT.failed : EXIT.done;
  if (context.values.json) {
    const running = { pid, ready, service: manager.kind, state: text };
    const own = mng && { pid: mng.pid, version: mng.version, ready: mng.ready };
    context.out(JSON.stringify({ current, previous, runner: running, mng: own, update: open, last, bad }));
    return code;
  }
  context.out(`version    ${current ?? "none installed"}${previous ? `, before it ${previous}` : ""}`);
  context.out(`runner     ${text}`);
  context.out(`mng        ${mng ? `pid ${mng.pid}, ${mng.version}, ${sessionWords(mng)}` : "not running"}`);
  if (open)
    context.out(`update     to ${open.version || open.wanted}: ${open.phase}${open.reason ? `, ${open.reason}` : ""}`);
  if (last) context.out(`last       ${new Date(last.ended_ms).toISOString()} ${sentence(last)}`);
  for (const one of bad) context.out(`bad        ${one.version}: ${one.reason}`);
  return code;
};

const pointersOf = ({ values }: Context, layout: ReturnType<typeof layoutFor>) =>
  values.updateKind === "image" ? openImageFile(values.imageFile).read() : layout.pointers();

export const mngUpdate: Command = (context) => act(context, { what: "update", id: newId(), version: operand(context) });

export const mngRollback: Command = (context) =>
  act(context, { what: "rollback", id: newId(), reason: context.values.reason ?? "rolled back by a person" });

export const mngGuard: Command = async (context) => {
  const layout = layoutFor(context);
  const journal = openUpdateJournal(stateDirOf(context));
  if (guardStart({ layout, journal, now: systemClock.now, by: "guard" }) === "rolled-back") {
    context.log.error("the version never became healthy; the one before it is used again", {
      version: layout.pointers().current,
    });
  }
  return EXIT.done;
};

const newId = () => `person:${crypto.randomUUID()}`;

/** By the mng that runs; without one, here. */
async function act(context: Context, request: ManagementRequest): Promise<ExitCode> {
  const stateDir = stateDirOf(context);
  const outcome = presenceOf(stateDir) ? await ask(context, stateDir, request) : await here(context, stateDir, request);
  if (context.values.json) context.out(JSON.stringify(outcome));
  else context.out(sentence(outcome));
  return outcome.outcome === "updated" || outcome.outcome === "current" ? EXIT.done : EXIT.failed;
}

const NOT_BEGUN = "mng did not begin it, or another request took its place; the log of mng says why";

/** Waits as long as it takes: a drain ends when the running jobs have. */
async function ask({ say }: Context, stateDir: string, request: ManagementRequest): Promise<UpdateOutcome> {
  const journal = openUpdateJournal(stateDir);
  leaveRequest(stateDir, request);
  say("mng was asked to do it; Ctrl-C ends only the waiting");
  for (let phase = ""; ; ) {
    const waits = readRequest(stateDir)?.id === request.id;
    const { open, last } = journal.read();
    if (last?.id === request.id) return last;
    if (!waits && open?.id !== request.id) return { version: "", from: null, outcome: "failed", reason: NOT_BEGUN };
    if (open?.id === request.id && open.phase !== phase) {
      phase = open.phase;
      say(`${open.version || open.wanted}: ${phase}`);
    }
    await systemClock.sleep(LOOK_MS);
  }
}

async function here(context: Context, stateDir: string, request: ManagementRequest): Promise<UpdateOutcome> {
  const layout = layoutFor(context);
  const manager = managerFor(context, stateDir, layout, { lasts: false });
  const updater = createUpdater({
    versions: versionsFor(context, stateDir, layout),
    journal: openUpdateJournal(stateDir),
    manager,
    options: updateOptions(context),
    ownVersion: null,
    reachable: () => true,
    ownReady: Promise.resolve(),
    leave: () => {},
    clock: systemClock,
    log: context.log,
  });
  try {
    await updater.resume();
    const { id } = request;
    return request.what === "update"
      ? await updater.update({ id, cause: "person", wanted: request.version })
      : await updater.rollback(id, request.reason);
  } finally {
    dropRequest(stateDir);
    manager.close();
  }
}

function sentence({ outcome, version, from, reason }: UpdateOutcome): string {
  if (outcome === "updated") return `updated from ${from} to ${version}`;
  if (outcome === "rolled-back") return `${version} was rolled back: ${reason}`;
  return outcome === "current" ? reason : `the update to ${version || "another version"} failed: ${reason}`;
}
