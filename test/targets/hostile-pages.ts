const megabyte = 1_000_000;
const fill = (piece: string): string => piece.repeat(Math.ceil(megabyte / piece.length)).slice(0, megabyte);

/** Pages of a megabyte that begin again and again what a rule looks for, and never end it. */
export const hostilePages: Record<string, string> = {
  letters: fill("a"),
  digits: fill("4"),
  "spaced-digits": fill("4 "),
  hyphens: fill("4539-"),
  dots: fill("10.1."),
  tags: fill("<a "),
  quotes: fill('<a href="'),
  "open-tags": fill("<script><!--<form><input "),
  comments: fill("<!-- todo "),
  attributes: `<a ${fill("b=c ")}`,
  sinks: `<script>${fill("eval(document.write(x.innerHTML=")}`,
  frames: fill("at a.b.c(("),
  "frame-paths": fill("at (/a/b "),
  tokens: fill("eyJabcdefgh.eyJ"),
  mails: fill("a@a.a.a."),
  logins: fill("mysql://a:b"),
  "jdbc-logins": fill("jdbc:mysql:?x"),
  servers: fill("Server=a;"),
  paths: fill(" /home/a/ C:\\Users\\"),
  errors: fill('near "ORA-0000'),
  php: fill(".php on line 1 "),
  stacks: fill(") in a:"),
  spaces: fill(" "),
  lines: fill("\n"),
  titles: fill("<title>Index of /"),
  libraries: fill('<script src="/jquery-1.2.min.min.min'),
};
