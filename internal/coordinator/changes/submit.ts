import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { newId } from "../../protocol/ids.ts";
import type { Submission } from "../../protocol/operator.ts";
import { compileSubmission, parseSubmission } from "../compile/compile.ts";
import type { CompiledSubmission } from "../compile/compiled.ts";
import { toNewJob } from "../compile/new-job.ts";
import type { SourceStore } from "../sources/source-store.ts";
import type { Store } from "../store/store.ts";
import { submitJob } from "../store/transitions/submit.ts";
import { ensureWorkspace, exactWorkspace } from "../store/transitions/workspaces.ts";

export interface SubmitDeps {
  readonly store: Store;
  readonly sources: SourceStore;
  /** See CompileContext. */
  readonly https: boolean;
}

/**
 * Takes a submission: compiled, checked against what is stored, and queued in one transaction. Answers the id of the
 * job or change; errors are of kind `usage`.
 */
export function submitWork(deps: SubmitDeps, submission: Submission, by: string): Result<string> {
  const { store } = deps;
  const parsed = parseSubmission(submission);
  if (!parsed.ok) return parsed;
  const { runner } = submission;
  if (runner !== undefined && store.runners.get(runner) === undefined) {
    return fail(new RunnerError("usage", `runner: there is no runner ${JSON.stringify(runner)}`, { remedy: RUNNERS }));
  }
  try {
    return store.db.transaction(() => {
      const context = {
        now: store.clock.now(),
        workspaceId: (name: string) => ensureWorkspace(store, name).id,
        exactWorkspace: (id: string) => exactWorkspace(store, id).id,
        https: deps.https,
        hasFile: deps.sources.hasFile,
      };
      const compiled = compileSubmission(parsed.value, submission, context);
      // Thrown, so that a workspace made for a refused job goes with it.
      if (!compiled.ok) throw compiled.error;
      const absent = compiled.value.job.sources.find((digest) => deps.sources.manifest(digest) === null);
      if (absent !== undefined) throw new RunnerError("usage", `the source ${absent} has not been uploaded`);
      deps.sources.touch(compiled.value.job.sources);
      return ok(enqueue(store, compiled.value, submission, by));
    }, "full");
  } catch (error) {
    if (error instanceof RunnerError) return fail(error);
    throw error;
  }
}

const RUNNERS = "`runner runners list` shows the ids.";

function enqueue(store: Store, compiled: CompiledSubmission, submission: Submission, by: string): string {
  const changeId = compiled.change === null ? null : newId("change");
  const job = toNewJob(compiled.job, { changeId, createdBy: by, submission });
  if (changeId !== null && compiled.change !== null) {
    const now = store.clock.now();
    store.db.run(
      store.db.kysely.insertInto("changes").values({
        id: changeId,
        name: job.name,
        type: job.type,
        operation: compiled.change.operation,
        status: "planning",
        reason: "",
        approval: compiled.change.approval === "required" ? "required" : "auto",
        approval_state: null,
        approval_by: "",
        approval_why: "",
        approval_at: null,
        expires_at: null,
        plan_job_id: job.id,
        apply_job_id: null,
        workspace_id: job.workspaceId,
        diff: null,
        spec: JSON.stringify(compiled.change.approvalMs === null ? {} : { approval_ms: compiled.change.approvalMs }),
        created_by: by,
        created_at: now,
        updated_at: now,
        finished_at: null,
      }),
    );
    store.events.append({ what: "planning", by, changeId });
  }
  submitJob(store, job);
  return changeId ?? job.id;
}
