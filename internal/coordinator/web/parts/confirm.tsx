import type { ComponentChildren, JSX } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Result, RunnerError } from "../../../protocol/errors.ts";
import { Problem } from "./states.tsx";

interface ModalProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** The browser's own modal dialog: it holds the focus, Escape closes it, the focus goes back where it came from. */
export function Modal({ title, onClose, children }: ModalProps): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    const opener = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      // The browser gives the focus back only to a dialog that stays in the document.
      if (opener instanceof HTMLElement) queueMicrotask(() => opener.focus());
    };
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  /** What will happen, in full: the person decides by this text. */
  readonly children: ComponentChildren;
  readonly action: string;
  readonly tone: "primary" | "danger";
  /** Label of a field for a reason; without it there is none. */
  readonly askWhy?: string;
  /** The reason must be given. */
  readonly needsWhy?: boolean;
  /** false: what is asked for is not complete yet. */
  readonly isReady?: boolean;
  /** One of these words must be typed first: for what cannot be taken back. */
  readonly mustType?: { readonly label: string; readonly words: readonly string[] };
  readonly onConfirm: (why: string) => Promise<Result<unknown>>;
  readonly onClose: () => void;
}

/** Asks before something is done, stays open with the reason when it could not be done. */
export function Confirm(props: ConfirmProps): JSX.Element {
  const [why, setWhy] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<RunnerError | null>(null);
  const field = useId();
  const [typed, setTyped] = useState("");
  const isMeant = props.isReady !== false && isTyped(props.mustType, typed);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    const answer = await props.onConfirm(why.trim());
    setBusy(false);
    if (answer.ok) props.onClose();
    else setError(answer.error);
  };
  return (
    <Modal title={props.title} onClose={props.onClose}>
      <form onSubmit={submit}>
        <div class="dialog-text">{props.children}</div>
        {props.mustType ? (
          <Field id={`${field}-typed`} label={props.mustType.label} value={typed} onValue={setTyped} />
        ) : null}
        {props.askWhy ? <Field id={field} label={props.askWhy} value={why} onValue={setWhy} /> : null}
        {error ? <Problem error={error} /> : null}
        <div class="dialog-actions">
          <button type="button" class="button" onClick={props.onClose}>
            Back
          </button>
          <button
            type="submit"
            class={`button ${props.tone}`}
            disabled={busy || !isMeant || (props.needsWhy === true && why.trim() === "")}
          >
            {busy ? "Working…" : props.action}
          </button>
        </div>
      </form>
    </Modal>
  );
}

const isTyped = (must: ConfirmProps["mustType"], typed: string): boolean =>
  must === undefined || must.words.includes(typed.trim());

interface FieldProps {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
}

function Field({ id, label, value, onValue }: FieldProps): JSX.Element {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        value={value}
        maxLength={500}
        autoComplete="off"
        spellcheck={false}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
    </div>
  );
}
