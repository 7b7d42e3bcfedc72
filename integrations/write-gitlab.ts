import { readFileSync, writeFileSync } from "node:fs";

const gitlabFile = new URL("gitlab/periscan.yml", import.meta.url);

/** The GitLab template. An included template brings no files with it, so the script of the GitHub Action stands in it, word for word. */
export function makeGitlabTemplate(): string {
  const script = readFileSync(new URL("github/scan.mjs", import.meta.url), "utf8");
  const indented = script.replaceAll(/^(?=.)/gm, "      ");
  return `# Made by integrations/write-gitlab.ts from integrations/github/scan.mjs. Use:
#
#   include:
#     - remote: https://…/integrations/gitlab/periscan.yml
#   periscan:
#     extends: .periscan
#     variables:
#       PERISCAN_SERVER: https://periscan.example
#       PERISCAN_TARGETS: www.example.com
#
# PERISCAN_API_KEY is a masked variable of the project. The script names the other variables and the exit codes.
.periscan:
  image: node:24-slim
  stage: test
  variables:
    PERISCAN_TYPE: NMAP
    PERISCAN_FAIL_ON: HIGH
    PERISCAN_SARIF: periscan.sarif
  script:
    - |
      cat > periscan-scan.mjs <<'PERISCAN_SCRIPT'
${indented}      PERISCAN_SCRIPT
      node periscan-scan.mjs
  artifacts:
    when: always
    paths:
      - $PERISCAN_SARIF
`;
}

if (import.meta.main) writeFileSync(gitlabFile, makeGitlabTemplate());
