import { type Answer, type Asked, escapeHtml, notFound, page, redirect, text } from "./faulty-answer.ts";

const token = "6f0c2ad1e7b94c58";
const files: Record<string, string> = { "start.txt": "Choose, pay, wait." };
const session = "__Host-session=3858f62230ac3c915f300c664312c63f; Path=/; Secure; HttpOnly; SameSite=Lax";
const form = `<form name="order" method="post" action="/order"><input type="hidden" name="csrf_token" value="${token}"><input name="amount" value="2"><button>Order</button></form>`;
const login = `<form name="login" method="post" action="/login"><input type="hidden" name="csrf_token" value="${token}"><input name="user"><input type="password" name="pw"></form>`;
const home =
  '<h1>Shop</h1><p><a href="/search?q=shoes">Search</a> <a href="/help?file=start.txt">Help</a> <a href="/go?next=/search">Go</a> <a href="/login">Log in</a> <a href="/prices.json">Prices</a></p>';

/** A small shop that does with its parameters what it should. */
export function answerWellMade(path: string, { method, query, body }: Asked): Answer {
  if (method !== "GET" && method !== "HEAD" && method !== "POST") return { status: 405, headers: { allow: "GET, HEAD, POST" }, body: "" };
  switch (path) {
    case "/":
      return page(`${home}${form}<script src="/shop.js"></script>`, { "set-cookie": session });
    case "/search":
      return page(`<p>Nothing for <b>${escapeHtml(query.get("q") ?? "")}</b>.</p><input name="q" value="${escapeHtml(query.get("q") ?? "")}">`);
    case "/help":
      return files[query.get("file") ?? ""] === undefined ? notFound() : text(files[query.get("file") ?? ""] ?? "");
    case "/go":
      return redirect(/^\/\w*$/.test(query.get("next") ?? "") ? (query.get("next") ?? "/") : "/");
    case "/order":
      return page(`<p>Ordered ${Number.parseInt(new URLSearchParams(body).get("amount") ?? "", 10) || 0}.</p>`);
    case "/login":
      return page(method === "POST" ? "<p>That is no login.</p>" : login);
    case "/prices.json":
      return text('{"shoes": 30}', "application/json");
    case "/shop.js":
      return text('document.title = "Shop";', "text/javascript; charset=utf-8");
    default:
      return notFound();
  }
}
