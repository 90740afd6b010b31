import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { ReleaseManifest } from "../../internal/kit/release/manifest.ts";
import type { Program } from "./release-programs.ts";
import { ROOT } from "./spawn.ts";

/** Package in bun.lock: `["name@version", …, "sha512-…"]`. */
const lockFile = z.object({ packages: z.record(z.string(), z.array(z.unknown())) });
const packageJson = z.object({ name: z.string(), version: z.string(), license: z.string().optional() });

type Component = Readonly<Record<string, unknown>> & { readonly "bom-ref": string };

/** CycloneDX 1.6: the npm packages whose code is in the programs, Bun's runtimes, and the tools beside them. */
export function makeSbom(manifest: ReleaseManifest, programs: readonly Program[]): object {
  const parts = [...libraries(programs), ...runtimes(programs), ...tools(manifest)];
  const ref = `runner@${manifest.version}`;
  const body = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: manifest.made,
      lifecycles: [{ phase: "build" }],
      component: {
        type: "application",
        "bom-ref": ref,
        name: "runner",
        version: manifest.version,
        licenses: licensesOf(own().license),
        components: manifest.artifacts.map(({ file, sha256 }) => ({
          type: "file",
          "bom-ref": file,
          name: file,
          hashes: [{ alg: "SHA-256", content: sha256 }],
        })),
      },
    },
    components: parts,
    dependencies: [{ ref, dependsOn: parts.map((part) => part["bom-ref"]) }],
  };
  return { $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", serialNumber: uuidOf(body), ...body };
}

const own = () => packageJson.parse(JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")));

/** Packages that a module of the programs lies in: what is only installed for development is not in them. */
function libraries(programs: readonly Program[]): Component[] {
  const folders = new Set(programs.flatMap(({ modules }) => modules).flatMap((path) => folderOf(path) ?? []));
  const locked = integrities();
  return [...folders].sort().map((folder) => {
    const { name, version, license } = packageJson.parse(
      JSON.parse(readFileSync(`${ROOT}${folder}/package.json`, "utf8")),
    );
    const integrity = locked.get(`${name}@${version}`);
    const purl = purlOf(name, version);
    return {
      type: "library",
      // The same version may lie in two folders.
      "bom-ref": `${purl}#${folder}`,
      name,
      version,
      purl,
      licenses: licensesOf(license),
      ...(integrity === undefined ? {} : { hashes: [{ alg: "SHA-512", content: integrity }] }),
    };
  });
}

/** `node_modules/a/node_modules/@b/c` of a module's path; null: it is ours. */
function folderOf(path: string): string | null {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? null;
}

/** `name@version` → SHA-512 of the package as the registry has it, hex. */
function integrities(): ReadonlyMap<string, string> {
  const { packages } = lockFile.parse(Bun.JSONC.parse(readFileSync(`${ROOT}bun.lock`, "utf8")));
  return new Map(
    Object.values(packages).flatMap((entry) => {
      const [id, last] = [entry[0], entry.at(-1)];
      if (typeof id !== "string" || typeof last !== "string" || !last.startsWith("sha512-")) return [];
      return [[id, Buffer.from(last.slice("sha512-".length), "base64").toString("hex")] as const];
    }),
  );
}

function runtimes(programs: readonly Program[]): Component[] {
  const used = new Map(programs.map(({ runtime }) => [runtime.runtime, runtime.sha256]));
  return [...used].sort().map(([runtime, sha256]) => {
    const purl = purlOf(`@oven/bun-${runtime}`, Bun.version);
    return {
      type: "platform",
      "bom-ref": purl,
      name: `@oven/bun-${runtime}`,
      version: Bun.version,
      description:
        "Bun, with JavaScriptCore of WebKit (LGPL-2) and other libraries linked in, as its LICENSE lists them",
      purl,
      licenses: licensesOf("MIT"),
      // Of the program as it is put in, not of the package.
      hashes: [{ alg: "SHA-256", content: sha256 }],
    };
  });
}

function tools({ tools }: ReleaseManifest): Component[] {
  return tools.map(({ tool, version, platform, file, sha256 }) => ({
    type: "application",
    "bom-ref": file,
    name: tool,
    version,
    purl: `pkg:generic/${tool}@${version}?platform=${platform}`,
    hashes: [{ alg: "SHA-256", content: sha256 }],
  }));
}

function licensesOf(license: string | undefined): readonly object[] {
  if (license === undefined || license === "") return [];
  if (/\s(?:OR|AND|WITH)\s/.test(license)) return [{ expression: license.replace(/^\((.*)\)$/, "$1") }];
  return [{ license: /^[A-Za-z0-9.+-]+$/.test(license) ? { id: license } : { name: license } }];
}

const purlOf = (name: string, version: string) =>
  `pkg:npm/${name.split("/").map(encodeURIComponent).join("/")}@${encodeURIComponent(version)}`;

/** The same content has the same number. */
function uuidOf(body: object): string {
  const hex = createHash("sha256").update(JSON.stringify(body)).digest("hex");
  const groups = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return `urn:uuid:${groups.join("-")}`;
}
