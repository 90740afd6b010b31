import { pathToFileURL } from "node:url";

/** `{tool}_{version}` with the words put in. */
export function inWords(text: string, tool: string, version: string, platform: string): string {
  const [os = "", arch = ""] = platform.split("_");
  const words: Record<string, string> = { tool, version, platform, os, arch };
  return text.replace(/\{(\w+)\}/g, (_, word: string) => words[word] ?? "");
}

/** Where an archive lies below a vendor's address, or a mirror's: an address or the absolute path of a folder. */
export function archiveAddress(base: string, archive: string): string {
  const address = base.startsWith("/") ? pathToFileURL(base).href : base;
  return `${address.replace(/\/+$/, "")}/${archive}`;
}
