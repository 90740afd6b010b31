import { systemClock } from "../../internal/kit/base/clock.ts";
import { cloudOf, registryLogin } from "../../internal/kit/cloud/index.ts";
import { findEngine, imageReference } from "../../internal/kit/containers/index.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { engineCalls } from "../../internal/runner/supervisor/image-engine.ts";
import { openImageFile } from "../../internal/runner/supervisor/image-file.ts";
import { repositoryOf } from "../../internal/runner/supervisor/image-name.ts";
import { imageVersions } from "../../internal/runner/supervisor/image-versions.ts";
import type { Layout } from "../../internal/runner/supervisor/layout.ts";
import { binaryVersions, type Versions } from "../../internal/runner/supervisor/versions.ts";
import type { Context } from "./context.ts";
import { byUnit, stageFor } from "./releases.ts";

/** What mng updates on this machine. `stateDir`: that of mng. Throws RunnerError usage. */
export function versionsFor(context: Context, stateDir: string, layout: Layout): Versions {
  const { values, log } = context;
  if (values.updateKind === "binary") return binaryVersions(layout, stageFor(context, layout), systemClock);
  if (values.updateWhen === "reattach") {
    throw new RunnerError(
      "usage",
      "--update-when reattach: the tools in a container end with it, only drain is possible",
      {
        remedy: "Leave it out, or set RUNNER_UPDATE_WHEN=drain.",
      },
    );
  }
  const engine = engineFor(context);
  return imageVersions({
    file: openImageFile(values.imageFile),
    engine,
    ask: engineCalls(engine, byUnit(context) ? "systemd" : "itself"),
    login: (host) => machineLogin(context, host),
    stateDir,
    repository: values.imageRepository,
    log,
  });
}

/** The engine of this machine, with the logins that root has for it. */
export function engineFor({ values, env }: Context) {
  const logins = Object.entries(env).filter(([name]) => name === "REGISTRY_AUTH_FILE" || name === "DOCKER_CONFIG");
  return () => {
    const found = findEngine({ wanted: values.containerEngine, env, uid: process.getuid?.() ?? 0 });
    const own = Object.fromEntries(logins.filter((pair): pair is [string, string] => !!pair[1]));
    return { ...found, env: { ...found.env, ...own } };
  };
}

/** ECR and ACR by the machine's identity; elsewhere, and without one, by what the engine knows. */
async function machineLogin({ env, log }: Context, host: string) {
  if (env.REGISTRY_AUTH_FILE || env.DOCKER_CONFIG) return null;
  let cloud: ReturnType<typeof cloudOf>;
  try {
    cloud = cloudOf(host);
  } catch {
    return null;
  }
  try {
    return await registryLogin(host, cloud, { env, session: "runner-mng" });
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    log.warn("this machine has no login of its own for the registry", { registry: host, reason: error.message });
    return null;
  }
}

/**
 * The settings' wish as an image is asked for: with their place, where they name one. A word without a slash is none
 * (our own coordinator says `runner`).
 */
export function withPlace(tag: string, place: string | null | undefined): string {
  if (!place?.includes("/")) return tag;
  try {
    return `${repositoryOf(imageReference(place))}${tag.startsWith("sha256:") ? "@" : ":"}${tag}`;
  } catch {
    return tag;
  }
}
