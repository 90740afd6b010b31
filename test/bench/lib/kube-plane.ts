import { mkdirSync, symlinkSync } from "node:fs";
import { goProgram } from "../../bed/go-program.ts";
import { type KubeNode, nodeMissing, startNode } from "../../bed/node/node.ts";
import { type LiveEvents, liveEvents } from "./live-events.ts";
import { type Coordinator, startCoordinator, startRunner } from "./plane.ts";
import { type Bed, makeBed } from "./processes.ts";

/** A real cluster of one node, and a coordinator with a runner whose own cluster it is. */
export interface KubePlane {
  readonly node: KubeNode;
  readonly bed: Bed;
  readonly coordinator: Coordinator;
  readonly events: LiveEvents;
  readonly runnerPid: number;
  /** For the bare tools: the same cluster, and helm 3 on PATH as the runner has it. */
  readonly env: Readonly<Record<string, string>>;
}

/** Runs `use` and ends all of it. Throws when no node can run here. */
export async function onKubePlane<T>(binary: string, name: string, use: (plane: KubePlane) => Promise<T>): Promise<T> {
  const helm = goProgram("helm3");
  const missing = nodeMissing() ?? (helm === null ? "helm3 was not built (test/bed/provision.ts)" : null);
  if (missing !== null || helm === null) throw new Error(missing ?? "no helm");
  const node = await startNode();
  const bed = makeBed();
  try {
    mkdirSync(bed.path("bin"));
    symlinkSync(helm, bed.path("bin/helm"));
    const env = { PATH: `${bed.path("bin")}:${process.env.PATH ?? ""}`, KUBECONFIG: node.kubeconfig };
    const coordinator = await startCoordinator(bed, binary);
    const { proc } = await startRunner(bed, coordinator, {
      binary,
      name,
      env: { PATH: env.PATH, RUNNER_KUBECONFIG: node.kubeconfig },
    });
    return await use({ node, bed, coordinator, events: await liveEvents(coordinator), runnerPid: proc.pid, env });
  } finally {
    await bed.end();
    await node.end();
  }
}
