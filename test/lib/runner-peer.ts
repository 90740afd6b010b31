import { JOB_GROUPS, JOB_TYPES } from "../../internal/protocol/enums.ts";
import { type Claim, claimResponse, completeResponse, LOG_HEADERS } from "../../internal/protocol/native.ts";
import { type AttributeValue, encodeLogsRequest } from "../../internal/protocol/otlp.ts";
import type { Operator } from "./operator.ts";

/** How a claimed job ends; `steps` are reported as finished. */
export interface Ending {
  readonly status?: "finished" | "failed";
  readonly reason?: string;
  readonly result?: object;
  readonly outputs?: object;
  readonly sensitive?: readonly string[];
  readonly steps?: readonly string[];
}

/** A runner that says over HTTP what a test wants it to say, through the extension of protocol/native.ts. */
export interface RunnerPeer {
  readonly id: string;
  readonly token: string;
  /** Waits until this job is offered, and takes it. */
  claim(jobId: string): Promise<Claim>;
  /** The same for the next attempt of a job. */
  claimAgain(jobId: string): Promise<Claim>;
  /** Claims the job when that is still to do, completes it, and reports its cleanup. */
  finish(jobId: string, ending: Ending): Promise<Claim>;
  /** Appends log records to the stream of a claimed job. */
  log(claim: Claim, records: readonly { text: string; attributes?: Record<string, AttributeValue> }[]): Promise<number>;
}

export async function createRunnerPeer(url: string, operator: Operator): Promise<RunnerPeer> {
  const made = await operator.send("POST", "/runners", { name: `peer-${crypto.randomUUID()}` });
  const { id, token }: { id: string; token: string } = made.body;
  const instance_id = `ins${crypto.randomUUID()}`;
  const slots = Object.fromEntries(JOB_GROUPS.map((group) => [group, 50]));
  const post = async (path: string, body: unknown): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const answer = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  await post(`/v1/runners/${id}/sessions`, {
    instance_id,
    mode: "all",
    version: "0.0.0-peer",
    inventory: { hostname: "peer", os: "linux", arch: "amd64", cpus: 1, memory_bytes: 1, gpus: [], labels: {} },
    slots,
    job_types: [...JOB_TYPES],
    held: [],
  });

  const claimed = new Map<string, Claim>();
  const offsets = new Map<string, number>();
  const claim = async (jobId: string): Promise<Claim> => {
    for (let tries = 0; tries < 50; tries++) {
      const known = claimed.get(jobId);
      if (known !== undefined) return known;
      const body = { instance_id, key: crypto.randomUUID(), slots, wait_ms: 200, after: 0 };
      const answer = claimResponse.parse(await post(`/v1/runners/${id}/claims`, body));
      for (const one of answer.claims) claimed.set(one.job.id, one);
    }
    throw new Error(`job ${jobId} was never offered`);
  };

  return {
    id,
    token,
    claim,
    claimAgain: (jobId) => {
      claimed.delete(jobId);
      return claim(jobId);
    },
    finish: async (jobId, ending) => {
      const mine = await claim(jobId);
      const ref = { execution_id: mine.execution_id, epoch: mine.lease.epoch };
      const steps = (ending.steps ?? []).map((name) => ({
        name,
        status: "finished",
        started_at: null,
        duration_ms: 1,
        exit_code: 0,
      }));
      const completion = {
        ...ref,
        status: ending.status ?? "finished",
        reason: ending.reason ?? "",
        code: "",
        result: ending.result ?? null,
        outputs: ending.outputs ?? null,
        sensitive_outputs: ending.sensitive ?? [],
        steps,
      };
      const body = { instance_id, completions: [completion], cleanups: [{ ...ref, error: null }] };
      const answer = completeResponse.parse(await post(`/v1/runners/${id}/completions`, body));
      if (answer.completions[0]?.recorded !== true) throw new Error(`not recorded: ${JSON.stringify(answer)}`);
      return mine;
    },
    log: async (mine, records) => {
      const from = offsets.get(mine.execution_id) ?? 0;
      const to = from + records.reduce((sum, record) => sum + Buffer.byteLength(record.text) + 1, 0);
      const body = encodeLogsRequest({
        resource: { "runner.id": id },
        schemaUrl: url,
        scope: "oteljob",
        records: records.map(({ text, attributes = {} }, index) => ({
          time: 1_700_000_000_123_456_789n + BigInt(from + index),
          severity: "info" as const,
          body: text,
          attributes: { "runner_job_execution.id": mine.execution_id, "runner.source": "tool", ...attributes },
        })),
      });
      const answer = await fetch(`${url}/v1/log-streams/${mine.job.log_stream_id}/logs`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/x-protobuf",
          [LOG_HEADERS.execution]: mine.execution_id,
          [LOG_HEADERS.epoch]: String(mine.lease.epoch),
          [LOG_HEADERS.from]: String(from),
          [LOG_HEADERS.to]: String(to),
        },
        body: Buffer.from(body),
      });
      offsets.set(mine.execution_id, to);
      return answer.status;
    },
  };
}
