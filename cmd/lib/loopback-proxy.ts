const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
const LOOPBACK = ["localhost", "127.0.0.1", "::1"];

/**
 * A proxy cannot reach what listens on this machine alone, so that is exempt from it in `env` (changed in place), for
 * our own requests as for the tools that inherit it. Without proxy variables nothing is changed.
 */
export function exemptLoopback(env: Record<string, string | undefined>): void {
  if (![...PROXIES, ...PROXIES.map((name) => name.toLowerCase())].some((name) => env[name])) return;
  const spelt = ["NO_PROXY", "no_proxy"].filter((name) => env[name]);
  for (const name of spelt.length > 0 ? spelt : ["NO_PROXY"]) {
    const given = (env[name] ?? "").split(",").filter((one) => one.trim() !== "");
    if (given.some((one) => one.trim() === "*")) continue;
    env[name] = [...given, ...LOOPBACK.filter((host) => !given.includes(host))].join(",");
  }
}
