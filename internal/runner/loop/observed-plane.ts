import { LOG_ATTRIBUTES } from "../../protocol/native.ts";
import type { RunnerSettings } from "../../protocol/nuon/settings.ts";
import type { ControlPlane } from "../controlplane/control-plane.ts";
import { admitted } from "./settings.ts";
import type { Vitals } from "./vitals.ts";

/** A control plane that counts what passes, and lets out of the logs what the settings let out. */
export function observedPlane(
  plane: ControlPlane,
  vitals: Vitals,
  settings: () => RunnerSettings | null,
): ControlPlane {
  return {
    ...plane,
    async renew(executions, signal) {
      const renewed = await plane.renew(executions, signal);
      if (renewed.ok && renewed.value.lost.length > 0) vitals.leasesLost(renewed.value.lost.length);
      return renewed;
    },
    async logs(execution, given, signal) {
      const batch = admitted(given, settings());
      const sent = await plane.logs(execution, batch, signal);
      if (!sent.ok || sent.value.stored < batch.to) return sent;
      if (batch.records.length > 0) vitals.logShipped(batch.to - batch.from);
      for (const { attributes } of batch.records) {
        const dropped = attributes[LOG_ATTRIBUTES.dropped];
        if (typeof dropped === "number") vitals.logDropped(dropped);
      }
      return sent;
    },
  };
}
