import { Argument, type Command } from "commander";
import { writeCompletion } from "../write-completion.ts";

export function addCompletionCommand(program: Command): void {
  program
    .command("completion")
    .description("Print what completes commands and options in a shell.")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      `
Examples:
  periscan completion bash > ~/.local/share/bash-completion/completions/periscan
  periscan completion zsh > "\${fpath[1]}/_periscan"
  periscan completion fish > ~/.config/fish/completions/periscan.fish

For this shell alone: source <(periscan completion bash)`,
    )
    .action(async (shell: "bash" | "zsh" | "fish") => {
      process.stdout.write(writeCompletion(program, shell));
    });
}
