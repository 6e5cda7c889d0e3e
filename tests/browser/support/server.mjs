/** The real widgetd on a free port, with a folder and a `widget.toml` of its own, which go with it. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { soon } from "./patience.mjs";
import { toToml } from "./toml.mjs";

const project = new URL("../../../", import.meta.url).pathname;
const BINARY = process.env.WIDGETD ?? join(process.env.CARGO_TARGET_DIR ?? join(project, "target"), "release/widgetd");

/** `config` is the whole `widget.toml` as an object. */
export async function startServer(config) {
  const folder = mkdtempSync(join(tmpdir(), "widgetd-browser-"));
  const file = join(folder, "widget.toml");
  writeFileSync(file, toToml(config));
  const data = join(folder, "data");
  const process = spawn(BINARY, ["--config", file, "--listen", "127.0.0.1:0", "--data", data], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  process.stderr.on("data", (text) => (log += text));
  const exited = new Promise((resolve) => {
    process.on("error", (error) => resolve((log += error.message)));
    process.on("exit", resolve);
  });
  const lines = createInterface(process.stdout);
  const address = new Promise((resolve) => {
    lines.on("line", (line) => {
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
      if (found) resolve(found[0]);
    });
  });
  const origin = await soon(Promise.race([address, exited.then(() => null)]), "widgetd to start");
  if (!origin) throw new Error(`widgetd did not start:\n${log}`);
  return {
    origin,
    /** What the same configuration makes the command print. */
    async command(...words) {
      const child = spawn(BINARY, [...words, "--config", file], { stdio: ["ignore", "pipe", "inherit"] });
      let printed = "";
      for await (const text of child.stdout) printed += text;
      return printed;
    },
    /** A command beside the running server, with one line on its standard input. */
    async commandBeside(line, ...words) {
      const child = spawn(BINARY, [...words, "--config", file, "--data", data], { stdio: ["pipe", "ignore", "inherit"] });
      child.stdin.end(`${line}\n`);
      return new Promise((resolve) => child.on("exit", resolve));
    },
    async stop() {
      process.kill();
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
