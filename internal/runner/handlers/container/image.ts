import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cloudOf, registryLogin } from "../../../kit/cloud/index.ts";
import { authFile, type Engine, explainPull, imageFacts, pullArgv } from "../../../kit/containers/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { ToolError } from "../../handler.ts";
import { awsPlace } from "../cloud-keys.ts";
import { type Context, imageOf, places } from "./container-job.ts";

/** Brings the image here as the pull policy says, and keeps which one it is. Throws RunnerError with the remedy. */
export async function fetchImage(ctx: Context, engine: Engine): Promise<void> {
  const image = imageOf(ctx);
  const policy = ctx.plan.pull ?? "missing";
  let here = policy === "always" && image.digest === null ? null : await found(ctx, engine);
  if (here === null && policy === "never") {
    throw new RunnerError("job", `the image ${image.text} is not on this machine, and the job says pull: never`, {
      remedy: "Load it there first, or leave `pull` out.",
    });
  }
  if (here === null) {
    await pull(ctx, engine);
    here = await found(ctx, engine);
  }
  if (here === null) throw new RunnerError("job", `the image ${image.text} was pulled, but the engine has not got it`);
  writeFileSync(places(ctx).image, JSON.stringify(here), { mode: 0o600 });
  ctx.log.info(`image ${image.text}: ${here.digest ?? here.id}`, { "container.image.id": here.id });
}

async function found(ctx: Context, engine: Engine) {
  const facts = await imageFacts(engine, imageOf(ctx));
  if (!facts.ok) throw facts.error;
  return facts.value;
}

/** The login lives in a private file, while this one pull runs. */
async function pull(ctx: Context, engine: Engine): Promise<void> {
  const image = imageOf(ctx);
  const { logins } = places(ctx);
  const login = await loginOf(ctx, image.host);
  const { text, secret } = authFile(image, login);
  ctx.secrets.register(login?.password, secret);
  mkdirSync(logins, { recursive: true, mode: 0o700 });
  writeFileSync(join(logins, "config.json"), text, { mode: 0o600 });
  const env = engineEnvironment(ctx, engine);
  try {
    await ctx.exec({ key: "pull", argv: pullArgv(engine, image), env, cwd: ctx.workspace.root });
  } catch (error) {
    if (!(error instanceof ToolError) || error.end.code === null) throw error;
    throw explainPull(engine, image, error.end.tail);
  } finally {
    rmSync(logins, { recursive: true, force: true });
  }
}

async function loginOf(ctx: Context, host: string) {
  if (ctx.plan.credentials) return ctx.plan.credentials;
  return ctx.plan.cloud_login ? await registryLogin(host, cloudOf(host), awsPlace(ctx)) : null;
}

/** The engine's own settings, without the logins of the machine's user. */
export function engineEnvironment(ctx: Context, engine: Engine): Record<string, string> {
  const { logins } = places(ctx);
  const own =
    engine.name === "podman" ? { REGISTRY_AUTH_FILE: join(logins, "config.json") } : { DOCKER_CONFIG: logins };
  return ctx.tools.env({ ...engine.env, ...own });
}
