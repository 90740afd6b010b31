import { join } from "node:path";
import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import { readCa } from "./lib/ca-file.ts";
import type { Command, Context } from "./lib/context.ts";
import { checkCertificate } from "./lib/doctor/certificate.ts";
import { checkCluster } from "./lib/doctor/cluster.ts";
import { checkCollector } from "./lib/doctor/collector.ts";
import { checkControlPlane } from "./lib/doctor/control-plane.ts";
import { checkAdminKey, checkListen, checkTlsFiles } from "./lib/doctor/coordinator.ts";
import { checkEngine } from "./lib/doctor/engine.ts";
import { type Finding, findings } from "./lib/doctor/finding.ts";
import { checkFolder } from "./lib/doctor/folder.ts";
import { checkGpus } from "./lib/doctor/gpus.ts";
import { checkPlugins, checkPolicy, checkProfiles, checkTrustedKeys } from "./lib/doctor/own-rules.ts";
import { checkPlace, whichPlace } from "./lib/doctor/place.ts";
import { checkProxies, proxied } from "./lib/doctor/proxies.ts";
import { checkReleases } from "./lib/doctor/releases.ts";
import { checkService } from "./lib/doctor/service.ts";
import { checkTools } from "./lib/doctor/tools.ts";
import { stateBase, toolsFolder } from "./lib/folders.ts";
import { kubeFor } from "./lib/kube.ts";
import { pluginsFor } from "./lib/plugins.ts";
import { readLine } from "./lib/read-file.ts";
import { painter } from "./lib/summary.ts";
import { sumsFrom } from "./lib/tools.ts";

export const doctor: Command = async (context) => {
  const found = context.values.coordinator ? await checkCoordinator(context) : await checkRunner(context);
  const sick = found.some((one) => one.status === "failed");
  if (context.values.json) context.out(JSON.stringify({ ok: !sick, findings: found }));
  else context.out(textOf(found, painter(context.terminal.colour && process.stdout.isTTY === true)));
  return sick ? EXIT.failed : EXIT.done;
};

async function checkRunner(context: Context): Promise<Finding[]> {
  const { values, env } = context;
  const { apiUrl, runnerId, dialect } = values;
  const home = { env, uid: process.getuid?.() ?? 0 };
  const path = values.stateDir ?? join(stateBase(home), values.mode);
  const folder = { name: "state directory", flag: "--state-dir", path, lockFile: "journal.db", user: "runner" };
  const ca = given("CA file", () => readCa(values.caFile));
  const token = given(
    "token",
    () => values.apiToken ?? (values.tokenFile ? readLine(values.tokenFile, "token file") : null),
  );
  const sums = given("tools sums", () => sumsFrom(values.toolsSums));
  const url = apiUrl === null ? null : new URL(apiUrl);
  const connection = { apiUrl, runnerId, dialect, token: token.value, ca: ca.value };
  const rules = { cwd: context.cwd, uid: home.uid };
  const parts = await Promise.all([
    checkPlace({ env, stateDir: path, kubeconfig: values.kubeconfig !== null }),
    checkFolder({ ...folder, minFree: values.minFree }),
    [...ca.faults, ...token.faults],
    checkProxies(env, url),
    // What lies behind a proxy cannot be looked at from here; the request itself still tells trust from distrust.
    url && !proxied(env, url) ? checkCertificate(url, ca.value) : [],
    checkControlPlane(connection),
    sums.faults,
    checkTools({
      path: env.PATH ?? "",
      cacheDir: values.toolsDir ?? toolsFolder({ env }),
      mirror: values.toolsMirror,
      sums: sums.value ?? new Map(),
      ca: ca.value,
    }),
    checkEngine({ wanted: values.containerEngine, env, uid: home.uid }),
    checkProfiles({ ...rules, given: values.containerProfiles }),
    checkGpus(env.PATH ?? ""),
    checkCluster(kubeFor(context)),
    checkPolicy({ ...rules, given: values.policy }),
    checkTrustedKeys({ ...rules, given: values.trustKeys }),
    checkCollector(env),
    pluginsFor(context).then(checkPlugins),
    checkService(values.instance),
    checkReleases({ base: values.releaseUrl, publicKey: values.publicKey, ca: ca.value }),
  ]);
  return parts.flat();
}

async function checkCoordinator({ values, env }: Context): Promise<Finding[]> {
  const { listen, tlsCert, tlsKey, insecure } = values;
  const path = values.dataDir ?? join(stateBase({ env, uid: process.getuid?.() ?? 0 }), "coordinator");
  const folder = { name: "data folder", flag: "--data-dir", path, lockFile: "coordinator.lock", user: "coordinator" };
  return [
    whichPlace(env),
    ...checkFolder({ ...folder, minFree: values.minFree }),
    ...(await checkListen(listen, tlsCert !== null, insecure)),
    ...checkTlsFiles(tlsCert, tlsKey),
    ...checkAdminKey(values.adminKeyFile ?? join(path, "admin.key")),
  ];
}

/** What a file gives, or the finding that it gives nothing: the other checks go on without it. */
function given<T>(check: string, read: () => T): { readonly value: T | null; readonly faults: readonly Finding[] } {
  try {
    return { value: read(), faults: [] };
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    return { value: null, faults: [findings(check).failed(error.message, error.remedy ?? "Check the file.")] };
  }
}

const MARK = { ok: ["✓", "green"], warning: ["!", "yellow"], failed: ["✗", "red"] } as const;

function textOf(found: readonly Finding[], paint: ReturnType<typeof painter>): string {
  const width = Math.max(...found.map((one) => one.check.length));
  return found
    .map(({ check, status, text, remedy }) => {
      const [mark, colour] = MARK[status];
      return `${paint(mark, colour)} ${check.padEnd(width)}  ${text}${remedy === null ? "" : ` → ${remedy}`}`;
    })
    .join("\n");
}
