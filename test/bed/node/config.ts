import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Configuration files of the parts of a node; every path lies in the node's own folder. */
export interface NodePaths {
  readonly dir: string;
  readonly pki: string;
  readonly socket: string;
  readonly bridge: string;
  /** Second and third number of the pods' network, so that several nodes of one machine keep apart. */
  readonly subnet: string;
}

export function kubeconfig(server: string, pki: string, user: Record<string, string>): string {
  const ca = readFileSync(join(pki, "ca.crt")).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "t", cluster: { server, "certificate-authority-data": ca } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "t", context: { cluster: "t", user: "u" } }],
    "current-context": "t",
  });
}

export const containerdToml = ({ dir, socket }: NodePaths) => `version = 2
root = "${dir}/ctr"
state = "${dir}/ctr-state"
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${dir}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`;

export const cniConflist = ({ dir, bridge, subnet }: NodePaths) =>
  JSON.stringify({
    cniVersion: "0.4.0",
    name: bridge,
    plugins: [
      {
        type: "bridge",
        bridge,
        isGateway: true,
        ipMasq: false,
        ipam: { type: "host-local", ranges: [[{ subnet: `10.${subnet}.0/24` }]], dataDir: `${dir}/ipam` },
      },
      { type: "loopback" },
    ],
  });

/** `oomScoreAdj: 0`, `failCgroupV1: false`: containers without CAP_SYS_RESOURCE, old cgroups; harmless elsewhere. */
export const kubeletYaml = ({ dir, pki, socket, bridge }: NodePaths, port: number) =>
  JSON.stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: "127.0.0.1",
    port,
    healthzPort: 0,
    readOnlyPort: 0,
    containerRuntimeEndpoint: `unix://${socket}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${bridge}`,
    failSwapOn: false,
    failCgroupV1: false,
    resolvConf: "",
    clusterDomain: "cluster.local",
    oomScoreAdj: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: `${pki}/ca.crt` },
    },
    authorization: { mode: "AlwaysAllow" },
    tlsCertFile: `${pki}/server.crt`,
    tlsPrivateKeyFile: `${pki}/server.key`,
    evictionHard: {
      "memory.available": "50Mi",
      "nodefs.available": "1%",
      "imagefs.available": "1%",
      "nodefs.inodesFree": "1%",
    },
    imageGCHighThresholdPercent: 100,
    podLogsDir: `${dir}/podlogs`,
  });
