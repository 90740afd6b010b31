import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type LoginPlace, registryLogin } from "../kit/cloud/index.ts";
import { MARKER } from "../kit/exec/index.ts";
import { checkout, gitAddress, type SshOptions } from "../kit/git/index.ts";
import { besidePublic } from "../kit/http/certificate.ts";
import { artifactSource, pullArtifact } from "../kit/oci/index.ts";
import { RunnerError } from "../protocol/errors.ts";
import type { OciRegistry } from "../protocol/nuon/plans.ts";
import type { SourceFetcher, SourceScope, ToolFinder } from "./handler.ts";

export interface SourcesOptions {
  /** The control plane's address: its host may serve `/v2/` without TLS when it is itself reached that way. */
  readonly apiUrl: string;
  readonly ca?: string;
  /** `file://` repositories: on for run-local, off for a runner that takes work from elsewhere. */
  readonly allowFileUrls: boolean;
  readonly tools: ToolFinder;
  /** Of an artifact, unpacked, or of a repository. */
  readonly limits: { readonly maxBytes: number; readonly maxFiles: number };
  /** What logins of cloud registries are made of. Default: nothing of the runner's process. */
  readonly cloud?: Omit<LoginPlace, "session">;
  readonly git: {
    /** Limit of the cache of repositories; 0: none. */
    readonly cacheBytes: number;
    readonly ssh: SshOptions;
  };
}

/** A registry of a cloud with the login that the cloud makes for it now; any other as it is. */
async function loggedIn(registry: OciRegistry, place: LoginPlace, secret: SourceScope["secret"]): Promise<OciRegistry> {
  const { RegistryType: type, LoginServer: host, ECRAuth: aws, ACRAuth: azure, OCIAuth: given } = registry;
  if (type !== "ecr" && type !== "acr") return registry;
  if (type === "acr" && given?.Password) return registry;
  const login = await registryLogin(
    host ?? "",
    type === "ecr" ? { cloud: "aws", auth: aws ?? {} } : { cloud: "azure", auth: azure ?? {} },
    place,
  );
  secret(login.password);
  // What the policy was asked about is what is pulled from: AWS does not put another registry in its place.
  const named = (host || registry.Repository || "").replace(/^https?:\/\//, "").split("/")[0] ?? "";
  const made = login.server.replace(/^https?:\/\//, "");
  if (made !== "" && made !== named) {
    throw new RunnerError(
      "job",
      `the source names the registry ${named || "of nobody"}, and the plan's keys are for ${made}`,
      {
        remedy: "Name the registry of these keys, with its account and region.",
      },
    );
  }
  return {
    ...registry,
    OCIAuth: { Username: login.username, Password: login.password },
    LoginServer: login.server || (host ?? ""),
  };
}

/** How handlers get sources, bound to the job's signal. */
export function createSources(options: SourcesOptions) {
  const api = new URL(options.apiUrl);
  const insecureHosts = api.protocol === "http:" ? [api.host] : [];
  return ({ executionId, signal, note, secret }: SourceScope): SourceFetcher => ({
    async oci({ registry, tag }, into) {
      const place = { env: {}, ...options.cloud, session: `runner-${executionId}` };
      const source = artifactSource(await loggedIn(registry, place, secret), tag);
      // The control plane is held to its own authority; a registry elsewhere may have a public one.
      const ca = options.ca && source.host !== api.host ? besidePublic(options.ca) : options.ca;
      const pulled = await pullArtifact(source, into, {
        insecureHosts,
        signal,
        ...(ca === undefined ? {} : { ca }),
        ...options.limits,
      });
      note(`source ${pulled.digest.slice(0, 19)} unpacked: ${pulled.files} files, ${pulled.bytes} bytes`);
    },
    async git({ url, ref, path, submodules, knownHosts }, into) {
      const allow = options.allowFileUrls ? (["file"] as const) : [];
      secret(...gitAddress(url, allow).secrets);
      const git = await options.tools.find("git", null);
      const known = `${into}.known-hosts`;
      if (knownHosts) {
        mkdirSync(dirname(into), { recursive: true, mode: 0o700 });
        writeFileSync(known, `${knownHosts.trim()}\n`, { mode: 0o600 });
      }
      const done = await checkout({
        url,
        ref,
        path,
        submodules,
        into,
        // The mark lets cleanup find a git that a killed runner left behind.
        env: options.tools.env({ [MARKER]: executionId }),
        signal,
        git,
        allow,
        cache: { dir: join(options.tools.cacheDir, "git"), maxBytes: options.git.cacheBytes },
        limits: options.limits,
        ssh: { ...options.git.ssh, ...(knownHosts ? { alsoKnown: known } : {}) },
      }).finally(() => rmSync(known, { force: true }));
      if (done === null)
        throw new RunnerError("job", "the git source has no url", { remedy: "name one, or leave the source out" });
      note(`source checked out at ${done.commit}`);
      return done.commit;
    },
  });
}
