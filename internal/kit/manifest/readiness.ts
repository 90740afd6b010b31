import { z } from "zod";
import { type KubeObject, kubeObject } from "../kube/index.ts";

/** What of any object says whether it is ready (the rules of kubectl's rollout and of kstatus). */
const num = z.number().nullish();
const text = z.string().nullish();
const shape = kubeObject.extend({
  metadata: z.looseObject({ generation: num }).nullish(),
  spec: z
    .looseObject({
      replicas: num,
      paused: z.boolean().nullish(),
      suspend: z.boolean().nullish(),
      type: text,
      updateStrategy: z
        .looseObject({ type: text, rollingUpdate: z.looseObject({ partition: num }).nullish() })
        .nullish(),
    })
    .nullish()
    .catch(null),
  status: z
    .looseObject({
      observedGeneration: num,
      replicas: num,
      readyReplicas: num,
      updatedReplicas: num,
      availableReplicas: num,
      currentRevision: text,
      updateRevision: text,
      desiredNumberScheduled: num,
      updatedNumberScheduled: num,
      numberAvailable: num,
      phase: text,
      loadBalancer: z.looseObject({ ingress: z.array(z.unknown()).nullish() }).nullish(),
      conditions: z
        .array(z.looseObject({ type: z.string(), status: z.string(), reason: text, message: text }))
        .nullish(),
    })
    .nullish()
    .catch(null),
});
type Shape = z.infer<typeof shape>;
type Condition = { readonly status: string; readonly reason?: Text; readonly message?: Text };
type Text = string | null | undefined;

/** `failed`: waiting longer does not help. `why` is empty when it is ready. */
export interface Readiness {
  readonly state: "ready" | "waiting" | "failed";
  readonly why: string;
}

const READY: Readiness = { state: "ready", why: "" };
const waiting = (why: string): Readiness => ({ state: "waiting", why });
const failed = (why: string): Readiness => ({ state: "failed", why });

/** Whether an object as the cluster has it now does what it was made for. */
export function readinessOf(object: KubeObject): Readiness {
  const parsed = shape.safeParse(object);
  if (!parsed.success) return READY;
  const one = parsed.data;
  const { generation } = one.metadata ?? {};
  const { observedGeneration } = one.status ?? {};
  if (generation && observedGeneration != null && observedGeneration < generation) {
    return waiting("its controller has not seen the change yet");
  }
  const group = (object.apiVersion ?? "").includes("/") ? (object.apiVersion ?? "").split("/")[0] : "";
  return RULES[`${group}/${object.kind}`]?.(one) ?? byConditions(one);
}

const RULES: Readonly<Record<string, (one: Shape) => Readiness>> = {
  "apps/Deployment": deployment,
  "apps/StatefulSet": statefulSet,
  "apps/DaemonSet": daemonSet,
  "apps/ReplicaSet": (one) => counted(one.status?.readyReplicas, one.spec?.replicas ?? 1, "ready"),
  "batch/Job": job,
  "/Pod": pod,
  "/PersistentVolumeClaim": (one) => {
    if (one.status?.phase === "Lost") return failed("its volume is lost");
    return one.status?.phase === "Bound" ? READY : waiting(`it is ${one.status?.phase ?? "not bound yet"}`);
  },
  "/Namespace": (one) => (one.status?.phase === "Active" ? READY : waiting(`it is ${one.status?.phase ?? "new"}`)),
  "/Service": (one) => {
    const addresses = one.status?.loadBalancer?.ingress?.length ?? 0;
    return one.spec?.type !== "LoadBalancer" || addresses > 0 ? READY : waiting("it has no address yet");
  },
  "apiextensions.k8s.io/CustomResourceDefinition": (one) => {
    const refused = condition(one, "NamesAccepted", "False");
    if (refused) return failed(said(refused));
    return condition(one, "Established", "True") ? READY : waiting("it is not established yet");
  },
  "apiregistration.k8s.io/APIService": (one) => required(one, "Available"),
};

function deployment(one: Shape): Readiness {
  const stuck = condition(one, "Progressing", "False");
  if (stuck?.reason === "ProgressDeadlineExceeded") return failed(said(stuck));
  if (one.spec?.paused) return READY;
  const wanted = one.spec?.replicas ?? 1;
  const { replicas, updatedReplicas, availableReplicas, observedGeneration } = one.status ?? {};
  if (observedGeneration == null) return waiting("its controller has not seen it yet");
  const failure = condition(one, "ReplicaFailure", "True");
  const why = failure ? `: ${said(failure)}` : "";
  if ((updatedReplicas ?? 0) < wanted) return waiting(`${updatedReplicas ?? 0} of ${wanted} updated${why}`);
  if ((replicas ?? 0) > (updatedReplicas ?? 0)) {
    return waiting(`${(replicas ?? 0) - (updatedReplicas ?? 0)} of the version before still run`);
  }
  return counted(availableReplicas, wanted, "available", why);
}

function statefulSet(one: Shape): Readiness {
  const wanted = one.spec?.replicas ?? 1;
  const { readyReplicas, updatedReplicas, currentRevision, updateRevision, observedGeneration } = one.status ?? {};
  if (observedGeneration == null) return waiting("its controller has not seen it yet");
  const ready = counted(readyReplicas, wanted, "ready");
  if (ready.state !== "ready" || one.spec?.updateStrategy?.type === "OnDelete") return ready;
  const partition = one.spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  if (partition > 0) return counted(updatedReplicas, wanted - partition, "updated");
  return currentRevision === updateRevision ? READY : counted(updatedReplicas, wanted, "updated");
}

function daemonSet(one: Shape): Readiness {
  const { desiredNumberScheduled, updatedNumberScheduled, numberAvailable, observedGeneration } = one.status ?? {};
  if (observedGeneration == null) return waiting("its controller has not seen it yet");
  const wanted = desiredNumberScheduled ?? 0;
  if (one.spec?.updateStrategy?.type !== "OnDelete") {
    const updated = counted(updatedNumberScheduled, wanted, "updated");
    if (updated.state !== "ready") return updated;
  }
  return counted(numberAvailable, wanted, "available");
}

function job(one: Shape): Readiness {
  const end = condition(one, "Failed", "True");
  if (end) return failed(said(end));
  if (one.spec?.suspend || condition(one, "Complete", "True")) return READY;
  return waiting("it has not completed yet");
}

function pod(one: Shape): Readiness {
  const { phase } = one.status ?? {};
  if (phase === "Succeeded") return READY;
  if (phase === "Failed") return failed("it has failed");
  return required(one, "Ready");
}

/** What is not built into Kubernetes says so by convention; without any word it is ready. */
function byConditions(one: Shape): Readiness {
  const stalled = condition(one, "Stalled", "True");
  if (stalled) return failed(said(stalled));
  const ready = condition(one, "Ready");
  return !ready || ready.status === "True" ? READY : waiting(said(ready));
}

function required(one: Shape, type: string): Readiness {
  const found = condition(one, type);
  if (found?.status === "True") return READY;
  return waiting(found ? said(found) : `it is not ${type.toLowerCase()} yet`);
}

const condition = (one: Shape, type: string, status?: string): Condition | undefined =>
  one.status?.conditions?.find((each) => each.type === type && (status === undefined || each.status === status));

const said = ({ reason, message }: Condition) =>
  [reason, message].filter(Boolean).join(": ").replace(/\s+/g, " ") || "no reason given";

function counted(have: number | null | undefined, wanted: number, what: string, why = ""): Readiness {
  return (have ?? 0) >= wanted ? READY : waiting(`${have ?? 0} of ${wanted} ${what}${why}`);
}
