import { type Answer, document, type FaultCase, page, redirect, text } from "./faulty-answer.ts";

const hello = "<h1>Shop</h1><p>Things to buy.</p>";
const withHeader = (name: string, value: string | string[] | undefined) => () => page(hello, { [name]: value });
const withBody = (body: string) => () => page(body);
const withCookie = (path: string, cookie: string) => withHeader("set-cookie", `${cookie}; Path=/passive/${path}`);
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const withScript =
  (name: string, script: string) =>
  (asked: { rest: string }): Answer =>
    asked.rest === "" ? page(`<script src="${name}"></script>${hello}`) : text(script, "text/javascript; charset=utf-8");
const token = '<input type="hidden" name="csrf_token" value="6f0c2ad1e7b94c58">';

/** A login that looks like the real thing and is none; put together here, so that no program takes this file for a leak. */
const awsKey = ["AKIA", "Q3EGRZ7XN2JWL5TK"].join("");
const card = ["4539", "1488", "0343", "6467"].join(" ");

const headers: FaultCase[] = [
  {
    rule: "910001",
    fault: withHeader("content-security-policy", undefined),
    fine: () => ({
      headers: { "content-security-policy": undefined },
      body: document(
        hello,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'\">",
      ),
    }),
    param: "Content-Security-Policy",
  },
  {
    rule: "910002",
    fault: withHeader("content-security-policy", "default-src 'self'; script-src 'self' 'unsafe-inline'; frame-ancestors 'none'"),
    fine: withHeader(
      "content-security-policy",
      "script-src 'nonce-cmFuZG9t' 'strict-dynamic' 'unsafe-inline' https:; object-src 'none'; base-uri 'none'; form-action 'self'",
    ),
  },
  {
    rule: "910003",
    fault: withHeader("content-security-policy", "default-src 'self'; frame-ancestors 'none'"),
    fine: withHeader("content-security-policy", "default-src 'none'; base-uri 'self'; form-action 'self'"),
  },
  {
    rule: "910004",
    fault: () => page(hello, { "content-security-policy": undefined, "content-security-policy-report-only": "default-src 'self'" }),
    fine: withHeader("content-security-policy-report-only", "default-src 'none'"),
  },
  {
    rule: "910005",
    fault: () => page(hello, { "x-frame-options": undefined, "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'" }),
    fine: withHeader("x-frame-options", undefined),
  },
  {
    rule: "910006",
    fault: () =>
      page(hello, {
        "x-frame-options": "ALLOW-FROM https://partner.example/",
        "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'",
      }),
    fine: () => page(hello, { "x-frame-options": "sameorigin", "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'" }),
  },
  { rule: "910007", fault: withHeader("x-content-type-options", undefined), fine: withHeader("x-content-type-options", "NoSniff") },
  {
    rule: "910008",
    over: "https",
    fault: withHeader("strict-transport-security", undefined),
    fine: withHeader("strict-transport-security", "MAX-AGE=63072000"),
  },
  {
    rule: "910009",
    over: "https",
    fault: withHeader("strict-transport-security", "max-age=3600"),
    fine: withHeader("strict-transport-security", "max-age=15552000"),
  },
  {
    rule: "910010",
    fault: withHeader("referrer-policy", undefined),
    fine: () => ({ headers: { "referrer-policy": undefined }, body: document(hello, '<meta name="referrer" content="same-origin">') }),
  },
  { rule: "910011", fault: withHeader("referrer-policy", "unsafe-url"), fine: withHeader("referrer-policy", "unsafe-url, strict-origin") },
  { rule: "910012", fault: withHeader("permissions-policy", undefined), fine: withHeader("permissions-policy", "camera=()") },
  { rule: "910013", fault: withHeader("cross-origin-opener-policy", undefined), fine: withHeader("cross-origin-opener-policy", "same-origin-allow-popups") },
  { rule: "910014", fault: withHeader("server", "Shop/2.4.1"), fine: withHeader("server", "Shop"), param: "Server" },
  { rule: "910015", fault: withHeader("x-powered-by", "ShopFrame"), fine: withHeader("x-request-id", "17"), param: "X-Powered-By" },
];

const transfer: FaultCase[] = [
  {
    rule: "910016",
    fault: () => ({ headers: { "content-type": "application/json", "access-control-allow-origin": "*" }, body: '{"price": 3}' }),
    fine: () => ({ headers: { "content-type": "application/json", "access-control-allow-origin": "https://partner.example" }, body: '{"price": 3}' }),
  },
  {
    rule: "910017",
    fault: () => page(hello, { "access-control-allow-origin": "null", "access-control-allow-credentials": "true" }),
    fine: () => page(hello, { "access-control-allow-origin": "https://partner.example", "access-control-allow-credentials": "true" }),
  },
  {
    rule: "910018",
    fault: withHeader("content-type", "text/html"),
    fine: () => ({ headers: { "content-type": "text/html" }, body: document(hello, '<meta charset="utf-8">') }),
  },
  { rule: "910019", fault: () => ({ body: '{"name": "Ann"}' }), fine: () => text('{"name": "Ann"}', "application/json") },
  {
    rule: "910020",
    fault: () =>
      page(hello, { "set-cookie": "sid=5d41402abc4b2a76; Path=/passive/910020/fault; Secure; HttpOnly; SameSite=Lax", "cache-control": "public, max-age=600" }),
    fine: withHeader("cache-control", "public, max-age=600"),
  },
  {
    rule: "910021",
    over: "http",
    fault: () => ({ status: 401, headers: { "www-authenticate": 'Basic realm="shop"' }, body: document("<p>Log in.</p>") }),
    fine: () => ({ status: 401, headers: { "www-authenticate": 'Digest realm="shop", nonce="a8f5f167f44f4964"' }, body: document("<p>Log in.</p>") }),
  },
  { rule: "910022", over: "https", fault: () => redirect("http://shop.faulty.test/sale"), fine: () => redirect("https://shop.faulty.test/sale") },
];

