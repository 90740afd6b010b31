import { z } from "zod";
import { RunnerError } from "../../protocol/errors.ts";
import type { HttpFailure } from "../http/failure.ts";

/** `Status` of an error answer. */
const statusBody = z.looseObject({
  reason: z.string().nullish(),
  message: z.string().nullish(),
  details: z
    .looseObject({
      causes: z
        .array(
          z.looseObject({ reason: z.string().nullish(), message: z.string().nullish(), field: z.string().nullish() }),
        )
        .nullish(),
    })
    .nullish(),
});

export interface KubeCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/** What the cluster refused, in its own words. `status` null: it did not answer. */
export class KubeError extends RunnerError {
  readonly status: number | null;
  /** Kubernetes' word: NotFound, Forbidden, Conflict, Invalid, AlreadyExists …; empty when there was none. */
  readonly reason: string;
  /** Field by field, for Invalid and for the conflicts of a server-side apply. */
  readonly causes: readonly KubeCause[];

  constructor(failure: HttpFailure, what: string) {
    const parsed = statusBody.safeParse(failure.body);
    const { message, reason, details } = parsed.success ? parsed.data : { message: null, reason: null, details: null };
    // Whoever mints the token knows best why there is none.
    const minting = failure.cause instanceof RunnerError && failure.status === null ? failure.cause : null;
    const remedy = REMEDIES[failure.status ?? 0] ?? minting?.remedy ?? distrusted(failure) ?? failure.remedy;
    const said = plainly(minting?.message || message || failure.message, what);
    const unheard = failure.kind === "unreachable" || failure.kind === "cancelled";
    super(unheard && minting === null ? failure.kind : "job", said, {
      ...(remedy === undefined && failure.status !== null ? {} : { remedy: remedy ?? NO_ANSWER }),
      cause: failure,
    });
    this.name = "KubeError";
    this.status = failure.status;
    this.reason = reason ?? "";
    this.causes = (details?.causes ?? []).map((one) => ({
      reason: one.reason ?? "",
      message: one.message ?? "",
      field: one.field ?? "",
    }));
  }
}

const REMEDIES: Readonly<Record<number, string>> = {
  401: "The cluster does not know this credential: it may have expired, or belong to another cluster.",
  403: "Give the runner's account that right with a Role and a RoleBinding; `kubectl auth can-i` shows what it may.",
};

const NO_ANSWER = "Check the cluster's address, and what lies between it and the runner: network, proxy, firewall.";

/** The certificate of a cluster is not vouched for where those of control planes are. */
const distrusted = ({ remedy }: HttpFailure): string | undefined =>
  remedy?.includes("--ca-file")
    ? "Give the cluster's own authority: certificate-authority-data of its kubeconfig, or ca of the job's cluster."
    : undefined;

/** What a failure without an answer says names the request already. */
function plainly(said: string, what: string): string {
  const plain = said.replace(/FailedToOpenSocket.*|ConnectionRefused.*/, "connection refused");
  return plain.startsWith(`${what}: `) ? plain : `${what}: ${plain}`;
}

export const isNotFound = (error: unknown): boolean => error instanceof KubeError && error.status === 404;
