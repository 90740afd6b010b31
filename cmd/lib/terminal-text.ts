/** Escape sequences other than colours: they could move the cursor, set the title or answer into the shell. */
const OTHER_SEQUENCES =
  /\x1b(?:\[[0-9;:?<=>!]*[ -/]*[@-ln-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-Z\\^-~])/g;
const COLOURS = /\x1b\[[0-9;:]*m/g;
/** The second row too: U+009B begins a sequence in some terminals. */
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]/g;

/** Output of a job made safe for a terminal: colours stay when `colour`, everything else that controls it goes. */
export function terminalText(text: string, colour: boolean): string {
  const plain = text
    .replace(OTHER_SEQUENCES, "")
    .replace(CONTROLS, "")
    .replace(/\r(?!\n|$)/g, "\n");
  return colour
    ? `${plain}${plain.includes("\x1b[") ? "\x1b[0m" : ""}`
    : plain.replace(COLOURS, "").replaceAll("\x1b", "");
}

/** What a runner or another person said, as a part of one line. */
export const oneLine = (text: string): string => terminalText(text, false).replace(/\s*\n\s*/g, " ");
