import { existsSync } from "node:fs";
import { removeContainer, takeBack } from "../../../kit/containers/index.ts";
import { readOutputs } from "../../../kit/outputs/read-outputs.ts";
import { type ContainerPlan, containerPlan } from "../../../protocol/plans-ours.ts";
import type { Handler } from "../../handler.ts";
import { secretEnvValues } from "../secret-values.ts";
import { emptyFolder } from "../source-folder.ts";
import { checkPlan, chosenImage, containerName, places, profileOf } from "./container-job.ts";
import { fetchImage } from "./image.ts";
import { operatorSecrets, requestOf, writeInputs } from "./request.ts";
import { runContainer } from "./run-container.ts";

/**
 * Runs one container by podman or docker; ours alone, a Go runner never sees the type. The engine's client is the tool:
 * it outlives the runner as every tool does, and the container outlives even the client.
 */
export const container: Handler<ContainerPlan> = {
  types: ["container"],
  plan: containerPlan,
  limitsItself: true,

  async fetch(ctx) {
    ctx.secrets.register(...secretEnvValues(ctx.plan.env_vars, ctx.options.sensitive_vars));
    checkPlan(ctx);
    ctx.secrets.register(...operatorSecrets(profileOf(ctx)));
    const engine = ctx.containers.engine();
    const { source, git_source: git } = ctx.plan;
    if (source || git?.url) {
      const into = emptyFolder(places(ctx).source);
      if (source) await ctx.sources.oci({ registry: source.registry, tag: source.tag }, into);
      else if (git?.url) {
        const { url, ref, path, recurse_submodules: submodules, known_hosts: knownHosts } = git;
        const source = { url, ref: ref ?? "", path: path ?? "", submodules: submodules ?? false, knownHosts };
        await ctx.sources.git(source, into);
      }
    }
    await fetchImage(ctx, engine);
  },

  async initialize(ctx) {
    const engine = ctx.containers.engine();
    writeInputs(ctx, engine);
    const { name, cpus, memoryBytes, pids, user, profile } = requestOf(ctx, engine).request;
    ctx.log.info(`${engine.name}: ${name}, user ${user ?? "of the image"}, network ${profile.network}`, {
      "container.cpus": cpus,
      "container.memory_bytes": memoryBytes,
      "container.pids": pids,
      ...(ctx.plan.profile ? { "container.profile": ctx.plan.profile } : {}),
    });
  },

  async execute(ctx) {
    await ctx.step({ name: "container" }, () => runContainer(ctx, ctx.containers.engine()));
    return null;
  },

  async outputs(ctx) {
    const { id, digest } = chosenImage(ctx);
    return { values: { image_digest: digest ?? id, ...readOutputs(places(ctx).outputs) }, sensitive: [] };
  },

  async cleanup(ctx) {
    if (!existsSync(places(ctx).begun)) return;
    const engine = ctx.containers.engine();
    const removed = await removeContainer(engine, containerName(ctx));
    if (ctx.plan.profile) await takeBack(engine, [places(ctx).source]);
    if (!removed.ok) throw removed.error;
  },
};
