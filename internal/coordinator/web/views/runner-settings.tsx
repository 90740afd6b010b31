import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import type { RunnerDoc } from "../../../protocol/operator.ts";
import type { RunnerWishes, SettingsDoc, WishesPatch } from "../../../protocol/runner-wishes.ts";
import { changeSettings, estate, estateDocs } from "../api/estate.ts";
import { useSession } from "../context.ts";
import { durationWords } from "../format.ts";
import { useQuery } from "../hooks.ts";
import { Confirm } from "../parts/confirm.tsx";
import { Loaded } from "../parts/states.tsx";

type Setting = keyof RunnerWishes;

/** In words; settings of the Go runner's host alone keep their wire name. */
const WORDS: Partial<Record<Setting, string>> = {
  logging_level: "Log level",
  enable_logging: "Job logs",
  enable_metrics: "Metrics",
  enable_sentry: "Sentry",
  sandbox_mode: "Sandbox mode",
  heart_beat_timeout_ms: "Heart beat",
  container_image_tag: "Version",
  container_image_url: "Image",
  groups: "Groups",
  metadata: "Metadata",
};

/** What the coordinator asks of a runner; a change takes effect without a restart. */
export function Settings({ runner }: { readonly runner: RunnerDoc }): JSX.Element {
  const query = useQuery(estate.settings(runner.id), estateDocs.settings, {
    refreshOn: (event) => event.what.startsWith("settings"),
    everyMs: 30_000,
  });
  const [asking, setAsking] = useState(false);
  return (
    <section class="side-part" aria-labelledby="settings">
      <h2 id="settings">Settings</h2>
      <Loaded query={query} what="settings">
        {(settings) => (
          <>
            <Table settings={settings} />
            <button type="button" class="button small" onClick={() => setAsking(true)}>
              Change settings
            </button>
            {asking ? (
              <AskSettings runner={runner} settings={settings} onClose={() => setAsking(false)} onDone={query.reload} />
            ) : null}
          </>
        )}
      </Loaded>
    </section>
  );
}

function Table({ settings: { own, effective } }: { readonly settings: SettingsDoc }): JSX.Element {
  const names = Object.keys(effective).filter((name): name is Setting => name in effective);
  if (names.length === 0) return <p class="faint">As built in: nothing is asked of it.</p>;
  return (
    <table class="outputs settings">
      <tbody>
        {names.map((name) => (
          <tr key={name}>
            <th scope="row">{WORDS[name] ?? name}</th>
            <td>
              {settingWords(name, effective[name])}{" "}
              <span class="faint">{name in own ? "set here" : "for all runners"}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function settingWords(name: Setting, value: RunnerWishes[Setting]): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "number")
    return name === "heart_beat_timeout_ms" ? `every ${durationWords(value)}` : String(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Those that are changed here; the rest is for the command line. Empty: as for all runners. */
const CHOICES = {
  logging_level: ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"],
  enable_logging: ["on", "off"],
  enable_metrics: ["on", "off"],
  sandbox_mode: ["on", "off"],
} as const;
type Choice = keyof typeof CHOICES;
const CHOICE_NAMES = ["logging_level", "enable_logging", "enable_metrics", "sandbox_mode"] as const;

interface AskProps {
  readonly runner: RunnerDoc;
  readonly settings: SettingsDoc;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

function AskSettings({ runner, settings, onClose, onDone }: AskProps): JSX.Element {
  const { api, announce } = useSession();
  const id = useId();
  const [patch, setPatch] = useState<WishesPatch>({});
  const change = async (why: string) => {
    const answer = await changeSettings(api, runner.id, patch, why);
    if (answer.ok) {
      announce(`${runner.name} gets its new settings.`);
      onDone();
    }
    return answer;
  };
  const own = { ...settings.own, ...patch };
  return (
    <Confirm
      title={`Change the settings of ${runner.name}`}
      action="Change"
      tone="primary"
      askWhy="Reason (optional, shown in the timeline)"
      isReady={Object.keys(patch).length > 0}
      onConfirm={change}
      onClose={onClose}
    >
      <p>They take effect while it runs. In sandbox mode its jobs are answered with made-up results.</p>
      {CHOICE_NAMES.map((name) => (
        <div key={name} class="field">
          <label for={`${id}-${name}`}>{WORDS[name]}</label>
          <select
            id={`${id}-${name}`}
            value={choiceOf(own[name])}
            onChange={(event) => setPatch({ ...patch, ...patchOf(name, event.currentTarget.value) })}
          >
            <option value="">as for all runners</option>
            {CHOICES[name].map((choice) => (
              <option key={choice} value={choice}>
                {choice}
              </option>
            ))}
          </select>
        </div>
      ))}
      <div class="field">
        <label for={`${id}-tag`}>{WORDS.container_image_tag}</label>
        <input
          id={`${id}-tag`}
          value={own.container_image_tag ?? ""}
          placeholder="as for all runners"
          autoComplete="off"
          spellcheck={false}
          onInput={(event) => setPatch({ ...patch, container_image_tag: event.currentTarget.value.trim() || null })}
        />
      </div>
    </Confirm>
  );
}

const choiceOf = (value: boolean | string | null | undefined): string =>
  typeof value === "boolean" ? (value ? "on" : "off") : (value ?? "");

function patchOf(name: Choice, chosen: string): WishesPatch {
  if (name !== "logging_level") return { [name]: chosen === "" ? null : chosen === "on" };
  return { logging_level: CHOICES.logging_level.find((level) => level === chosen) ?? null };
}
