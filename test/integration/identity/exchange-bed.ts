import { createAuditLog } from "../../../internal/coordinator/audit.ts";
import {
  createExchange,
  type Exchange,
  type ExchangeOptions,
} from "../../../internal/coordinator/identity/exchange.ts";
import { hashToken } from "../../../internal/coordinator/store/credentials.ts";
import type { Store } from "../../../internal/coordinator/store/store.ts";
import { newRunner, testStore } from "../../../internal/coordinator/store/test-store.ts";
import { trustIdentity } from "../../../internal/coordinator/store/transitions/identities.ts";
import type { Fields } from "../../../internal/kit/base/system-log.ts";
import { silentLog } from "../../../internal/kit/base/system-log.ts";
import { machineProof } from "../../../internal/kit/cloud/index.ts";
import type { TokenExchange } from "../../../internal/protocol/token-exchange.ts";
import { type IssuerKey, issuerKey } from "../../lib/issuer.ts";
import { type AwsKey, callerIdentity } from "../../lib/sts.ts";

export const ORIGIN = "https://runner.example.com";
export const ISSUER = "https://token.example.com";
export const ACCOUNT = "123456789012";
export const TENANT = "11111111-2222-3333-4444-555555555555";
export const OBJECT = "66666666-7777-8888-9999-000000000000";

const role = (account: string, name: string) => `arn:aws:sts::${account}:assumed-role/${name}/i-0abc`;
const temporary = (id: string, arn: string): AwsKey => ({ id, secret: `secret-of-${id}`, session: `s+${id}/==`, arn });
/** Whom AWS knows here. */
export const AWS = {
  runner: temporary("ASIARUNNERRUNNERRUN1", role(ACCOUNT, "runner")),
  dashed: temporary("ASIARUNNERRUNNERRUN2", role(ACCOUNT, "runner-eu")),
  longer: temporary("ASIARUNNERRUNNERRUN3", role(ACCOUNT, "runnerx")),
  before: temporary("ASIARUNNERRUNNERRUN4", role(ACCOUNT, "my-runner")),
  upper: temporary("ASIARUNNERRUNNERRUN5", role(ACCOUNT, "Runner")),
  elsewhere: temporary("ASIARUNNERRUNNERRUN6", role("999999999999", "runner")),
  china: temporary("ASIARUNNERRUNNERRUN7", role(ACCOUNT, "runner").replace("arn:aws:", "arn:aws-cn:")),
  user: { id: "AKIARUNNERRUNNERRUN8", secret: "secret-8", arn: `arn:aws:iam::${ACCOUNT}:user/runner` },
  root: { id: "AKIARUNNERRUNNERRUN9", secret: "secret-9", arn: `arn:aws:iam::${ACCOUNT}:root` },
  federated: temporary("ASIARUNNERRUNNERRU10", `arn:aws:sts::${ACCOUNT}:federated-user/runner`),
} satisfies Record<string, AwsKey>;

export interface World {
  readonly store: Store;
  readonly exchange: Exchange;
  advance(ms: number): void;
  /** Seconds since the epoch, of the coordinator's clock. */
  seconds(): number;
  readonly keys: { readonly rs: IssuerKey; readonly es: IssuerKey; readonly stranger: IssuerKey };
  /** What hosts of the world answer, by `host/path`; changed by tests. */
  readonly answers: Map<string, () => Response | Promise<Response>>;
  /** `host/path` of everything that was asked. */
  readonly asked: string[];
  /** Reasons that stand in the coordinator's log. */
  readonly told: string[];
  /** A runner that trusts these. */
  runner(name: string, ...identities: readonly string[]): string;
  /** The outcome: `given`, `refused`, `later` or `busy`. */
  ask(runnerId: string, request: TokenExchange, address?: string): Promise<string>;
  /** The runner that a token opens; undefined: nothing. */
  opens(token: string): string | undefined;
  readonly tokens: string[];
  awsProof(
    key: AwsKey,
    target: { readonly runnerId: string; readonly origin?: string; readonly endpoint?: string },
  ): Promise<string>;
  end(): Promise<void>;
}