const cookies: FaultCase[] = [
  {
    rule: "910023",
    over: "https",
    fault: withCookie("910023/fault", "lang=en; SameSite=Lax"),
    fine: withCookie("910023/fine", "lang=en; Secure; SameSite=Lax"),
    param: "lang",
  },
  {
    rule: "910024",
    fault: withCookie("910024/fault", "sessionid=3858f62230ac3c91; Secure; SameSite=Lax"),
    fine: withCookie("910024/fine", "csrf_session=3858f62230ac3c91; Secure; SameSite=Lax"),
    param: "sessionid",
  },
  {
    rule: "910025",
    fault: withCookie("910025/fault", "auth=3858f62230ac3c91; Secure; HttpOnly"),
    fine: withCookie("910025/fine", "colour=dark; Secure"),
    param: "auth",
  },
  {
    rule: "910026",
    fault: withCookie("910026/fault", "cart=7; SameSite=None"),
    fine: withCookie("910026/fine", "cart=7; SameSite=None; Secure"),
    param: "cart",
  },
  {
    rule: "910027",
    fault: withCookie("910027/fault", "sid=3858f62230ac3c91; Domain=faulty.test; Secure; HttpOnly; SameSite=Lax"),
    fine: withCookie("910027/fine", "sid=3858f62230ac3c91; Domain=shop.faulty.test; Secure; HttpOnly; SameSite=Lax"),
    param: "sid",
  },
  {
    rule: "910028",
    fault: withCookie("910028/fault", "__Host-cart=7; Secure; SameSite=Lax"),
    fine: withHeader("set-cookie", "__Host-cart=7; Secure; SameSite=Lax; Path=/"),
    param: "__Host-cart",
  },
];

const markup: FaultCase[] = [
  {
    rule: "910029",
    over: "https",
    fault: withBody('<link rel="stylesheet" href="http://shop.faulty.test/shop.css">'),
    fine: withBody('<link rel="canonical" href="http://shop.faulty.test/">'),
    param: "link",
  },
  {
    rule: "910030",
    over: "https",
    fault: withBody('<img src="http://shop.faulty.test/logo.png" alt="">'),
    fine: withBody('<a href="http://shop.faulty.test/logo.png">The logo</a>'),
    param: "img",
  },
  {
    rule: "910031",
    over: "https",
    fault: withBody(`<form method="post" action="http://shop.faulty.test/order">${token}</form>`),
    fine: withBody(`<form method="post" action="https://shop.faulty.test/order">${token}</form>`),
  },
  {
    rule: "910032",
    over: "http",
    fault: withBody(`<form method="post">${token}<input type="password" name="pw"></form>`),
    fine: withBody(`<form method="post">${token}<input type="text" name="password"></form>`),
    param: "pw",
  },
  {
    rule: "910033",
    over: "https",
    fault: withBody('<form name="login" action="fault"><input type="password" name="pw"></form>'),
    fine: withBody(`<form method="post" action="fine">${token}<input type="password" name="pw"></form>`),
    param: "login",
  },
  {
    rule: "910034",
    fault: withBody('<form name="order" method="post" action="fault"><input name="amount"></form>'),
    fine: withBody(`<form method="post" action="fine">${token}<input name="amount"></form>`),
    param: "order",
  },
  {
    rule: "910035",
    fault: withBody('<script src="https://cdn.example/shop.js"></script>'),
    fine: withBody(
      '<script src="https://static.faulty.test/shop.js"></script><script src="https://cdn.example/shop.js" integrity="sha384-oqVuAfXRKap7fdgcCY5uykM6" crossorigin="anonymous"></script>',
    ),
    param: "script",
  },
  {
    rule: "910036",
    fault: withBody('<a href="https://partner.example/" target="_blank">Partner</a>'),
    fine: withBody('<a href="https://partner.example/" target="_blank" rel="noopener">Partner</a>'),
  },
  {
    rule: "910037",
    over: "https",
    fault: withScript("fault/chat.js", 'const chat = new WebSocket("ws://shop.faulty.test/chat");'),
    fine: withScript("fine/chat.js", 'const chat = new WebSocket("wss://shop.faulty.test/chat"); // not ws://'),
  },
  {
    rule: "910038",
    fault: withScript("fault/jquery-3.4.1.min.js", "/*! jQuery v3.4.1 */"),
    fine: withScript("fine/jquery-3.7.1.min.js", "/*! jQuery v3.7.1 */"),
  },
  {
    rule: "910039",
    fault: withScript("fault/hash.js", "document.write('<p>' + location.hash + '</p>');"),
    fine: withScript("fine/hash.js", "output.textContent = location.hash; document.write(encodeURIComponent(location.hash));"),
  },
  {
    rule: "910040",
    links: ["?next=https%3A%2F%2Felsewhere.example%2F"],
    fault: ({ query }) => redirect(query.get("next") ?? "/"),
    fine: () => redirect("https://shop.faulty.test/sale"),
    param: "next",
  },
  {
    rule: "910041",
    fault: () => redirect("/", document("<table><tr><td>Ann</td><td>3 orders</td></tr></table>")),
    fine: () => redirect("/", document('<p>See <a href="/">there</a>.</p>')),
  },
];

