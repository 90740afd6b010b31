import { createServer } from "node:net";
import type { Retention } from "../../internal/coordinator/store/transitions/prune.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import type { Wanted } from "./context.ts";

/** Addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Plain HTTP carries keys and tokens: off this machine only when asked for. Throws RunnerError usage. */
export function refusePlainHttp(host: string, tls: boolean, insecure: boolean): void {
  if (tls || insecure || isLoopback(host)) return;
  throw new RunnerError("usage", `plain HTTP on ${host} would send keys and tokens in clear`, {
    remedy: "Give --tls-cert and --tls-key, listen on 127.0.0.1, or allow it with --insecure.",
  });
}

/** How long what has ended is kept, as the settings say. */
export function retentionOf({ retention, keepPlans }: Wanted<"retention" | "keepPlans">): Retention {
  return { endedMs: retention === 0 ? null : retention, plansMs: keepPlans };
}

const PORTS_TO_TRY = 200;

/** The first port from `port` on that nothing listens on. Throws RunnerError environment. */
export async function nextFreePort(host: string, port: number): Promise<number> {
  if (port === 0) return 0;
  for (let candidate = port; candidate < port + PORTS_TO_TRY && candidate < 65_536; candidate++) {
    if (await isFree(host, candidate)) return candidate;
  }
  throw new RunnerError("environment", `no free port on ${host} from ${port} on`, { remedy: "Give --listen HOST:0." });
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
