import { type ErrorKind, RunnerError } from "../../protocol/errors.ts";

/** Why a request ended without the answer it wanted. `status` null: no (complete) HTTP answer was read. */
export class HttpFailure extends RunnerError {
  readonly status: number | null;
  /** Parsed JSON of an error answer, else undefined. May hold secrets: never print it. */
  readonly body: unknown;
  /** The same request may work later (network, timeout, 408, 429, 5xx, undecodable body). */
  readonly retryable: boolean;
  /** False only when the request certainly never reached the server: the connection was not made. */
  readonly sent: boolean;
  /** What the server asked us to wait, in milliseconds; null when it did not say. */
  readonly retryAfterMs: number | null;

  constructor(kind: ErrorKind, message: string, facts: FailureFacts = {}) {
    super(kind, message, {
      ...(facts.remedy === undefined ? {} : { remedy: facts.remedy }),
      ...(facts.cause === undefined ? {} : { cause: facts.cause }),
    });
    this.name = "HttpFailure";
    this.status = facts.status ?? null;
    this.body = facts.body;
    this.retryable = facts.retryable ?? false;
    this.sent = facts.sent ?? true;
    this.retryAfterMs = facts.retryAfterMs ?? null;
  }
}

interface FailureFacts {
  readonly status?: number;
  readonly body?: unknown;
  readonly retryable?: boolean;
  readonly sent?: boolean;
  readonly retryAfterMs?: number | null;
  readonly remedy?: string;
  readonly cause?: unknown;
}

const QUOTE_LIMIT = 200;

/**
 * What an error answer says, for people: `error` and `description` of a JSON body (the rest may hold a token), else the
 * beginning of the text without mark-up.
 */
export function sayBody(text: string, json: unknown): string {
  if (json !== undefined) return clip(wordsOf(json).join(": "));
  return clip(text.replace(/<(style|script)[\s\S]*?<\/\1>/gi, " ").replace(/<[^>]*>/g, " "));
}

function wordsOf(json: unknown): string[] {
  if (json === null || typeof json !== "object") return [];
  const { error, description } = json as { error?: unknown; description?: unknown };
  return [...new Set([error, description])].filter((word): word is string => typeof word === "string" && word !== "");
}

function clip(text: string): string {
  const line = text.replace(/[\s\x00-\x1f\x7f]+/g, " ").trim();
  return line.length > QUOTE_LIMIT ? `${line.slice(0, QUOTE_LIMIT - 1)}…` : line;
}

/** A URL fit for messages: no credentials, no query, no fragment. */
export function safeUrl(url: string | URL): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname === "/" ? "" : pathname}`;
  } catch {
    return "(not a URL)";
  }
}

/** JSON of a text, or undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
