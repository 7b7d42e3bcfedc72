import { type Token, Tokenizer, TokenizerMode } from "parse5";

/** What may stand in a head (HTML, 4.2.1); anything else begins the body, which may hold what visitors wrote. */
const headTags = new Set(["html", "head", "meta", "title", "link", "base", "script", "style", "noscript", "template", "noframes"]);
const textModes = new Map([
  ["title", TokenizerMode.RCDATA],
  ["script", TokenizerMode.SCRIPT_DATA],
  ["style", TokenizerMode.RAWTEXT],
  ["noscript", TokenizerMode.RAWTEXT],
  ["noframes", TokenizerMode.RAWTEXT],
]);

/**
 * The contents of the page's meta tags of this name, of its head alone: none in a comment, a script, a template or the body. By the tokenizer of the
 * HTML standard and without a tree, so that the time is in proportion to the page.
 */
export function readMetaTags(page: string, name: string): string[] {
  const contents: string[] = [];
  let templates = 0;
  let isOver = false;
  const end = () => {
    isOver = true;
    tokenizer.pause();
  };
  const onStartTag = ({ tagName, attrs }: Token.TagToken) => {
    if (isOver) return;
    if (tagName === "template") templates += 1;
    if (templates === 0 && !headTags.has(tagName)) return end();
    tokenizer.state = textModes.get(tagName) ?? tokenizer.state;
    const read = (attribute: string) => attrs.find((each) => each.name === attribute)?.value;
    if (tagName === "meta" && templates === 0 && read("name")?.trim().toLowerCase() === name) contents.push(read("content")?.trim() ?? "");
  };
  const onEndTag = ({ tagName }: Token.TagToken) => {
    if (isOver) return;
    if (tagName === "template") templates = Math.max(0, templates - 1);
    if (tagName === "head" && templates === 0) end();
  };
  const nothing = () => {};
  // The text of a title or a script comes as characters too: only the tags say where the head ends.
  const tokenizer = new Tokenizer(
    { sourceCodeLocationInfo: false },
    {
      onStartTag,
      onEndTag,
      ...{ onComment: nothing, onDoctype: nothing, onEof: nothing, onCharacter: nothing, onNullCharacter: nothing, onWhitespaceCharacter: nothing },
    },
  );
  tokenizer.write(page, true);
  return contents;
}
