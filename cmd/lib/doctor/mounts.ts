import { readFileSync } from "node:fs";

/** Whether nobody here can change the mode of this file (an absolute path without links): its mount is read-only. */
export function isReadOnlyMount(path: string, mountinfo: string = readMounts()): boolean {
  let found = { point: "", readOnly: false };
  for (const line of mountinfo.split("\n")) {
    const [, , , , point = "", options = ""] = line.split(" ");
    const plain = point.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const within = path === plain || path.startsWith(plain.endsWith("/") ? plain : `${plain}/`);
    // Later lines lie over earlier ones.
    if (plain !== "" && within && plain.length >= found.point.length) {
      found = { point: plain, readOnly: options.split(",").includes("ro") };
    }
  }
  return found.readOnly;
}

/** Empty where there is no such file (macOS). */
function readMounts(): string {
  try {
    return readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return "";
  }
}
