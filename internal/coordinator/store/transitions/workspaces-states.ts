import { z } from "zod";
import { newId } from "../../../protocol/ids.ts";
import type { WorkspaceRow } from "../statements.ts";
import type { Store } from "../store.ts";

/** What tells versions of a state apart. */
export interface StateHead {
  readonly serial: number;
  readonly lineage: string;
  /** SHA-256 of the bytes, hex. */
  readonly sha256: string;
}

/** Who made a version, and out of what. */
export interface StateOrigin {
  readonly jobId: string | null;
  readonly executionId: string | null;
  readonly by: string;
  readonly why: string;
  readonly restoredFrom: number | null;
}

const stateHead = z.looseObject({ serial: z.number().int().optional(), lineage: z.string().optional() });

/** Serial and lineage of a state as terraform sends it; null when it is no JSON object. */
export function readHead(body: Uint8Array): Omit<StateHead, "sha256"> | null {
  try {
    const parsed = stateHead.safeParse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)));
    return parsed.success ? { serial: parsed.data.serial ?? 0, lineage: parsed.data.lineage ?? "" } : null;
  } catch {
    return null;
  }
}

/** The version that terraform gets; null: there is none. */
export function currentState(store: Store, workspace: WorkspaceRow): StateHead | null {
  if (workspace.state_id === null) return null;
  return store.db
    .prepare<StateHead, [string]>("SELECT serial, lineage, sha256 FROM states WHERE id = ?")
    .get(workspace.state_id);
}

/** Adds a version and makes it the current one. Inside a transaction. Answers its id. */
export function addState(
  store: Store,
  workspaceId: string,
  state: StateHead & { readonly body: Uint8Array },
  origin: StateOrigin,
): string {
  const { db } = store;
  const id = newId("state");
  db.run(
    db.kysely.insertInto("states").values({
      id,
      workspace_id: workspaceId,
      serial: state.serial,
      lineage: state.lineage,
      created_at: store.clock.now(),
      job_id: origin.jobId,
      execution_id: origin.executionId,
      bytes: state.body.byteLength,
      sha256: state.sha256,
      body: state.body,
      made_by: origin.by,
      why: origin.why,
      restored_from: origin.restoredFrom,
    }),
  );
  db.prepare<unknown, [string, string]>("UPDATE workspaces SET state_id = ? WHERE id = ?").run(id, workspaceId);
  return id;
}
