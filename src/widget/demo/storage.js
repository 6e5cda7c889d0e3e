/**
 * What the page remembers of a visitor. Browsers may refuse `localStorage` at any call (blocked cookies, a full disk):
 * then it is remembered for as long as the page is open.
 */

export function openStorage(prefix) {
  const memory = new Map();
  return {
    /** A string, or null. */
    get(key) {
      if (memory.has(key)) return memory.get(key);
      try {
        return localStorage.getItem(prefix + key);
      } catch {
        return null;
      }
    },
    set(key, value) {
      memory.set(key, String(value));
      try {
        localStorage.setItem(prefix + key, value);
      } catch {
        // It stays in memory.
      }
    },
  };
}
