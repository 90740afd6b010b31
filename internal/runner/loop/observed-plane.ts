import type { LogBatch } from "../../kit/logs/types.ts";
import { LOG_ATTRIBUTES } from "../../protocol/native.ts";
import type { RunnerSettings } from "../../protocol/nuon/settings.ts";
import type { ControlPlane, ExecutionRef } from "../controlplane/control-plane.ts";
import type { JobTraces } from "./job-trace.ts";
import { admitted } from "./settings.ts";
import type { Vitals } from "./vitals.ts";

/** A control plane that counts what passes, and lets out of the logs what the settings let out. */
export function observedPlane(
  plane: ControlPlane,
  vitals: Vitals,
  settings: () => RunnerSettings | null,
): ControlPlane {
  const { traces } = vitals;
  const counted: ControlPlane = {
    ...plane,
    async renew(executions, signal) {
      const renewed = await plane.renew(executions, signal);
      if (renewed.ok && renewed.value.lost.length > 0) vitals.leasesLost(renewed.value.lost.length);
      return renewed;
    },
    async logs(execution, given, signal) {
      const batch = admitted(given, settings());
      const sent = await plane.logs(execution, traces ? placed(batch, execution, traces) : batch, signal);
      if (!sent.ok || sent.value.stored < batch.to) return sent;
      if (batch.records.length > 0) vitals.logShipped(batch.to - batch.from);
      for (const { attributes } of batch.records) {
        const dropped = attributes[LOG_ATTRIBUTES.dropped];
        if (typeof dropped === "number") vitals.logDropped(dropped);
      }
      return sent;
    },
  };
  return traces ? tracedPlane(counted, traces) : counted;
}

/** Requests for an execution are spans of its trace. */
function tracedPlane(plane: ControlPlane, traces: JobTraces): ControlPlane {
  const { plan, status, workStep } = plane;
  return {
    ...plane,
    ...(status
      ? { status: (execution, ...rest) => traces.within(execution.id, () => status(execution, ...rest)) }
      : {}),
    ...(workStep
      ? { workStep: (execution, ...rest) => traces.within(execution.id, () => workStep(execution, ...rest)) }
      : {}),
    logs: (execution, ...rest) => traces.within(execution.id, () => plane.logs(execution, ...rest)),
    complete: (execution, ...rest) => traces.within(execution.id, () => plane.complete(execution, ...rest)),
    ...(plan ? { plan: (execution, signal) => traces.within(execution.id, () => plan(execution, signal)) } : {}),
    documents(execution) {
      const documents = plane.documents(execution);
      return {
        actionRun: (...ids) => traces.within(execution.id, () => documents.actionRun(...ids)),
        actionConfig: (id) => traces.within(execution.id, () => documents.actionConfig(id)),
        appConfig: (...ids) => traces.within(execution.id, () => documents.appConfig(...ids)),
      };
    },
    state(execution) {
      const state = plane.state(execution);
      return {
        terraformEnv: state.terraformEnv,
        putStateJson: (...given) => traces.within(execution.id, () => state.putStateJson(...given)),
        pushErrored: (...given) => traces.within(execution.id, () => state.pushErrored(...given)),
        head: (id) => traces.within(execution.id, () => state.head(id)),
        unlockOwn: (id) => traces.within(execution.id, () => state.unlockOwn(id)),
        lockHolder: (id) => traces.within(execution.id, () => state.lockHolder(id)),
      };
    },
  };
}

/** Each record with the span it was written in. */
function placed(batch: LogBatch, execution: ExecutionRef, traces: JobTraces): LogBatch {
  const trace = traces.of(execution.id);
  if (!trace) return batch;
  const text = (value: unknown) => (typeof value === "string" ? value : undefined);
  const records = batch.records.map((record) => {
    const { [LOG_ATTRIBUTES.phase]: phase, [LOG_ATTRIBUTES.workflowStep]: step } = record.attributes;
    return { ...record, span: trace.place(text(phase), text(step)) };
  });
  return { ...batch, records };
}
