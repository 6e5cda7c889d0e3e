// Lets npm's jose verify a token of widgetd, and make others: one that is good, and what must be refused.
//
// Needs BASE, TOKEN and WIDGETD_JWT_SECRET. Prints what is wrong; exits with 1 if anything is.
import assert from "node:assert/strict";
import { EncryptJWT, SignJWT, UnsecuredJWT, decodeProtectedHeader, jwtVerify } from "jose";

const { BASE, TOKEN, WIDGETD_JWT_SECRET } = process.env;
const key = new TextEncoder().encode(WIDGETD_JWT_SECRET);

async function answer(token) {
  const response = await fetch(`${BASE}/v1/widget/events`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: '{"type":"dismiss"}',
  });
  const { code = "accepted" } = await response.json();
  return `${response.status} ${code}`;
}

const sign = (header, claims, secret = key) => new SignJWT(claims).setProtectedHeader(header).sign(secret);

const { payload } = await jwtVerify(TOKEN, key, { algorithms: ["HS256"], issuer: "widget", typ: "JWT", maxTokenAge: "1h" });
const header = decodeProtectedHeader(TOKEN);
const old = { ...payload, iat: payload.iat - 3600, exp: payload.exp - 3600 };

const cases = [
  ["its own", TOKEN, "202 accepted"],
  ["signed anew", await sign(header, payload), "202 accepted"],
  ["expired", await sign(header, old), "401 expired_token"],
  ["expired by HS512", await sign({ ...header, alg: "HS512" }, old), "401 invalid_token"],
  ["HS384", await sign({ ...header, alg: "HS384" }, payload), "401 invalid_token"],
  ["HS512", await sign({ ...header, alg: "HS512" }, payload), "401 invalid_token"],
  ["another key", await sign(header, payload, key.toReversed()), "401 invalid_token"],
  ["an audience's type", await sign({ ...header, typ: "at+jwt" }, payload), "401 invalid_token"],
  ["no kid", await sign({ alg: "HS256", typ: "JWT" }, payload), "401 invalid_token"],
  ["not valid yet", await sign(header, { ...payload, nbf: payload.iat + 600 }), "401 invalid_token"],
  ["not signed", new UnsecuredJWT(payload).encode(), "401 invalid_token"],
  [
    "encrypted",
    await new EncryptJWT(payload).setProtectedHeader({ ...header, alg: "dir", enc: "A256GCM" }).encrypt(key.subarray(0, 32)),
    "401 invalid_token",
  ],
];
for (const [name, token, expected] of cases) assert.equal(await answer(token), expected, name);
