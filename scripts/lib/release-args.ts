import { parseArgs } from "node:util";
import { isReleaseVersion } from "../../internal/kit/release/manifest.ts";
import { buildConfig } from "../../internal/kit/tools/build-config.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";

export interface ReleaseArgs {
  /** Names of build-config.yaml; all of them when none is named. */
  readonly targets: readonly string[];
  /** The release folder; null: dist/release/VERSION. */
  readonly out: string | null;
  /** The private key; null: the one for development. */
  readonly key: string | null;
  /** null: that of package.json with the commit. */
  readonly version: string | null;
  readonly tools: boolean;
  /** Sign it as the newest of the folder of releases that it goes into. */
  readonly latest: boolean;
  /** A release that is there: nothing is built, it is signed as the newest of its folder. null: build. */
  readonly promote: string | null;
  /** An OCI reference to push the folder to; null: nowhere. */
  readonly push: string | null;
  /** The registry speaks plain HTTP. */
  readonly plainHttp: boolean;
}

export const RELEASE_HELP = `npm run release -- [--target NAME]… [--out DIR] [--key FILE] [--version V] [--tools] [--latest] [--push REF [--plain-http]]
npm run release -- --promote DIR [--key FILE]

  --target NAME   build only this target of build-config.yaml; may be repeated (default: every one)
  --out DIR       the release folder (default: dist/release/VERSION); a release that lies there is replaced
  --key FILE      private Ed25519 key, PEM (default: one for development, made when missing)
  --version V     instead of that of package.json with the commit
  --tools         put the pinned tools into DIR/tools, in the layout of RUNNER_TOOLS_MIRROR (fetched from there when set)
  --latest        sign it as the newest: DIR is BASE/VERSION, and the signed file BASE/latest names it
  --promote DIR   build nothing: check the release in DIR, BASE/VERSION, and sign it as the newest
  --push REF      push the folder as an OCI artifact with oras (ORAS names the program; default: the one on PATH)
  --plain-http    the registry speaks plain HTTP

A key of one's own: openssl genpkey -algorithm ed25519 -out release.key`;

/** Throws RunnerError usage. */
export function readReleaseArgs(argv: readonly string[]): ReleaseArgs {
  const { values } = parse(argv);
  const known = Object.keys(buildConfig().targets);
  const targets = [...new Set(values.target ?? known)];
  const unknown = targets.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new RunnerError("usage", `build-config.yaml has no target ${JSON.stringify(unknown)}`, {
      remedy: `It has ${known.join(", ")}.`,
    });
  }
  const { version = null } = values;
  if (version !== null && !isReleaseVersion(version)) {
    throw new RunnerError("usage", `${JSON.stringify(version)} cannot be a version`, {
      remedy: "Letters, digits, dot, plus, minus and underscore only, as in 1.2.3 or 1.2.3-rc.1.",
    });
  }
  return {
    targets,
    version,
    out: values.out ?? null,
    key: values.key ?? null,
    tools: values.tools ?? false,
    latest: values.latest ?? false,
    promote: values.promote ?? null,
    push: values.push ?? null,
    plainHttp: values["plain-http"] ?? false,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      options: {
        target: { type: "string", multiple: true },
        out: { type: "string" },
        key: { type: "string" },
        version: { type: "string" },
        tools: { type: "boolean" },
        latest: { type: "boolean" },
        promote: { type: "string" },
        push: { type: "string" },
        "plain-http": { type: "boolean" },
      },
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RunnerError("usage", why, { remedy: "`npm run release -- --help` lists the options.", cause });
  }
}
