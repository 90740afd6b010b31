import type { JSX } from "preact";
import { useId, useMemo } from "preact/hooks";
import { estate } from "../api/estate.ts";
import { type StateJson, type StateResource, stateJson } from "../api/state-json.ts";
import { count } from "../format.ts";
import { useQuery } from "../hooks.ts";
import { Loaded } from "../parts/states.tsx";
import { attributesOf, MASK, resourceTree, secretsOf, valueWords, withoutSecrets } from "../resource-tree.ts";

interface ResourcesProps {
  readonly workspace: string;
  readonly text: string;
  readonly onText: (text: string) => void;
  /** The current version was made without a job: what a job rendered may be of another one. */
  readonly isOlder: boolean;
}

/** What the state holds, module by module; sensitive values never reach the screen. */
export function Resources({ workspace, text, onText, isOlder }: ResourcesProps): JSX.Element {
  const query = useQuery(estate.stateJson(workspace), stateJson, {
    refreshOn: (event) => event.what === "finished",
    everyMs: 30_000,
  });
  const isMissing = query.data === null && query.error?.kind === "usage";
  if (isMissing) {
    return (
      <p class="empty">
        No job has rendered this state yet: the resources come with the end of its first apply. Its versions can be read
        and compared all the same.
      </p>
    );
  }
  return (
    <Loaded query={query} what="resources">
      {(state) => (
        <>
          {isOlder ? (
            <p class="notice warn">
              The current version was not made by a job. These are the resources of the last apply, until the next one.
            </p>
          ) : null}
          <Tree state={state} text={text} onText={onText} />
        </>
      )}
    </Loaded>
  );
}

interface TreeProps extends Pick<ResourcesProps, "text" | "onText"> {
  readonly state: StateJson;
}

function Tree({ state, text, onText }: TreeProps): JSX.Element {
  const field = useId();
  const modules = resourceTree(state, text);
  const secrets = useMemo(() => secretsOf(state), [state]);
  const total = modules.reduce((sum, module) => sum + module.resources.length, 0);
  return (
    <>
      <div class="filters">
        <p class="faint" role="status">
          {count(total, "resource")}
          {state.terraform_version ? `, written by terraform ${state.terraform_version}` : ""}
        </p>
        <div class="search">
          <label for={field} class="hidden">
            Search resources by address
          </label>
          <input
            id={field}
            type="search"
            placeholder="Search resources by address"
            value={text}
            onInput={(event) => onText(event.currentTarget.value)}
          />
        </div>
      </div>
      {modules.map(({ address, resources }) => (
        <section key={address} class="module" aria-label={address === "" ? "Root module" : address}>
          {address === "" ? null : <h2 class="mono">{address}</h2>}
          {resources.map((resource) => (
            <Resource key={resource.address} resource={resource} module={address} secrets={secrets} />
          ))}
        </section>
      ))}
      {total === 0 ? (
        <p class="empty">{text === "" ? "The state is empty." : "No resource has this address."}</p>
      ) : null}
      {text === "" ? <StateOutputs state={state} secrets={secrets} /> : null}
    </>
  );
}

interface ResourceProps {
  readonly resource: StateResource;
  readonly module: string;
  readonly secrets: readonly string[];
}

function Resource({ resource, module, secrets }: ResourceProps): JSX.Element {
  const { shown, empty } = attributesOf(resource, secrets);
  const address = module === "" ? resource.address : resource.address.replace(`${module}.`, "");
  return (
    <details class="resource">
      <summary>
        <span class="mono">{address}</span>
        {resource.mode === "data" ? <span class="faint">data</span> : null}
        <span class="faint provider">{resource.provider_name?.split("/").slice(-2).join("/")}</span>
      </summary>
      <dl class="attributes">
        {shown.map(([name, value]) => (
          <div key={name}>
            <dt class="mono">{name}</dt>
            <dd>
              <StateValue value={value} />
            </dd>
          </div>
        ))}
      </dl>
      {empty > 0 ? <p class="faint">{count(empty, "attribute")} without a value</p> : null}
    </details>
  );
}

/** A value, or that it is hidden. */
export function StateValue({ value }: { readonly value: unknown }): JSX.Element {
  if (value === MASK) {
    return (
      <span class="redacted" title="Sensitive: it is in clear only in the state itself.">
        {MASK}
      </span>
    );
  }
  return <pre>{valueWords(value)}</pre>;
}

interface OutputsProps {
  readonly state: StateJson;
  readonly secrets: readonly string[];
}

function StateOutputs({ state, secrets }: OutputsProps): JSX.Element | null {
  const outputs = Object.entries(state.values?.outputs ?? {});
  if (outputs.length === 0) return null;
  return (
    <section class="module" aria-label="Outputs">
      <h2>Outputs</h2>
      <dl class="attributes">
        {outputs.map(([name, { sensitive, value }]) => (
          <div key={name}>
            <dt class="mono">{name}</dt>
            <dd>
              <StateValue value={sensitive ? MASK : withoutSecrets(value, secrets)} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
