/** Words that mark a value as secret wherever its name stands. */
const SECRET = /token|secret|passw|credential|(private|api|access|session)_?key/i;
/** A variable of an environment with a key in its name holds the key itself, not the name of one. */
const SECRET_VARIABLE = /key/i;

/** Whether the name of a value in any document says that it is a secret. */
export const looksSecret = (name: string): boolean => SECRET.test(name);

/** The same for the name of an environment variable, where more is taken for one. */
export const looksSecretVariable = (name: string): boolean => looksSecret(name) || SECRET_VARIABLE.test(name);
