/**
 * Everything the tests need that is not an npm package, with its pinned version: the one place to raise one.
 * Debian's packages have the version of the distribution; programs in Go are built once into a cache (see go-program.ts),
 * because no vendor's download is in reach of every machine that runs the tests.
 */

/** Debian package → a program by which it is known to be there. */
export const APT_PACKAGES: Readonly<Record<string, string>> = {
  "apache2-utils": "htpasswd",
  "busybox-static": "/usr/share/doc/busybox-static",
  chromium: "chromium",
  containerd: "containerd",
  "containernetworking-plugins": "/usr/lib/cni/bridge",
  debootstrap: "/usr/sbin/debootstrap",
  "docker-registry": "docker-registry",
  "docker-compose": "docker-compose",
  "docker.io": "/usr/sbin/dockerd",
  fish: "fish",
  "fonts-liberation": "/usr/share/fonts/truetype/liberation",
  iptables: "/usr/sbin/iptables",
  "ksh93u+m": "ksh93",
  mksh: "mksh",
  "openssh-server": "/usr/sbin/sshd",
  openssl: "openssl",
  podman: "podman",
  runc: "runc",
  shellcheck: "shellcheck",
  wget: "wget",
  zsh: "zsh",
};

/** moto of PyPI, the stand-in for AWS, in an environment of its own. */
export const MOTO = "5.2.5";

export type GoBuild =
  /** `go install PACKAGE@vVERSION`. */
  | { readonly how: "install"; readonly package: string }
  /** `go build PACKAGE` in test/bed/go/FOLDER, whose go.mod and go.sum are checked in. */
  | { readonly how: "module"; readonly folder: string; readonly package: string }
  /** Likewise, with the client that go-swagger, a tool of that module, makes of Nuon's description (nuon-client.ts). */
  | { readonly how: "generated"; readonly folder: string }
  /** The module's own source, copied: its go.mod has replacements, which `go install` refuses. */
  | { readonly how: "source"; readonly module: string; readonly package: string };

export interface GoProgram {
  /** Without the leading `v`. */
  readonly version: string;
  readonly build: GoBuild;
  readonly ldflags?: string;
}

const KUBE = "1.34.1";
const HELM3 = "3.19.0";
const kubeMinor = "k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34";

/** File name in the cache → program. In the order in which they are built; the first two share most of their packages. */
export const GO_PROGRAMS = {
  "terraform-provider-time": {
    version: "0.14.2",
    build: { how: "install", package: "github.com/hashicorp/terraform-provider-time" },
  },
  /** etcd, kube-apiserver, controller manager, scheduler and kubelet in one program. */
  kube: {
    version: KUBE,
    build: { how: "module", folder: "kube", package: "." },
    ldflags: `-X k8s.io/component-base/version.gitVersion=v${KUBE} -X ${kubeMinor}`,
  },
  helm3: {
    version: HELM3,
    build: { how: "module", folder: "kube", package: "helm.sh/helm/v3/cmd/helm" },
    ldflags:
      `-X helm.sh/helm/v3/internal/version.version=v${HELM3} ` +
      "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34",
  },
  oras: {
    version: "1.3.1",
    build: { how: "module", folder: "oras", package: "oras.land/oras/cmd/oras" },
    ldflags: "-X oras.land/oras/internal/version.Version=1.3.1 -X oras.land/oras/internal/version.BuildMetadata=",
  },
  /** Pulls as Nuon's Go runner does. */
  "oci-puller": { version: "2.6.0", build: { how: "module", folder: "oci-puller", package: "." } },
  /** Nuon's runner API as a client generated like their SDK sees it. 0.20.0: that SDK's. */
  "nuon-client": { version: "0.20.0", build: { how: "generated", folder: "nuon-client" } },
  helm4: {
    version: "4.3.1",
    build: { how: "install", package: "helm.sh/helm/v4/cmd/helm" },
    ldflags: "-X helm.sh/helm/v4/internal/version.version=v4.3.1",
  },
  tofu: {
    version: "1.10.6",
    build: { how: "source", module: "github.com/opentofu/opentofu", package: "./cmd/tofu" },
    ldflags: "-X github.com/opentofu/opentofu/version.dev=no",
  },
} as const satisfies Record<string, GoProgram>;
export type GoProgramName = keyof typeof GO_PROGRAMS;

interface Definition {
  readonly module: string;
  /** Without the leading `v`. */
  readonly version: string;
  /** As in a go.sum. */
  readonly sum: string;
  readonly file: string;
}

/** File name in the cache → definition of a kind of other people's, in the source of their program. */
export const DEFINITIONS = {
  "scaledobject-2.21.0": {
    module: "github.com/kedacore/keda/v2",
    version: "2.21.0",
    sum: "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
    file: "config/crd/bases/keda.sh_scaledobjects.yaml",
  },
  "triggerauthentication-2.21.0": {
    module: "github.com/kedacore/keda/v2",
    version: "2.21.0",
    sum: "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
    file: "config/crd/bases/keda.sh_triggerauthentications.yaml",
  },
  "nodepool-1.14.1": {
    module: "github.com/aws/karpenter-provider-aws",
    version: "1.14.1",
    sum: "h1:WGtIQTQcxpElYMdWfWuPwaF2+9muR+hYhPZsTtoY8Gs=",
    file: "pkg/apis/crds/karpenter.sh_nodepools.yaml",
  },
} as const satisfies Record<string, Definition>;
export type DefinitionName = keyof typeof DEFINITIONS;
