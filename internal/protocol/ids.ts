/**
 * Identifiers: a three letter prefix and 23 characters of [0-9a-z], 26 in all (nuon-runner-api.md 1.9).
 * Foreign servers may send others, so schemas of incoming documents take any non-empty string.
 */
const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";
const BODY_LENGTH = 23;

/** What an id names; the key is the word of DESIGN section 2. */
export const ID_PREFIX = {
  runner: "run",
  runnerIdentity: "rid",
  execution: "run",
  job: "job",
  change: "chg",
  logStream: "log",
  workspace: "tfw",
  state: "tfs",
  heartBeat: "hrt",
  healthCheck: "hlt",
  settings: "rgs",
  runnerGroup: "rgr",
  org: "org",
  install: "inl",
  app: "app",
  appConfig: "apc",
  component: "cmp",
  deploy: "dpl",
  actionRun: "iar",
  actionWorkflow: "acw",
  actionConfig: "acc",
  actionStep: "acs",
  instance: "ins",
  session: "ses",
} as const;

export function newId(kind: keyof typeof ID_PREFIX): string {
  let id: string = ID_PREFIX[kind];
  // 252 is the largest multiple of 36 in a byte: larger values are drawn again, so every character is equally likely.
  const bytes = new Uint8Array(BODY_LENGTH * 2);
  while (id.length < BODY_LENGTH + 3) {
    crypto.getRandomValues(bytes);
    for (const byte of bytes) {
      if (byte < 252 && id.length < BODY_LENGTH + 3) id += ALPHABET[byte % 36];
    }
  }
  return id;
}

/** A secret of 256 bits for tokens and passwords, URL-safe. */
export function newSecret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
}

/** An execution's id names its folder: nothing in it may lead out of the state directory, whoever gave it. */
export const FOLDER_NAME = /^[A-Za-z0-9][\w.-]{0,127}$/;
