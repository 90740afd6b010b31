import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { createServer } from "node:net";
import type { Address } from "../../../internal/config/setting.ts";
import { RunnerError, reasonOf } from "../../../internal/protocol/errors.ts";
import { refusePlainHttp } from "../start-coordinator.ts";
import { readTlsPair } from "../tls-files.ts";
import { validity } from "./certificate.ts";
import { type Finding, findings } from "./finding.ts";
import { isReadOnlyMount } from "./mounts.ts";

/** Could the coordinator listen there? */
export async function checkListen(listen: Address, tls: boolean, insecure: boolean): Promise<Finding[]> {
  const say = findings("address");
  const address = `${listen.host}:${listen.port}`;
  const plain = plainFault(listen.host, tls, insecure);
  if (plain) return [say.failed(plain.message, plain.remedy ?? "")];
  const code = await tryListen(listen);
  if (code === null) return [say.ok(`${address} is free`)];
  if (code === "EADDRINUSE") {
    if (await isCoordinator(listen, tls)) {
      return [
        say.warning(
          `${address}: a coordinator answers there`,
          "Fine if that one is meant; else choose another --listen.",
        ),
      ];
    }
    return [say.failed(`another program listens on ${address}`, "Stop it, or choose another address with --listen.")];
  }
  return [
    say.failed(
      `cannot listen on ${address} (${code})`,
      "Give --listen an address of this machine, and a port that this user may take.",
    ),
  ];
}

function plainFault(host: string, tls: boolean, insecure: boolean): RunnerError | null {
  try {
    refusePlainHttp(host, tls, insecure);
    return null;
  } catch (error) {
    if (error instanceof RunnerError) return error;
    throw error;
  }
}

/** null: free. Else the code of the error. */
function tryListen({ host, port }: Address): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve("code" in error ? String(error.code) : reasonOf(error)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

async function isCoordinator({ host, port }: Address, tls: boolean): Promise<boolean> {
  const name = host === "0.0.0.0" ? "127.0.0.1" : host.includes(":") ? `[${host === "::" ? "::1" : host}]` : host;
  const init = { signal: AbortSignal.timeout(3_000), proxy: false, tls: { rejectUnauthorized: false } } as const;
  const url = `${tls ? "https" : "http"}://${name}:${port}/v1/capabilities`;
  try {
    return (await (await fetch(url, init)).text()).includes('"runner-coordinator"');
  } catch {
    return false;
  }
}

/** Is the admin key readable by its owner alone, and a key at all? Missing is fine: the coordinator makes it. */
export function checkAdminKey(file: string): Finding[] {
  const say = findings("admin key");
  if (!existsSync(file)) return [say.ok(`${file} will be made, for its owner alone`)];
  try {
    const key = readFileSync(file, "utf8").trim();
    if (key.length < 16 || /\s/.test(key)) {
      return [
        say.failed(
          `${file} does not hold one line of at least 16 characters`,
          `rm ${file}; the next start makes a key.`,
        ),
      ];
    }
    const mode = statSync(file).mode & 0o777;
    if ((mode & 0o077) === 0) return [say.ok(`${file}, mode ${octal(mode)}`)];
    // Such as the volume of a Secret: its mode is said where it is mounted, and its group is the pod's.
    if (isReadOnlyMount(realpathSync(file))) {
      if ((mode & 0o007) === 0) return [say.ok(`${file}, mode ${octal(mode)} on a read-only volume`)];
      const text = `${file} can be read by every user here (mode ${octal(mode)}), and its volume is read-only`;
      return [say.warning(text, "Mount it with `defaultMode: 0440` and an `fsGroup` of the coordinator.")];
    }
    return [say.warning(`${file} can be read by others (mode ${octal(mode)})`, `chmod 600 ${file}`)];
  } catch (error) {
    return [say.failed(`${file} cannot be read: ${reasonOf(error)}`, "Check its owner and mode.")];
  }
}

const octal = (mode: number) => mode.toString(8).padStart(4, "0");

/** Do certificate and key belong together, and until when? */
export function checkTlsFiles(cert: string | null, key: string | null): Finding[] {
  try {
    const pair = readTlsPair(cert, key);
    return pair === null ? [] : [validity(pair.leaf, `of ${cert}`, "Renew it, and start the coordinator again.")];
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    return [findings("certificate").failed(error.message, error.remedy ?? "Check that both files are PEM.")];
  }
}
