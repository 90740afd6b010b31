import { describe, expect, test } from "bun:test";
import type { Store } from "../store.ts";
import { completionOf, onlineRunner, submit, testStore } from "../test-store.ts";
import { claimJobs } from "./claim.ts";
import { completeExecution } from "./complete.ts";
import {
  deleteState,
  ensureWorkspace,
  forceUnlock,
  lockWorkspace,
  readState,
  type StateWriter,
  saveState,
  unlockWorkspace,
} from "./workspaces.ts";

const NOBODY: StateWriter = { runnerId: null, jobId: null, execution: null };
const lock = (id: string) => ({ ID: id, Operation: "OperationTypeApply", Who: "me@host", Info: "", Path: "" });
const state = (serial: number, lineage = "one", extra = "") =>
  new TextEncoder().encode(JSON.stringify({ version: 4, serial, lineage, resources: [], extra }));

function setUp() {
  const made = testStore();
  const { store } = made;
  const runner = onlineRunner(store, "one");
  const workspace = ensureWorkspace(store, "network").id;
  submit(store, { type: "terraform-deploy", group: "deploy", operation: "apply-plan", workspaceId: workspace });
  const [grant] = claimJobs(store, {
    runnerId: runner,
    instanceId: "one-1",
    key: "key-state-1",
    slots: { deploy: 1 },
  });
  if (!grant) throw new Error("nothing was granted");
  const writer: StateWriter = { runnerId: runner, jobId: grant.job.id, execution: grant.execution };
  return { ...made, store, runner, workspace, writer, grant };
}

const finish = (store: Store, runner: string, execution: { id: string; epoch: number }) =>
  completeExecution(store, runner, "one-1", completionOf(execution));

describe("a workspace lock", () => {
  test("is given once; the loser gets the holder's document; the same id may ask again", () => {
    const { store, workspace, writer } = setUp();
    expect(lockWorkspace(store, workspace, lock("lock-a"), writer).ok).toBe(true);
    expect(lockWorkspace(store, workspace, lock("lock-a"), writer).ok).toBe(true);
    const refused = lockWorkspace(store, workspace, lock("lock-b"), NOBODY);
    expect(refused).toMatchObject({
      ok: false,
      error: { kind: "held", lock: { ID: "lock-a", Who: "me@host", job_id: writer.jobId } },
    });
  });

  test("needs an id", () => {
    const { store, workspace, writer } = setUp();
    expect(lockWorkspace(store, workspace, {}, writer)).toMatchObject({ ok: false, error: { kind: "invalid" } });
  });

  test("is not given to an execution that has ended", () => {
    const { store, runner, workspace, grant } = setUp();
    finish(store, runner, grant.execution);
    const ended = store.sql.execution.get(grant.execution.id);
    const refused = lockWorkspace(store, workspace, lock("late"), {
      runnerId: runner,
      jobId: grant.job.id,
      execution: ended,
    });
    expect(refused).toMatchObject({ ok: false, error: { kind: "stale" } });
  });

  test("is freed by its own id only, and by a person", () => {
    const { store, runner, workspace, writer } = setUp();
    lockWorkspace(store, workspace, lock("lock-a"), writer);
    expect(unlockWorkspace(store, workspace, lock("lock-b"), runner)).toMatchObject({ ok: false });
    expect(unlockWorkspace(store, workspace, lock("lock-a"), runner)).toMatchObject({ ok: true });
    lockWorkspace(store, workspace, lock("lock-c"), writer);
    expect(forceUnlock(store, workspace, "admin")?.ID).toBe("lock-c");
    expect(forceUnlock(store, workspace, "admin")).toBeNull();
  });

  test("is kept by an unlock without an id while its job runs, and freed when it no longer runs", () => {
    const { store, runner, workspace, writer, grant } = setUp();
    lockWorkspace(store, workspace, lock("lock-a"), writer);
    expect(unlockWorkspace(store, workspace, {}, runner).ok).toBe(true);
    expect(store.sql.lock.get(workspace)?.lock_id).toBe("lock-a");
    finish(store, runner, grant.execution);
    expect(unlockWorkspace(store, workspace, {}, "another-runner").ok).toBe(true);
    expect(store.sql.lock.get(workspace)?.lock_id).toBe("lock-a");
    expect(unlockWorkspace(store, workspace, {}, runner).ok).toBe(true);
    expect(store.sql.lock.get(workspace)).toBeNull();
  });
});

