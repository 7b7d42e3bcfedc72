/** A setting of the operator's that cannot be. The message names it and says what it may be. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}
