import { createConnection } from "node:net";
import { type Finding, findings } from "./finding.ts";

type Env = Readonly<Record<string, string | undefined>>;

const NAMES = ["HTTPS_PROXY", "HTTP_PROXY"] as const;
const CONNECT_MS = 5_000;

/** The proxy variable in force, in either spelling. null: none. */
function proxyOf(env: Env, name: string): { readonly name: string; readonly value: string } | null {
  for (const spelt of [name.toLowerCase(), name]) {
    const value = env[spelt];
    if (value) return { name: spelt, value };
  }
  return null;
}

/** Whether requests to `url` go through a proxy, by the variables of this process. */
export function proxied(env: Env, url: URL): boolean {
  const list = (env.no_proxy || env.NO_PROXY || "").split(",").map((one) => one.trim().toLowerCase());
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const exempt = list.some(
    (one) => one === "*" || one === host || (one !== "" && host.endsWith(`.${one.replace(/^\./, "")}`)),
  );
  return !exempt && proxyOf(env, url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY") !== null;
}

/** Are the proxy variables of one mind, and does something answer there? `target`: what the runner talks to. */
export async function checkProxies(env: Env, target: URL | null): Promise<Finding[]> {
  const say = findings("proxy");
  const set = NAMES.map((name) => proxyOf(env, name)).filter((one) => one !== null);
  if (set.length === 0) return [say.ok("no proxy variable is set")];
  const findingsOfAll = await Promise.all(set.map((one) => checkOne(one, env)));
  const faults = findingsOfAll.filter((one) => one !== null);
  if (faults.length > 0) return faults;
  const way = target === null ? "" : `; ${target.host} is reached ${proxied(env, target) ? "through it" : "directly"}`;
  return [say.ok(`${set.map(({ name, value }) => `${name}=${shown(value)}`).join(", ")}${way}`)];
}

async function checkOne({ name, value }: { name: string; value: string }, env: Env): Promise<Finding | null> {
  const say = findings("proxy");
  const other = env[name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase()];
  if (other && other !== value) {
    const text = `${name} and its other spelling name two proxies: ${shown(value)} and ${shown(other)}`;
    return say.warning(text, "Programs differ in which one they read: set both to the same, or unset one.");
  }
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return say.failed(`${name} is not an address`, `Write ${name}=http://HOST:PORT, or unset it.`);
  }
  if (await answers(url)) return null;
  const text = `${name}: nothing answers at ${shown(value)}`;
  return say.failed(text, `Correct ${name}, unset it, or name the control plane in NO_PROXY.`);
}

/** User and password never show. */
function shown(value: string): string {
  const url = URL.parse(value);
  return url ? `${url.protocol}//${url.host}` : "(not an address)";
}

function answers(url: URL): Promise<boolean> {
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  return new Promise((resolve) => {
    const socket = createConnection({ host: url.hostname.replace(/^\[|\]$/g, ""), port, timeout: CONNECT_MS });
    const end = (reached: boolean) => {
      socket.destroy();
      resolve(reached);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
  });
}
