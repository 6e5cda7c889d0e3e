/**
 * `window.widgetd`, also before the widget's script has come: what is said early is kept in `q`, where the script finds it.
 * A site without a strict policy has this line inline, before the tag.
 */

window.widgetd ??= function () {
  (window.widgetd.q ??= []).push(arguments);
};

/** One command, such as `widgetd("open")`. The widget replaces the function, so it is looked up each time. */
export function widgetd(...command) {
  return window.widgetd(...command);
}
