import { copyFileSync, readFileSync, writeFileSync } from "node:fs";

// What is published is the folder dist/ as a package of its own: the checkout's exports are TypeScript files, which no package has.

const at = (path: string) => new URL(path, import.meta.url);
const { name, version, description, license, type, sideEffects, engines } = JSON.parse(readFileSync(at("package.json"), "utf8"));
const published = { name, version, description, license, type, sideEffects, exports: { ".": { types: "./index.d.ts", default: "./index.js" } }, engines };
writeFileSync(at("dist/package.json"), `${JSON.stringify(published, null, 2)}\n`);
for (const file of ["README.md", "LICENSE"]) copyFileSync(at(file), at(`dist/${file}`));
