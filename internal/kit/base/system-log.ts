/** The process's own log on stderr, for operators; job output never goes here. */
export type LogLevel = "debug" | "info" | "warn" | "error";
export type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface SystemLog {
  debug(text: string, fields?: Fields): void;
  info(text: string, fields?: Fields): void;
  warn(text: string, fields?: Fields): void;
  error(text: string, fields?: Fields): void;
}

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface SystemLogOptions {
  readonly format: "text" | "json";
  readonly level: LogLevel;
  readonly write: (line: string) => void;
}

export function createSystemLog(options: SystemLogOptions): SystemLog {
  const emit = (level: LogLevel, text: string, fields: Fields = {}) => {
    if (RANK[level] < RANK[options.level]) return;
    const at = new Date().toISOString();
    const given = Object.entries(fields).filter(([, value]) => value !== undefined);
    const line =
      options.format === "json"
        ? JSON.stringify({ at, level, text, ...Object.fromEntries(given) })
        : `${at} ${level.padEnd(5)} ${text}${given.map(([key, value]) => ` ${key}=${quote(value)}`).join("")}`;
    options.write(`${line}\n`);
  };
  return {
    debug: (text, fields) => emit("debug", text, fields),
    info: (text, fields) => emit("info", text, fields),
    warn: (text, fields) => emit("warn", text, fields),
    error: (text, fields) => emit("error", text, fields),
  };
}

function quote(value: unknown): string {
  const text = String(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

export const silentLog: SystemLog = { debug() {}, info() {}, warn() {}, error() {} };
