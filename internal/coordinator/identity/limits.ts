/** Limits of the exchange of an identity for a token. Milliseconds unless a name says otherwise; docs/cloud-identity.md names them. */
export const EXCHANGE = {
  /** Clocks of this machine, of a cloud and of a runner differ by this much at most. */
  skew: 60_000,
  /** A signed request to AWS may say that it lasts this long at most. */
  awsLife: 300_000,
  /** From its issue to its end; Azure's live a day. Longer ones are no proof that somebody is there now. */
  jwtLife: 25 * 3_600_000,
  /** Largest request in bytes. */
  bodyBytes: 32 * 1024,
  /** Refusals that one address gets in a minute before it has to wait. */
  refusalsPerMinute: 20,
  /** Proofs of one address that could not be checked in a minute: whoever makes us ask what never answers takes few places. */
  outagesPerMinute: 60,
  /** Tokens that one runner gets in a minute. */
  tokensPerMinute: 6,
  /** Exchanges at a time. */
  atOnce: 16,
  /** A refusal takes at least this long, so that its time does not tell why. */
  refusal: 250,
  /** One request to an issuer or to AWS. */
  patience: 5_000,
  /** Largest answer of an issuer or of AWS in bytes. */
  answerBytes: 256 * 1024,
  /** Keys of an issuer are asked for again after this. */
  keysFresh: 10 * 60_000,
  /** Keys go on to count for this long while the issuer does not answer. */
  keysStale: 24 * 3_600_000,
  /** A key that is not known is a reason to ask again at most this often. */
  keysAgain: 60_000,
  /** Issuers whose keys are remembered. */
  issuers: 64,
} as const;
