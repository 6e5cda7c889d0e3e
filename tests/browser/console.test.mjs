/** That the other tests could fail: whatever a page complains of is seen, whoever says it and however. */

import assert from "node:assert/strict";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";
import { strictPolicy } from "./support/site.mjs";

const strict = ({ wire }) => ({ page: { headers: { "Content-Security-Policy": strictPolicy(wire.origin) } } });
const plain = () => ({});

for (const [what, setting, cause, pattern] of [
  ["an error in the console", plain, () => console.error("It broke"), /^error: It broke$/],
  ["a warning in the console", plain, () => console.warn("It may break"), /^warning: It may break$/],
  ["an exception that nobody caught", plain, () => setTimeout(() => { throw new Error("It threw"); }), /^exception: .*It threw/],
  ["a promise that nobody waits for", plain, () => void Promise.reject(new Error("It rejected")), /^exception: .*It rejected/],
  ["a request that fails", plain, () => void fetch("http://127.0.0.1:1/").catch(() => {}), /^error: .*ERR_/],
  ["a style that a policy forbids", strict, () => document.body.append(document.createElement("style")), /^error: .*style-src/],
  ["an attribute that a policy forbids", strict, () => document.body.setAttribute("style", "color: red"), /^error: .*style-src/],
  ["HTML where Trusted Types are asked for", strict, () => {
    try {
      document.body.innerHTML = "<b>x</b>";
    } catch {
      // As a careless widget would.
    }
  }, /^error: .*TrustedHTML/],
  ["a policy of Trusted Types", strict, () => {
    try {
      trustedTypes.createPolicy("mine", {});
    } catch {
      // As a careless widget would.
    }
  }, /^error: .*policy/i],
  ["a picture from elsewhere", strict, () => document.body.append(Object.assign(new Image(), { src: "https://example.com/p.png" })), /^error: .*(img-src|default-src)/],
]) {
  inBrowser(`${what} is seen`, setting, async ({ page, complaints }) => {
    assert.deepEqual(complaints.all(), []);
    await page.evaluate(cause);
    await eventually(() => assert.ok(complaints.unexpected().some((text) => pattern.test(text)), JSON.stringify(complaints.all())));
    complaints.expect(/./);
  });
}

inBrowser("what a second page of the visitor complains of is seen too", {}, async ({ context, site, complaints }) => {
  const second = await context.newPage();
  await second.goto(site.origin);
  await second.evaluate(() => console.error("It broke over there"));
  await eventually(() => assert.equal(complaints.unexpected().length, 1));
  complaints.expect(/over there/);
});
