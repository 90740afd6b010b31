import { readFileSync } from "node:fs";
import type { ReleaseManifest } from "../../internal/kit/release/manifest.ts";
import { type Program, sha256 } from "./release-programs.ts";
import type { Source } from "./release-source.ts";
import { ROOT } from "./spawn.ts";

/**
 * An in-toto statement (v1) with SLSA's provenance (v1): what the programs were made from, how and by whom. It says what
 * the builder says; being listed in SHA256SUMS it carries the release key's signature.
 */
export function makeProvenance(manifest: ReleaseManifest, programs: readonly Program[], source: Source): object {
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: manifest.artifacts.map(({ file, sha256 }) => ({ name: file, digest: { sha256 } })),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "urn:runner:build:npm-run-release:v1",
        externalParameters: {
          version: manifest.version,
          targets: programs.map(({ target }) => target),
          command: `npm run release -- ${programs.map(({ target }) => `--target ${target}`).join(" ")} --version ${manifest.version}`,
        },
        internalParameters: { uncommittedChanges: source.changed, sourceDate: manifest.made },
        resolvedDependencies: [...sourceParts(source), ...runtimes(programs), ...tools(manifest)],
      },
      runDetails: {
        builder: {
          // Whoever holds the release key vouches for it: a CI names itself.
          id: process.env.RUNNER_RELEASE_BUILDER ?? "urn:runner:builder:local",
          version: { bun: Bun.version },
        },
        metadata: { invocationId: `${manifest.version}@${manifest.made}` },
      },
    },
  };
}

function sourceParts({ commit, origin }: Source): object[] {
  const file = (name: string) => ({ name, digest: { sha256: sha256(readFileSync(ROOT + name)) } });
  const code = commit === "" ? [] : [{ uri: origin ?? "git:runner", digest: { gitCommit: commit } }];
  return [...code, file("bun.lock"), file("build-config.yaml")];
}

function runtimes(programs: readonly Program[]): object[] {
  const used = new Map(programs.map(({ runtime }) => [runtime.runtime, runtime.sha256]));
  return [...used].map(([name, sum]) => ({
    uri: `pkg:npm/%40oven/bun-${name}@${Bun.version}`,
    digest: { sha256: sum },
    annotations: { part: "the program in the package" },
  }));
}

const tools = ({ tools }: ReleaseManifest) =>
  tools.map(({ tool, version, platform, sha256 }) => ({
    uri: `pkg:generic/${tool}@${version}?platform=${platform}`,
    digest: { sha256 },
  }));
