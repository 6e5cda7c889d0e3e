/** Waiting for what must come. The ceiling only ends a hang: no test is about how long something takes. */

export const CEILING_MS = 15_000;
const PAUSE_MS = 20;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs `check` until it neither throws nor gives `false`; gives what it gave. Fails as it failed last. */
export async function eventually(check) {
  const end = Date.now() + CEILING_MS;
  for (;;) {
    let failure = new Error(`never came true: ${check}`);
    try {
      const result = await check();
      if (result !== false) return result;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > end) throw failure;
    await pause(PAUSE_MS);
  }
}

/** `promise`, or a failure that says what was waited for. */
export async function soon(promise, what) {
  let timer;
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), CEILING_MS);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
