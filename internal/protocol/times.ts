/**
 * One table of beat, lease, renewal, suspect and offline times for both halves. All values in milliseconds.
 * The coordinator announces its values with the session; a runner uses these only before it has one.
 */
export interface Times {
  /** How long a claim without work is held open by the coordinator; also the sign of life of an idle runner. */
  readonly claim_hold_ms: number;
  /** A lease runs out this long after it was granted or renewed. */
  readonly lease_ms: number;
  /** A busy runner renews this often (a third of the lease). */
  readonly renew_ms: number;
  /** No contact for this long: shown as suspect, gets no new work. */
  readonly suspect_ms: number;
  /** No contact for this long: offline; another instance may take the session over. */
  readonly offline_ms: number;
}

export const DEFAULT_TIMES: Times = {
  claim_hold_ms: 25_000,
  lease_ms: 30_000,
  renew_ms: 10_000,
  suspect_ms: 35_000,
  offline_ms: 60_000,
};

/** Baseline (Nuon) beat: one heart-beat POST per period; the server calls a runner unhealthy after 15 s. */
export const NUON_BEAT_MS = 5_000;
/** A Go runner without a heart beat for this long has lost its job: it renews nothing and takes nothing up again. */
export const NUON_LOST_MS = 15_000;
export const NUON_POLL_MS = 5_000;
