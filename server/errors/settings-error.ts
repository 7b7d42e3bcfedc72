/** A setting of the operator's that cannot be: the message says which, and what it may be. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}
