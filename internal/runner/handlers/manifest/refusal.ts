import { type KubeError, objectPath } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { type Located, labelOf, type ObjectRef } from "./cluster.ts";

/** What a cluster refused, in one line that names object and field, with what to do about it. */
export function refusal(object: ObjectRef & Partial<Pick<Located, "resource">>, error: KubeError): RunnerError {
  if (error.kind === "cancelled") return error;
  const say = (why: string, remedy: string | undefined, kind: "job" | "unreachable" = "job") =>
    new RunnerError(kind, `${labelOf(object)}: ${why}`, { ...(remedy === undefined ? {} : { remedy }), cause: error });
  const message = wordsOf(object, error);
  const { status } = error;
  if (status === 401 || /is forbidden: User/.test(message)) return say(message, error.remedy);
  if (/admission webhook|ValidatingAdmissionPolicy/.test(message)) {
    return say(message, "A policy of the cluster refuses the object; change it as the message says.");
  }
  if (status === 403) return say(message, "The cluster refuses it for every account; change what the message names.");
  if (status === 422) return invalid(object, error, message, say);
  if (status === 404 && /namespaces? ".*" not found/.test(message)) {
    return say(message, `Make the namespace first, or put it into the manifest as an object of kind Namespace.`);
  }
  if (isTypeError(error))
    return say(message, `Correct that field; \`kubectl explain ${explained(object)}\` shows the known ones.`);
  if (status === null || status === 429 || status >= 500) {
    return say(message, error.remedy, "unreachable");
  }
  return say(message, error.remedy);
}

/** An object that does not fit its schema answers 500, as if the server were broken. */
export const isTypeError = (error: KubeError): boolean =>
  error.status !== null &&
  /failed to create typed patch object|strict decoding error|unknown field/.test(error.message);

function invalid(
  object: ObjectRef & Partial<Pick<Located, "resource">>,
  error: KubeError,
  message: string,
  say: (why: string, remedy: string | undefined) => RunnerError,
): RunnerError {
  const fixed = error.causes.filter((cause) =>
    /immutable|may not be changed|cannot be changed|updates to .* are forbidden|Forbidden: .*updates/i.test(
      cause.message,
    ),
  );
  if (fixed.length === 0) return say(message, "Correct the fields that are named.");
  const fields = [...new Set(fixed.map((cause) => cause.field))].join(", ");
  const scope = object.namespace === "" ? "" : ` -n ${object.namespace}`;
  const what = object.resource?.name ?? object.kind.toLowerCase();
  return say(
    `${fields} cannot be changed while the object exists`,
    `Leave ${fields} as the cluster has it, give the object another name, or remove it first (kubectl delete ${what} ${object.name}${scope}).`,
  );
}

/** The cluster's words without our request before them; of a Secret without what they quote. */
function wordsOf(object: ObjectRef & Partial<Pick<Located, "resource">>, error: KubeError): string {
  const path = object.resource === undefined ? "" : objectPath(object.resource, object.namespace, object.name);
  const words = error.message
    .replace(new RegExp(`^(GET|PATCH|DELETE|PUT|POST) ${path === "" ? "\\S+" : escaped(path)}: `), "")
    .replace(/^failed to create typed patch object \([^)]*\): /, "");
  if (object.kind !== "Secret") return words;
  return words.replace(/, got .*/s, ", got something else").replace(/Invalid value: .*?: /g, "Invalid value: ");
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

const explained = ({ resource, kind }: ObjectRef & Partial<Pick<Located, "resource">>) =>
  resource?.name ?? kind.toLowerCase();
