import type { JobGroup } from "../protocol/enums.ts";
import type { CommandName } from "./commands.ts";

/**
 * One setting as data. Flag, env name, file key, help line and docs row all come from here; nothing else names them.
 * The file key is the flag without its dashes.
 */
interface Base {
  /** Without the leading dashes; also the key in the file. */
  readonly flag: string;
  /** One letter, without the dash. */
  readonly short?: string;
  readonly env: string;
  readonly commands: readonly CommandName[];
  /** One sentence with units. */
  readonly description: string;
  /** As a person would write it; parsed by the same code. Absent: no value. */
  readonly default?: string;
  /** What happens without a value, for help and docs. */
  readonly otherwise?: string;
  /** Never shown, logged or echoed in an error. */
  readonly secret?: true;
}

export type Setting =
  | (Base & { readonly type: "string" | "bool" | "path" | "url" | "place" | "address" | "slots" | "labels" })
  | (Base & { readonly type: "int"; readonly min: number; readonly max: number })
  /** Limits as text, in the setting's own unit. */
  | (Base & { readonly type: "duration" | "bytes"; readonly min: string; readonly max: string })
  | (Base & { readonly type: "enum"; readonly values: readonly [string, ...string[]] });

/** Host and port to listen on; port 0 is any free one. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `GROUP=N` pairs; `all` stands for every group that is not named. */
export type Concurrency = Readonly<Partial<Record<JobGroup | "all", number>>>;

interface TypeMap {
  readonly string: string;
  readonly bool: boolean;
  readonly path: string;
  readonly url: string;
  /** An http(s) URL or the absolute path of a folder. */
  readonly place: string;
  readonly address: Address;
  readonly slots: Concurrency;
  readonly labels: Readonly<Record<string, string>>;
  readonly int: number;
  /** Milliseconds. */
  readonly duration: number;
  readonly bytes: number;
}

type Parsed<S> = S extends { type: "enum"; values: readonly (infer V)[] }
  ? V
  : S extends { type: infer T extends keyof TypeMap }
    ? TypeMap[T]
    : never;

/** The type of a setting's value: null when it has neither a value nor a default. */
export type ValueOf<S> = S extends { default: string } ? Parsed<S> : Parsed<S> | null;
