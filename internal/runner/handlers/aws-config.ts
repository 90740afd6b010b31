import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AwsKeys, Expiring, Renewed } from "../../kit/cloud/index.ts";
import type { JobContext } from "../handler.ts";

const RENEW_MS = 30_000;

/**
 * Keys that expire, for a program that may work longer: AWS' clients read the file again when they need to, and the
 * runner, at work or restarted, keeps it fresh. It lies in the workspace (0600) and goes with it. The environment to add.
 */
export async function awsConfigEnv(
  ctx: Pick<JobContext<unknown>, "workspace" | "secrets">,
  keys: Renewed<AwsKeys>,
  region: string,
): Promise<Record<string, string>> {
  const folder = ctx.workspace.path("aws");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, "keys.json");
  let shown = "";
  const show = async () => {
    const fresh = await keys();
    const text = processAnswer(fresh);
    if (text === shown) return;
    ctx.secrets.register(fresh.value.secretAccessKey, fresh.value.sessionToken);
    replace(file, text);
    shown = text;
  };
  await show();
  const timer = setInterval(() => {
    // The folder goes with the workspace, the one sign of the job's end that every way of ending gives.
    if (!existsSync(dirname(file))) return clearInterval(timer);
    show().catch(() => {}); // what is in the file may be good for minutes: asked again at the next turn
  }, RENEW_MS);
  timer.unref();
  const config = join(folder, "config");
  replace(config, `[default]\nregion = ${region}\ncredential_process = /bin/cat "${file}"\n`);
  return { AWS_CONFIG_FILE: config, AWS_SHARED_CREDENTIALS_FILE: join(folder, "none"), AWS_SDK_LOAD_CONFIG: "1" };
}

/** AWS, "Sourcing credentials with an external process". */
function processAnswer({ value, untilMs }: Expiring<AwsKeys>): string {
  return JSON.stringify({
    Version: 1,
    AccessKeyId: value.accessKeyId,
    SecretAccessKey: value.secretAccessKey,
    ...(value.sessionToken === null ? {} : { SessionToken: value.sessionToken }),
    ...(untilMs === null ? {} : { Expiration: new Date(untilMs).toISOString() }),
  });
}

/** A program never sees half a file. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
