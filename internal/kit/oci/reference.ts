import { RunnerError } from "../../protocol/errors.ts";
import type { OciRegistry } from "../../protocol/nuon/plans.ts";
import { OCI_REGISTRY_TYPES } from "../../protocol/nuon/words.ts";

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Where an artifact is and how to log in. */
export interface ArtifactSource {
  /** `https://` or `http://` when the source says so; null: https, and http only for loopback and `insecureHosts`. */
  readonly scheme: "https" | "http" | null;
  /** Name or address with an optional port. */
  readonly host: string;
  readonly repository: string;
  /** Tag or `sha256:…`. */
  readonly reference: string;
  /** null: anonymous. */
  readonly credentials: Credentials | null;
}

const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const REFERENCE = /^(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|sha256:[0-9a-f]{64})$/;

/**
 * Reads the registry block of a plan (nuon-handlers.md 5.3): `Repository` with or without its host, `LoginServer` with
 * or without a scheme. The login of a cloud (ecr, acr) was made before. Throws RunnerError (protocol) for nonsense.
 */
export function artifactSource(registry: OciRegistry, reference: string): ArtifactSource {
  const type = registry.RegistryType ?? "";
  if (type !== "" && !OCI_REGISTRY_TYPES.some((known) => known === type)) {
    throw bad(`the registry type ${JSON.stringify(type)} is unknown`);
  }
  const server = splitScheme(registry.LoginServer ?? "");
  const named = splitScheme(registry.Repository ?? "");
  const { host, repository } = splitHost(named.rest, server.rest);
  if (!/^(?:\[[0-9a-f:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(?::\d{1,5})?$/i.test(host)) {
    throw bad(
      host === "" ? "the plan names no registry server" : `the registry server ${JSON.stringify(host)} is not valid`,
    );
  }
  if (!REPOSITORY.test(repository)) throw bad(`the repository ${JSON.stringify(repository)} is not valid`);
  if (!REFERENCE.test(reference)) throw bad(`the tag ${JSON.stringify(reference)} is not valid`);
  const login = registry.OCIAuth;
  const credentials =
    login?.Username || login?.Password ? { username: login.Username ?? "", password: login.Password ?? "" } : null;
  return { scheme: server.scheme ?? named.scheme, host, repository, reference, credentials };
}

function splitScheme(text: string): { scheme: "https" | "http" | null; rest: string } {
  const found = /^(https?):\/\//i.exec(text);
  const rest = text.slice(found?.[0].length ?? 0).replace(/\/+$/, "");
  const scheme = found?.[1]?.toLowerCase();
  return { scheme: scheme === "https" || scheme === "http" ? scheme : null, rest };
}

function splitHost(repository: string, server: string): { host: string; repository: string } {
  if (server !== "") {
    return {
      host: server,
      repository: repository.startsWith(`${server}/`) ? repository.slice(server.length + 1) : repository,
    };
  }
  const slash = repository.indexOf("/");
  const first = slash === -1 ? "" : repository.slice(0, slash);
  const isHost = first === "localhost" || /[.:]/.test(first);
  return isHost ? { host: first, repository: repository.slice(slash + 1) } : { host: "", repository };
}

/** Loopback names and addresses, with or without a port. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "");
  return name === "localhost" || name === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(name);
}

function bad(why: string): RunnerError {
  return new RunnerError("protocol", why, { remedy: "check the registry block of the plan" });
}
