/** Kinds of other people's programs that the charts make objects of, for a cluster that has none of those programs. */
const definition = (kind: string, plural: string, group: string, version: string, scope: "Cluster" | "Namespaced") => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope,
    names: { kind, plural, singular: kind.toLowerCase() },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
});

export const DEFINITIONS = [
  definition("NodePool", "nodepools", "karpenter.sh", "v1", "Cluster"),
  definition("ScaledObject", "scaledobjects", "keda.sh", "v1alpha1", "Namespaced"),
] as const;