describe("terraform state", () => {
  const text = (store: Store, workspace: string) => new TextDecoder().decode(readState(store, workspace) ?? undefined);

  test("is always taken from the holder of the lock, even after its lease and its job have ended", () => {
    const { store, runner, workspace, writer, grant } = setUp();
    lockWorkspace(store, workspace, lock("lock-a"), writer);
    finish(store, runner, grant.execution);
    expect(saveState(store, workspace, state(1), "lock-a", writer).ok).toBe(true);
    expect(text(store, workspace)).toContain('"serial":1');
  });

  test("without an id is taken while nobody holds the lock, and refused with the lock's document when held", () => {
    const { store, workspace, writer } = setUp();
    expect(saveState(store, workspace, state(1), null, writer).ok).toBe(true);
    lockWorkspace(store, workspace, lock("lock-a"), writer);
    expect(saveState(store, workspace, state(2), null, writer)).toMatchObject({ ok: false, error: { kind: "held" } });
  });

  test("of another lineage is refused while nobody holds the lock; the lock's holder replaces it, with an event", () => {
    const { store, workspace, writer } = setUp();
    saveState(store, workspace, state(5), null, writer);
    expect(saveState(store, workspace, state(6, "two"), null, writer)).toMatchObject({ error: { kind: "conflict" } });
    expect(text(store, workspace)).toContain('"lineage":"one"');
    lockWorkspace(store, workspace, lock("lock-a"), writer);
    expect(saveState(store, workspace, state(6, "two"), "lock-a", writer).ok).toBe(true);
    const events = store.events.list({ after: 0, limit: 100 }).filter((event) => event.what === "state-replaced");
    expect(events.map((event) => event.why)).toEqual([
      "workspace network, serial 6 of lineage two in its place: the state stored is serial 5 of lineage one",
    ]);
  });

  test("under a lock that was freed must continue what is stored", () => {
    const { store, workspace, writer } = setUp();
    lockWorkspace(store, workspace, lock("lock-a"), writer);
    saveState(store, workspace, state(5), "lock-a", writer);
    forceUnlock(store, workspace, "admin");
    expect(saveState(store, workspace, state(4), "lock-a", writer)).toMatchObject({ error: { kind: "conflict" } });
    expect(saveState(store, workspace, state(6, "two"), "lock-a", writer)).toMatchObject({
      error: { kind: "conflict" },
    });
    expect(saveState(store, workspace, state(6), "lock-a", writer).ok).toBe(true);
  });

  test("under a lock that someone else holds is refused", () => {
    const { store, workspace, writer } = setUp();
    lockWorkspace(store, workspace, lock("lock-b"), NOBODY);
    expect(saveState(store, workspace, state(9), "lock-a", writer)).toMatchObject({ error: { kind: "held" } });
  });

  test("sent twice is one version; versions are kept when the state is deleted", () => {
    const { store, workspace, writer } = setUp();
    saveState(store, workspace, state(1), null, writer);
    saveState(store, workspace, state(1), null, writer);
    saveState(store, workspace, state(2), null, writer);
    const versions = () => store.db.all(store.db.kysely.selectFrom("states").select("serial")).map((row) => row.serial);
    expect(versions()).toEqual([1, 2]);
    expect(deleteState(store, workspace, writer).ok).toBe(true);
    expect(readState(store, workspace)).toBeNull();
    expect(versions()).toEqual([1, 2]);
  });

  test("that is not a JSON object is refused", () => {
    const { store, workspace, writer } = setUp();
    const half = state(1).slice(0, 20);
    expect(saveState(store, workspace, half, null, writer)).toMatchObject({ error: { kind: "invalid" } });
  });
});
