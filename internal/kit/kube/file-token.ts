import { readFileSync, statSync } from "node:fs";

/** A token that somebody else renews in a file (service accounts): read again when the file changed. */
export function fileToken(path: string): () => Promise<string> {
  let read = { at: -1, token: "" };
  return async () => {
    const at = statSync(path).mtimeMs;
    if (at !== read.at) read = { at, token: readFileSync(path, "utf8").trim() };
    return read.token;
  };
}
