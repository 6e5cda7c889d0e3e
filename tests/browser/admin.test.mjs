/** The owner's page: what a person does there, with and without scripts, on a desk and on a phone. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { pageFindings } from "./support/axe.mjs";
import { asOwner, PASSWORD } from "./support/owner.mjs";
import { eventually } from "./support/patience.mjs";

const PHONE = { viewport: { width: 390, height: 760 }, hasTouch: true, isMobile: true };
const HOSTILE = '"><script>document.title = "hacked"</script><img src=x onerror=alert(1)>';

/** Two conversations and a lead. */
async function someDay({ visitor, model }) {
  model.next("In two to four days.");
  const first = await visitor();
  await first.says("How long does shipping take?");
  await first.leaves({ email: "ann@example.com", name: HOSTILE, company: "=1+1", message: "Please call me.", fields: { size: "big" } });
  model.next("I don't know that.");
  await (await visitor()).says(HOSTILE);
}

for (const [how, context] of [
  ["with scripts", {}],
  ["without scripts", { javaScriptEnabled: false }],
]) {
  asOwner(`a day of the owner's, ${how}: log in, read, note, export, pause, log out`, { context: { ...context, acceptDownloads: true } }, async (scene) => {
    const { page, owner, visitor, complaints } = scene;
    complaints.expect(/status of 403/);
    await someDay(scene);
    await owner.logsIn("not the password");
    await page.getByText("That is not the password.").waitFor();
    await owner.logsIn();
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();

    await owner.follows("Conversations");
    assert.deepEqual(await owner.listed(), [HOSTILE, "How long does shipping take?", "ann@example.com"]);
    // The index of words is kept up behind the messages.
    await eventually(async () => {
      await page.getByLabel("Words in a message").fill("shipping");
      await page.getByRole("button", { name: "Show" }).click();
      return (await owner.listed()).join() === "How long does shipping take?,ann@example.com";
    });
    await page.getByRole("link", { name: "How long does shipping take?" }).click();
    await page.getByText("In two to four days.").waitFor();

    await owner.follows("Leads");
    await page.getByRole("link", { name: "ann@example.com" }).click();
    await page.getByText(HOSTILE).waitFor();
    await page.getByLabel("won").check();
    await page.getByLabel("Note").fill("Called.\nTwice.");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();
    assert.equal(await page.getByLabel("won").isChecked(), true);
    assert.equal(await page.getByLabel("Note").inputValue(), "Called.\nTwice.");
    await owner.follows("Leads");
    await page.getByLabel("State").selectOption("new");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText("No lead is like this.").waitFor();
    await page.getByRole("link", { name: "All", exact: true }).click();
    const downloading = page.waitForEvent("download");
    await page.getByRole("link", { name: "Export CSV" }).click();
    const download = await downloading;
    assert.equal(download.suggestedFilename(), "leads.csv");
    const csv = readFileSync(await download.path(), "utf8");
    assert.match(csv, /"ann@example.com"/);
    assert.match(csv, /"'=1\+1"/);

    await owner.follows("Overview");
    await page.getByRole("button", { name: "Pause Teapot helper" }).click();
    await page.getByText("The agent is paused").waitFor();
    assert.equal((await (await visitor()).says("Are you there?")).code, "agent_paused");
    await page.getByRole("button", { name: "Resume Teapot helper" }).click();
    await page.getByText("The agent answers again.").waitFor();
    assert.equal((await (await visitor()).says("And now?")).status, 200);

    await owner.follows("Webhooks");
    await owner.follows("Retention");
    await page.getByText("90 days").waitFor();
    assert.notEqual(await page.title(), "hacked");
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("Password").waitFor();
    await owner.goes("/admin/leads");
    await page.getByLabel("Password").waitFor();
  });
}

asOwner("a conversation is deleted after a question", {}, async (scene) => {
  const { page, owner } = scene;
  await someDay(scene);
  await owner.logsIn();
  await owner.follows("Conversations");
  await page.getByRole("link", { name: "How long does shipping take?" }).click();
  await page.getByRole("link", { name: "Delete" }).click();
  await page.getByText("The lead that was left in it stays").waitFor();
  await page.getByRole("link", { name: "Keep it" }).click();
  await page.getByRole("link", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete for good" }).click();
  await page.getByText("The conversation was deleted").waitFor();
  assert.deepEqual(await owner.listed(), [HOSTILE]);
  await owner.follows("Leads");
  assert.deepEqual(await owner.listed(), ["ann@example.com"]);
});

/** Asks axe on every page. */
async function walk(scene) {
  const { page, owner, complaints } = scene;
  complaints.expect(/status of 40[34]/);
  const found = [];
  const ask = async (where) => {
    found.push(...(await pageFindings(page)).map((line) => `${where}: ${line}`));
    const { scrollWidth, clientWidth } = await page.evaluate(() => document.documentElement);
    if (scrollWidth > clientWidth) found.push(`${where}: is wider than the screen`);
  };
  await someDay(scene);
  await owner.logsIn("not the password");
  await ask("login");
  await owner.logsIn();
  // What was said is counted some seconds later.
  await eventually(async () => {
    await owner.goes("/admin?days=7");
    return (await page.locator("main").innerText()).includes("I don't know that.");
  });
  await page.getByText("The figures").click();
  await ask("overview");
  for (const section of ["Conversations", "Leads"]) {
    await owner.follows(section);
    await ask(section);
    await page.locator("main table a").last().click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    await ask(`one of ${section}`);
  }
  for (const section of ["Webhooks", "Retention"]) {
    await owner.follows(section);
    await ask(section);
  }
  await owner.goes("/admin/nothing");
  await ask("an error");
  assert.deepEqual(found, []);
}

asOwner("axe finds nothing", {}, walk);
asOwner("axe finds nothing in the dark", { context: { colorScheme: "dark" } }, walk);
asOwner("axe finds nothing on a phone, and nothing is wider than it", { context: PHONE }, walk);

asOwner("the keyboard is enough, and leads past the navigation", {}, async (scene) => {
  const { page, owner } = scene;
  await owner.goes("/admin");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.closest("main") !== null), true);
});

asOwner("two browsers of one address share its attempts", {}, async ({ page, owner, context, complaints, server }) => {
  complaints.expect(/status of 4(03|29)/);
  const other = await context.browser().newContext();
  const second = await other.newPage();
  const tries = async (one) => {
    await one.goto(`${server.origin}/admin/login`);
    await one.getByLabel("Password").fill("a guess of some length");
    await one.getByRole("button", { name: "Log in" }).click();
  };
  for (const one of [page, second, page, second, page]) {
    await tries(one);
    await one.getByText("That is not the password.").waitFor();
  }
  await tries(second);
  await second.getByText("Too many attempts").waitFor();
  await owner.logsIn();
  await page.getByText("Try again in").waitFor();
  await other.close();
});
