import { RunnerError } from "../../protocol/errors.ts";

/** An image with everything that engines would otherwise guess, each in its own way. */
export interface ImageReference {
  /** Registry with its port. */
  readonly host: string;
  readonly repository: string;
  /** null: pinned by its digest alone. */
  readonly tag: string | null;
  /** `sha256:…`; null: not pinned. */
  readonly digest: string | null;
  /** What the engine is asked for: by digest where there is one, so that it checks it. */
  readonly text: string;
}

const HOST = /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(?::\d{1,5})?$/;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** Other names of the registry that is meant by an image without a host. */
const DOCKER_HUB = /^(?:index|registry-1|registry\.hub)\.docker\.(?:io|com)$/;

/** One spelling of a host: lower case, no dot at its end, no port that goes without saying. */
export const plainHost = (host: string, port = "443"): string =>
  host
    .toLowerCase()
    .replace(new RegExp(`:${port}$`), "")
    .replace(/\.(?=:|$)/, "");

/** Reads `app`, `team/app:1`, `host:5000/app@sha256:…`. Throws RunnerError job; what it takes is never an option. */
export function imageReference(image: string): ImageReference {
  const wrong = (why: string) =>
    new RunnerError("job", `the image ${JSON.stringify(image.slice(0, 200))} cannot be used: ${why}`, {
      remedy: "Write it as registry.example.com/team/app:1.2 or …/app@sha256: and 64 hexadecimal digits.",
    });
  const [named = "", digest = null, ...more] = image.split("@");
  if (more.length > 0 || (digest !== null && !/^sha256:[0-9a-f]{64}$/.test(digest))) {
    throw wrong("its digest is not sha256: and 64 hexadecimal digits");
  }
  const slash = named.indexOf("/");
  const first = slash === -1 ? "" : named.slice(0, slash);
  const hasHost = first === "localhost" || /[.:]/.test(first);
  const given = hasHost ? plainHost(first) : "docker.io";
  const host = DOCKER_HUB.test(given) ? "docker.io" : given;
  const path = hasHost ? named.slice(slash + 1) : named;
  const colon = path.lastIndexOf(":");
  const short = colon === -1 ? path : path.slice(0, colon);
  const repository = host === "docker.io" && !short.includes("/") ? `library/${short}` : short;
  const tag = colon === -1 ? (digest === null ? "latest" : null) : path.slice(colon + 1);
  if (!HOST.test(host)) throw wrong("its registry is no host");
  if (!REPOSITORY.test(repository)) throw wrong("its name is not lower-case letters, digits, dots, dashes and slashes");
  if (tag !== null && !TAG.test(tag)) throw wrong("its tag is not one");
  const text = `${host}/${repository}${digest === null ? `:${tag}` : `@${digest}`}`;
  return { host, repository, tag, digest, text };
}
