/**
 * Bundles the widget into `dist/`: `widget.js`, and compressed beside it what is served to browsers that take it.
 *
 *   npm ci && node build.mjs            writes them and prints their sizes
 *   npm ci && node build.mjs --check    exits with 1 if they are not what the sources give
 */

import { readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";

import * as esbuild from "esbuild";
import { minify } from "terser";

const here = fileURLToPath(new URL(".", import.meta.url));
const script = `${here}dist/widget.js`;

/** Style sheets become texts, minified. */
const styles = {
  name: "styles",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(readFileSync(path), { loader: "css", minify: true, target: "es2022" });
      // It leaves the space before a custom property's value.
      return { contents: code.trim().replace(/(--[\w-]+): /g, "$1:"), loader: "text" };
    });
  },
};

const { outputFiles } = await esbuild.build({
  entryPoints: [`${here}index.js`],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  plugins: [styles],
  write: false,
});
// It saves a twentieth over esbuild's own minifying. The names that it may shorten are the widget's alone.
const { code } = await minify(outputFiles[0].text, {
  ecma: 2022,
  compress: { passes: 4, sequences: false, unsafe: true, unsafe_arrows: true, unsafe_methods: true, pure_getters: true, keep_fargs: false },
  mangle: { properties: { regex: /^(retryAfter|conclude|spoken|isThere|complain|navigated|counts|mayAct|begin|fail|end|row)$/ } },
  format: { ascii_only: true },
});
const bundle = Buffer.from(code);

if (process.argv.includes("--check")) {
  // The compressed files are compared by what is in them: compressors differ from one Node.js to the next.
  const unpacked = [readFileSync(script), gunzipSync(readFileSync(`${script}.gz`)), brotliDecompressSync(readFileSync(`${script}.br`))];
  if (!unpacked.every((found) => found.equals(bundle))) {
    console.error("src/widget/dist is not what the sources give: run `npm ci && node build.mjs` in src/widget and commit it");
    process.exit(1);
  }
} else {
  mkdirSync(`${here}dist`, { recursive: true });
  const gzip = gzipSync(bundle, { level: 9 });
  const brotli = brotliCompressSync(bundle, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bundle.length },
  });
  writeFileSync(script, bundle);
  writeFileSync(`${script}.gz`, gzip);
  writeFileSync(`${script}.br`, brotli);
  console.log(`widget.js ${bundle.length} bytes, gzip ${gzip.length}, brotli ${brotli.length}`);
}
