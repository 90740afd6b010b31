import { RunnerError } from "../../protocol/errors.ts";
import { isLoopback } from "../oci/reference.ts";
import { type Engine, lastLine, saysEngineGone, unanswered } from "./engine.ts";
import type { ImageReference } from "./image-reference.ts";

export function pullArgv(engine: Engine, image: ImageReference): [string, ...string[]] {
  // Docker takes plain HTTP on loopback by itself.
  const plain = engine.name === "podman" && isLoopback(image.host) ? ["--tls-verify=false"] : [];
  return [engine.program, "pull", ...plain, image.text];
}

/** Text of a login file that both engines read: the job's own, or none at all, never the machine's. */
export function authFile(
  image: ImageReference,
  login: { readonly username: string; readonly password: string } | null,
): { readonly text: string; readonly secret: string | null } {
  if (login === null) return { text: '{"auths":{}}', secret: null };
  const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64");
  const hosts = image.host === "docker.io" ? ["docker.io", "https://index.docker.io/v1/"] : [image.host];
  return { text: JSON.stringify({ auths: Object.fromEntries(hosts.map((host) => [host, { auth }])) }), secret: auth };
}

type Cause = readonly [RegExp, (image: ImageReference) => readonly [what: string, remedy: string]];

/** What registries and engines say, in the order in which it is looked for. */
const CAUSES: readonly Cause[] = [
  [
    /no space left on device|disk quota exceeded/i,
    () => [
      "the disk of the engine's store is full",
      "Free space there: `podman system df` or `docker system df` shows what uses it.",
    ],
  ],
  [
    /unauthorized|authentication required|no basic auth credentials|invalid username\/password|access (?:to the resource )?is denied|denied: |forbidden/i,
    ({ host }) => [`${host} refused the login`, "Check spec.credentials, and that this user may pull the image."],
  ],
  [
    /manifest unknown|manifest for .* not found|name unknown|repository .*not (?:found|known)|does not exist|not found: manifest|reading manifest/i,
    ({ host, digest }) => [
      `${host} has no such image${digest === null ? "" : " with this digest"}`,
      digest === null
        ? "Check its name and tag."
        : "Check the digest: it is that of the manifest in this very registry.",
    ],
  ],
  [
    /digest .*mismatch|does not match|did not match|invalid checksum|digest invalid/i,
    ({ host }) => [
      `what ${host} sent is not what its digest says`,
      "Check the registry: it is broken or was tampered with.",
    ],
  ],
  [
    /x509|certificate|server gave HTTP response to HTTPS client|tls:/i,
    ({ host }) => [
      `${host} has no certificate that the engine trusts`,
      `Put its authority into /etc/containers/certs.d/${host}/ca.crt (docker: /etc/docker/certs.d/${host}/ca.crt).`,
    ],
  ],
  [
    /connection refused|no such host|i\/o timeout|timed out|network is unreachable|no route to host|EOF|connection reset|server misbehaving|dial tcp|50\d /i,
    ({ host }) => [`${host} cannot be reached`, "Check the network and the proxy settings of the runner's machine."],
  ],
];

/** Why a pull failed, from what the engine said last. */
export function explainPull(engine: Engine, image: ImageReference, said: string): RunnerError {
  if (saysEngineGone(said)) return unanswered(engine, lastLine(said));
  const last = lastLine(said);
  const known = CAUSES.find(([pattern]) => pattern.test(last)) ?? CAUSES.find(([pattern]) => pattern.test(said));
  const [what, remedy] = known?.[1](image) ?? ["the pull failed", undefined];
  const text = `the image ${image.text} could not be pulled: ${what}${last === "" ? "" : ` (${last})`}`;
  return new RunnerError("job", text, remedy === undefined ? {} : { remedy });
}