/** The hosts that a coordinator asks, all on loopback: real keys, real signatures, real HTTP; only the names lead elsewhere. */
export async function makeWorld(options: Partial<ExchangeOptions> = {}): Promise<World> {
  const { store, advance, setClock } = testStore();
  // AWS' requests are signed by the clock of this machine.
  const setRight = () => setClock(Date.now() - store.clock.now());
  setRight();
  const [rs, es, stranger] = await Promise.all([
    issuerKey("RS256", "rs-1"),
    issuerKey("ES256", "es-1"),
    issuerKey("ES256", "es-1"),
  ]);
  const answers: World["answers"] = new Map();
  const asked: string[] = [];
  const told: string[] = [];
  const tokens: string[] = [];
  const keySet = () => Response.json({ keys: [rs.jwk, es.jwk] });
  for (const place of [
    "www.googleapis.com/oauth2/v3/certs",
    `login.microsoftonline.com/${TENANT}/discovery/keys`,
    `login.microsoftonline.com/${TENANT}/discovery/v2.0/keys`,
    "token.example.com/keys",
  ])
    answers.set(place, keySet);
  answers.set("token.example.com/.well-known/openid-configuration", () =>
    Response.json({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys` }),
  );
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const host = request.headers.get("x-was-host") ?? "";
      const place = `${host}${new URL(request.url).pathname}`;
      asked.push(place);
      const answer = answers.get(place);
      if (answer) return answer();
      if (/^sts\.(.*amazonaws|private)/.test(host))
        return callerIdentity(Object.values(AWS), request, host, store.clock.now());
      return new Response("nothing here", { status: 404 });
    },
  });
  const note = (_: string, fields: Fields = {}) => void told.push(String(fields.why ?? fields.subject ?? ""));
  const exchange = createExchange({
    store,
    audit: createAuditLog(store),
    log: { ...silentLog, warn: note, info: note },
    origin: ORIGIN,
    clock: store.clock,
    options: { ca: null, stsEndpoint: null, tokenLifeMs: null, ...options },
    fetch: (url, init) => {
      const { host, pathname, search } = new URL(url);
      const headers = { ...Object.fromEntries(new Headers(init.headers)), "x-was-host": host };
      return fetch(`http://127.0.0.1:${server.port}${pathname}${search}`, { ...init, headers });
    },
  });
  return {
    store,
    exchange,
    advance,
    seconds: () => Math.floor(store.clock.now() / 1_000),
    keys: { rs, es, stranger },
    answers,
    asked,
    told,
    tokens,
    runner: (name, ...identities) => {
      const id = newRunner(store, name);
      for (const identity of identities) {
        const trusted = trustIdentity(store, { runnerId: id, identity, by: "admin" });
        if (!trusted?.ok) throw trusted?.error ?? new Error("no such runner");
      }
      return id;
    },
    ask: async (runnerId, request, address = "192.0.2.1") => {
      const given = await exchange.exchange(runnerId, request, address);
      if (!given.ok) return given.error.kind;
      tokens.push(given.value.token);
      return "given";
    },
    opens: (token) => store.runners.byTokenHash(hashToken(token))?.row.id,
    awsProof: async (key, { runnerId, origin = ORIGIN, endpoint }) => {
      setRight();
      const env = {
        AWS_ACCESS_KEY_ID: key.id,
        AWS_SECRET_ACCESS_KEY: key.secret,
        ...(key.session === undefined ? {} : { AWS_SESSION_TOKEN: key.session }),
        AWS_REGION: "eu-central-1",
        ...(endpoint === undefined ? {} : { AWS_ENDPOINT_URL_STS: endpoint }),
      };
      return (await withEnv(env, () => machineProof("aws", { origin, runnerId, audience: null, env }))).proof;
    },
    end: () => server.stop(true),
  };
}

/** The SDK's own chain reads the environment of this process. */
async function withEnv<T>(env: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  const names = [...Object.keys(env), "AWS_SESSION_TOKEN"];
  const before = names.map((name) => [name, process.env[name]] as const);
  for (const name of names) delete process.env[name];
  Object.assign(process.env, env);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
