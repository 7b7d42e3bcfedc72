import { writeFileSync } from "node:fs";
import { describeOpenApi } from "./describe-openapi.ts";

writeFileSync(new URL("../openapi.json", import.meta.url), await describeOpenApi());
