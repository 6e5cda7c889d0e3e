/** Where rules apply, and where the widget may not be. */

/** Whether a pattern fits the path, that of the page if none is given; `*` in it stands for any run of characters. */
export function matchesAny(patterns, path = location.pathname) {
  return patterns.some((pattern) => {
    const literals = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${literals.join(".*")}$`, "s").test(path);
  });
}
