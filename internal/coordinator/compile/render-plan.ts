import type { OciRegistry } from "../../protocol/nuon/plans.ts";

/**
 * A stored plan does not know who will run it: registry blocks of our own sources hold placeholders for the
 * coordinator's address and the execution's credentials. They are replaced only in the places where a plan has a
 * registry of ours, never by a search through the text, so that nothing a person writes can be taken for one.
 */
export interface PlanValues {
  readonly credentials: { readonly username: string; readonly password: string };
  /** Where the runner reaches this coordinator, e.g. `http://127.0.0.1:8080`. */
  readonly publicUrl: string;
}

const SERVER = "{runner-coordinator}";
const USERNAME = "{runner-execution-username}";
const PASSWORD = "{runner-execution-password}";

/** Registry block of a packed folder; `hex` is the manifest's digest without its algorithm. */
export function sourceRegistry(hex: string): OciRegistry {
  return {
    Plugin: "oci",
    RegistryType: "private_oci",
    Region: "",
    ECRAuth: null,
    ACRAuth: null,
    OCIAuth: { Username: USERNAME, Password: PASSWORD },
    Repository: sourceRepository(hex),
    LoginServer: SERVER,
  };
}

/** Repository name of a manifest under `/v2/`. */
const sourceRepository = (hex: string): string => `sources/${hex.slice(0, 16)}`;

/** The exact text a runner gets for one execution. Text without placeholders comes back as it is. */
export function renderPlan(planText: string, values: PlanValues): string {
  if (!planText.includes(SERVER)) return planText;
  const plan = parsed(planText);
  if (!isRecord(plan)) return planText;
  // Without TLS the scheme goes with the host: our runner would ask for HTTPS otherwise, a Go runner strips it.
  const { protocol, host: bare } = new URL(values.publicUrl);
  const host = protocol === "https:" ? bare : `${protocol}//${bare}`;
  const fill = (registry: unknown) => {
    if (!isRecord(registry) || registry.LoginServer !== SERVER) return;
    registry.LoginServer = host;
    registry.OCIAuth = { Username: values.credentials.username, Password: values.credentials.password };
  };
  fill(plan.src_registry);
  if (isRecord(plan.source)) fill(plan.source.registry);
  const steps = plan.steps;
  if (Array.isArray(steps)) {
    for (const step of steps) if (isRecord(step) && isRecord(step.source)) fill(step.source.registry);
  }
  return JSON.stringify(plan);
}

/** A text that is no JSON is the runner's to refuse: thrown here, it would take the other jobs of the claim with it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);
