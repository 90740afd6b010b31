import { fail, type Result } from "../../protocol/errors.ts";

/** Who has proved to be there. */
export interface Proven {
  /** In the words of the cloud: an ARN, an e-mail address, a subject. */
  readonly subject: string;
  /** The identity of the runner that it fits. */
  readonly identityId: string;
  /** What of the proof counts once, however the rest of it is written; null: it may be shown again. */
  readonly once: string | null;
}

/** `refused`: the proof is no good. `later`: it could not be checked. `why` is for our own log only. */
export interface Refusal {
  readonly kind: "refused" | "later";
  readonly why: string;
}
export type Verdict = Result<Proven, Refusal>;

export const refused = (why: string): { readonly ok: false; readonly error: Refusal } => fail({ kind: "refused", why });
export const later = (why: string): { readonly ok: false; readonly error: Refusal } => fail({ kind: "later", why });

/** One identity that a runner trusts. */
export interface Trusted<T> {
  readonly id: string;
  readonly identity: T;
}

/** What a proof has to be for. */
export interface Target {
  readonly runnerId: string;
  /** Scheme and host of this coordinator, as its own settings say: never what a request claims. */
  readonly origin: string;
  /** ms since the epoch. */
  readonly now: number;
}
