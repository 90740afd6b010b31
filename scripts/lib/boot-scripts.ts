import { readFileSync } from "node:fs";
import { ROOT } from "./spawn.ts";

/** The scripts that make a runner of a new machine: what differs by cloud, then what is the same everywhere. */
const CLOUDS = { aws: "aws-user-data.sh", gcp: "gcp-startup.sh", azure: "azure-custom-data.sh" } as const;

const source = (name: string) => readFileSync(`${ROOT}bundle/boot/src/${name}.sh`, "utf8");

/** File name in bundle/boot → text. One file each: a cloud hands a machine no more than that. */
export function bootScripts(): readonly (readonly [string, string])[] {
  const note = "# Generated from bundle/boot/src by npm run generate.\n";
  return Object.entries(CLOUDS).map(([cloud, file]) => {
    const [first = "", ...rest] = source(cloud).split("\n");
    return [file, `${first}\n${note}${rest.join("\n")}${source("core")}`];
  });
}
