import type { Operation } from "./schema.ts";

/**
 * What a policy is asked about: all that is known of a job. A list that is `open` may grow: `later`, when the plan of
 * the tool has been made; `never`, nothing that is looked at before the work tells it. null: the job has no such thing.
 */
export interface Facet<T> {
  readonly items: readonly T[];
  readonly open: "no" | "later" | "never";
}

export interface JobFacts {
  readonly type: string;
  readonly operation: Operation;
  readonly sources: Facet<SourceFact> | null;
  readonly images: Facet<ImageFact> | null;
  /** Whole command lines. */
  readonly commands: Facet<string> | null;
  readonly releases: Facet<string> | null;
  readonly terraform: Facet<ResourceFact> | null;
  readonly kubernetes: Facet<ObjectFact> | null;
}

export type SourceFact =
  /** `place` is host/path, lower-case host, without login, scheme and `.git`. */
  | { readonly kind: "git"; readonly place: string; readonly ref: string; readonly submodules: boolean }
  | { readonly kind: "oci"; readonly place: string; readonly reference: string }
  | { readonly kind: "packed" };

export interface ImageFact {
  /** host/repository. */
  readonly place: string;
  readonly pinned: boolean;
}

/** A resource that a plan changes, or a provider it uses (then `type` is empty). */
export interface ResourceFact {
  readonly type: string;
  readonly address: string;
  readonly provider: string;
  readonly actions: readonly string[];
}

export interface ObjectFact {
  readonly kind: string;
  readonly name: string;
  /** Empty: it lies in no namespace. */
  readonly namespace: string;
  /** null: the plan will tell. */
  readonly action: string | null;
}

export const known = <T>(...items: readonly T[]): Facet<T> => ({ items, open: "no" });
