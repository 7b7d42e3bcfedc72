import { writeFileSync } from "node:fs";
import { writeSettingsPage } from "./describe-settings.ts";

writeFileSync(new URL("../docs/settings.md", import.meta.url), writeSettingsPage());
