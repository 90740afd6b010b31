/** `warning` is worth knowing, `failed` would stop the work. */
export type FindingStatus = "ok" | "warning" | "failed";

/** What one check found. */
export interface Finding {
  /** Two words at most: `state directory`. */
  readonly check: string;
  readonly status: FindingStatus;
  /** One line. */
  readonly text: string;
  /** One line: what to do. Null only for `ok`. */
  readonly remedy: string | null;
}

/** Findings of one check, named once. */
export function findings(check: string) {
  return {
    ok: (text: string): Finding => ({ check, status: "ok", text, remedy: null }),
    warning: (text: string, remedy: string): Finding => ({ check, status: "warning", text, remedy }),
    failed: (text: string, remedy: string): Finding => ({ check, status: "failed", text, remedy }),
  };
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `11.3 GiB`. */
export function sizeText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`;
}