const errors: FaultCase[] = [
  {
    rule: "910042",
    fault: withBody("<pre>java.lang.IllegalStateException: no cart\n\tat shop.cart.Cart.total(Cart.java:42)\n</pre>"),
    fine: withBody("<p>Meet us at shop.cart (Java Street 42).</p>"),
  },
  {
    rule: "910043",
    fault: withBody("<p>You have an error in your SQL syntax; check the manual</p>"),
    fine: withBody("<p>SQL syntax: an introduction to errors</p>"),
  },
  {
    rule: "910044",
    fault: withBody("<p>You're seeing this error because you have <code>DEBUG = True</code> in your settings file.</p>"),
    fine: withBody("<p>Set <code>DEBUG = False</code> in your settings file.</p>"),
  },
  { rule: "910045", fault: withBody("<?php $total = sum($cart); ?>"), fine: withBody("<pre>&lt;?php $total = sum($cart); ?&gt;</pre>") },
  {
    rule: "910046",
    fault: () => ({ body: document('<h1>Index of /files</h1><a href="../">Parent Directory</a>', "<title>Index of /files</title>") }),
    fine: () => ({ body: document("<h1>Index</h1>", "<title>Index of our catalogue</title>") }),
  },
];

const leaks: FaultCase[] = [
  { rule: "910047", fault: withBody("<p>Served by 10.20.30.40.</p>"), fine: withBody("<p>Version 10.20.30.400, of 192.0.2.7.</p>") },
  {
    rule: "910048",
    links: ["?session_id=3858f62230ac3c915f300c66"],
    fineLinks: ["?session_id=new"],
    fault: withBody(hello),
    fine: withBody(hello),
    param: "session_id",
  },
  { rule: "910049", fault: withBody("<!-- TODO: take the password out of here -->"), fine: withBody("<!-- the header ends here -->") },
  { rule: "910050", fault: withBody("<p>Write to ann.smith@shop.example</p>"), fine: withBody('<img src="/logo@2x.png" alt=""><p>Follow @shop</p>') },
  {
    rule: "910051",
    fault: withScript("fault/shop.js", "start();\n//# sourceMappingURL=shop.js.map"),
    fine: withScript("fine/shop.js", "start();\n//# sourceMappingURL=data:application/json;base64,e30="),
  },
  {
    rule: "910052",
    fault: withBody("<p>Cannot read /var/www/shop/prices.csv</p>"),
    fine: withBody('<p><a href="/passive/910052/fine">See /shop/prices</a></p>'),
  },
  { rule: "910053", fault: withBody(`<p>Paid with ${card}</p>`), fine: withBody("<p>Paid with 4111 1111 1111 1111, order 4539148803436468</p>") },
  { rule: "910054", fault: () => text(`-----BEGIN ${"PRIVATE"} KEY-----\nMIIE\n`), fine: () => text("-----BEGIN PUBLIC KEY-----\nMIIE\n") },
  { rule: "910055", fault: withBody(`<p>${awsKey}</p>`), fine: withBody(`<p>X${awsKey} AKIAIOSFODNN7EXAMPLE</p>`), param: "AWS access key" },
  { rule: "910056", fault: withBody("<p>postgresql://shop:hunter2@db/shop</p>"), fine: withBody("<p>postgresql://db/shop</p>") },
  {
    rule: "910057",
    fault: withBody(`<p>${encode({ alg: "none" })}.${encode({ sub: "ann" })}.</p>`),
    fine: withBody(`<p>${encode({ alg: "HS256" })}.${encode({ sub: "ann" })}.c2lnbmF0dXJl</p>`),
  },
  {
    rule: "910058",
    fault: withBody(`<form method="post" action="fault">${token}<input type="hidden" name="basket" value="rO0ABXNyAAZCYXNrZXQ="></form>`),
    fine: withBody(`<form method="post" action="fine">${token}<input type="hidden" name="basket" value="c2hvZXM6Mg=="></form>`),
    param: "basket",
  },
];

/** Pages whose fault is there to be seen, in the order of the rules' ids. */
export const faultyPages: FaultCase[] = [...headers, ...transfer, ...cookies, ...markup, ...errors, ...leaks];
