import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { CoordinatorOptions } from "../../internal/coordinator/coordinator.ts";
import { startCoordinator } from "../../internal/coordinator/start.ts";
import { type Clock, systemClock } from "../../internal/kit/base/clock.ts";
import { silentLog } from "../../internal/kit/base/system-log.ts";
import type { Claim } from "../../internal/protocol/native.ts";
import type { WorkspaceDoc } from "../../internal/protocol/operator.ts";
import { DEFAULT_TIMES } from "../../internal/protocol/times.ts";
import { createOperator } from "./operator.ts";
import { createRunnerPeer } from "./runner-peer.ts";
import { zip } from "./zip.ts";

/** What a plan says: one resource to make. */
export const CREATES = {
  resource_changes: [
    {
      address: "terraform_data.a",
      type: "terraform_data",
      name: "a",
      change: { actions: ["create"], before: null, after: { input: "x" }, after_unknown: { id: true } },
    },
  ],
};
/** What a plan says: nothing to do. */
export const EMPTY = { resource_changes: [] };

/** The state that a plan was made on; null: there was none. */
export type Base = { readonly serial: number; readonly lineage: string } | null;

export type ChangeBed = Awaited<ReturnType<typeof startChangeBed>>;

/** A coordinator over HTTP, a person, and a runner that says what a test wants; time passes when it is told to. */
export async function startChangeBed(options: Pick<Partial<CoordinatorOptions>, "approvalMs" | "keepStates"> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "change-bed-"));
  let passed = 0;
  const clock: Clock = {
    now: () => systemClock.now() + passed,
    monotonic: () => systemClock.monotonic() + passed,
    sleep: systemClock.sleep,
  };
  const coordinator = await startCoordinator(
    {
      version: "0.0.0-test",
      host: "127.0.0.1",
      port: 0,
      dataDir: folder,
      adminKeyFile: join(folder, "admin.key"),
      publicUrl: null,
      tls: null,
      times: DEFAULT_TIMES,
      exclusive: true,
      ...options,
    },
    { log: silentLog, clock },
  );
  const operator = createOperator(coordinator);
  const peer = await createRunnerPeer(coordinator.url, operator);
  const digest = await operator.upload({ "main.tf": "# a module" });

  const basic = (claim: Claim) =>
    `Basic ${Buffer.from(`${claim.credentials.username}:${claim.credentials.password}`).toString("base64")}`;
  const asTerraform = (claim: Claim, path: string, body: string) =>
    fetch(coordinator.url + path, {
      method: "POST",
      headers: { authorization: basic(claim), "content-type": "application/json" },
      body,
    });
  const workspace = (name: string) => operator.get<WorkspaceDoc>(`/workspaces/${name}`);

  /** Submits a terraform job file; answers the id of the job or change. */
  const submit = (name: string, job: object = {}) =>
    operator.submit(
      { type: "terraform-deploy", spec: { source: { path: "." }, workspace: name }, ...job },
      { sources: { "spec.source": { digest, path: "" } } },
    );
  const jobsOf = async (change: string) => (await operator.show(change)).jobs.map((job) => job.id);

  /** What a plan job reports. */
  const planResult = (plan: object, base: Base) => ({
    result: {
      success: true,
      contents_compressed: Buffer.from(
        zip("tfstate", JSON.stringify({ version: 4, ...(base ?? { serial: 0, lineage: "" }) })),
      ).toString("base64url"),
      contents_display_compressed: gzipSync(JSON.stringify(plan)).toString("base64url"),
    },
  });

  /** Saves a state under a lock that is taken and freed, as terraform does. */
  const save = async (claim: Claim, name: string, state: object) => {
    const { id } = await workspace(name);
    const lock = JSON.stringify({ ID: "lock-of-save", Operation: "OperationTypeApply", Who: "test" });
    await asTerraform(claim, `/v1/terraform-workspaces/${id}/lock`, lock);
    const saved = await asTerraform(
      claim,
      `/v1/terraform-backend?workspace_id=${id}&ID=lock-of-save`,
      JSON.stringify({ version: 4, lineage: "one", resources: [], outputs: {}, ...state }),
    );
    await asTerraform(claim, `/v1/terraform-workspaces/${id}/unlock`, lock);
    if (saved.status !== 200) throw new Error(`save: ${saved.status} ${await saved.text()}`);
  };

  return {
    operator,
    peer,
    workspace,
    submit,
    jobsOf,
    save,
    asTerraform,
    digest,
    pass: (ms: number) => {
      passed += ms;
    },
    /** Submits and ends the plan job of a change. */
    plan: async (name: string, job: object, base: Base, plan: object = CREATES) => {
      const id = await submit(name, job);
      await peer.finish((await jobsOf(id))[0] ?? "", planResult(plan, base));
      return id;
    },
    planResult,
    /** A whole change that leaves this state behind. */
    apply: async (name: string, base: Base, state: object, job: object = {}) => {
      const id = await submit(name, job);
      await peer.finish((await jobsOf(id))[0] ?? "", planResult(CREATES, base));
      const applyJob = (await jobsOf(id))[1] ?? "";
      await save(await peer.claim(applyJob), name, state);
      await peer.finish(applyJob, {});
      return id;
    },
    stop: async () => {
      await coordinator.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
